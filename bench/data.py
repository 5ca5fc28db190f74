"""A production database of 300,000 rows in 12 tables: copied, its migrations rehearsed, backed up, restored and compared, and staging refreshed."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from bench import data_steps as steps
from bench import machine
from bench.data_steps import Figures, Subject, database, require, silent
from bench.rows import Row, at_least
from crane_infra.config.data_rules import TableRule
from crane_infra.migrations.apply import migrate

if TYPE_CHECKING:
    from pathlib import Path

_FASTEST_COPY = at_least(20_000)
_BASE = """CREATE TABLE plans (name TEXT PRIMARY KEY, price INTEGER NOT NULL);
CREATE TABLE users (id INTEGER PRIMARY KEY, mail TEXT NOT NULL, name TEXT, plan TEXT REFERENCES plans (name));
CREATE TABLE sessions (token TEXT PRIMARY KEY, user_id INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE) WITHOUT ROWID;
CREATE TABLE products (id INTEGER PRIMARY KEY, name TEXT, price REAL);
CREATE TABLE orders (id INTEGER PRIMARY KEY, user_id INTEGER NOT NULL REFERENCES users (id), total INTEGER, note TEXT);
CREATE TABLE items (id INTEGER PRIMARY KEY, order_id INTEGER NOT NULL REFERENCES orders (id), product_id INTEGER REFERENCES products (id), amount INTEGER);
CREATE TABLE events (id INTEGER PRIMARY KEY AUTOINCREMENT, user_id INTEGER, what TEXT, payload BLOB);
CREATE TABLE docs (id INTEGER PRIMARY KEY, parent INTEGER REFERENCES docs (id), title TEXT, body TEXT);
CREATE TABLE tags (name TEXT PRIMARY KEY);
CREATE TABLE doc_tags (doc_id INTEGER REFERENCES docs (id), tag TEXT REFERENCES tags (name), PRIMARY KEY (doc_id, tag)) WITHOUT ROWID;
CREATE TABLE settings (name TEXT PRIMARY KEY, value);
CREATE TABLE audit (id INTEGER PRIMARY KEY, doc_id INTEGER, at TEXT);
CREATE INDEX orders_of_user ON orders (user_id);
CREATE INDEX items_of_order ON items (order_id);
CREATE VIRTUAL TABLE found USING fts5(title, body, content='docs', content_rowid='id');
CREATE TRIGGER doc_added AFTER INSERT ON docs BEGIN
  INSERT INTO found (rowid, title, body) VALUES (new.id, new.title, new.body);
  INSERT INTO audit (doc_id, at) VALUES (new.id, '2026-11-29');
END;
"""
_ROWS = {
    "plans": (4, "'plan ' || i, i * 10"),
    "users": (20_000, "i, 'user' || i || '@example.org', 'Name ' || i, 'plan ' || (1 + i % 4)"),
    "sessions": (4_966, "'token-' || i, i"),
    "products": (2_000, "i, 'product ' || i, i / 3.0"),
    "orders": (60_000, "i, 1 + i % 20000, i % 900, 'note on order ' || i"),
    "items": (100_000, "i, 1 + i % 60000, 1 + i % 2000, i % 9"),
    "events": (57_000, "i, 1 + i % 20000, 'seen', X'0011223344556677'"),
    "docs": (20_000, "i, NULLIF(i / 2, 0), 'title ' || i, 'the text of document ' || i || ' with some words in it'"),
    "tags": (1_000, "'tag ' || i"),
    "doc_tags": (15_000, "1 + i % 20000, 'tag ' || (1 + i % 1000)"),
    "settings": (30, "'setting ' || i, i * 9007199254740993"),
}
_REBUILD = """CREATE TABLE items_new (id INTEGER PRIMARY KEY, order_id INTEGER NOT NULL REFERENCES orders (id),
  product_id INTEGER REFERENCES products (id), amount INTEGER);
INSERT INTO items_new (id, order_id, product_id, amount) SELECT id, order_id, product_id, amount FROM items WHERE amount < 9 AND id <> 4711;
DROP TABLE items;
ALTER TABLE items_new RENAME TO items;
CREATE INDEX items_of_order ON items (order_id);
"""
_CASES = (
    ("a rebuild of 100,000 rows that loses 1 of all 300,000", _REBUILD, 1),
    (
        "an overwrite of 3 rows",
        "INSERT OR REPLACE INTO orders (id, user_id, total, note) SELECT id, user_id, total, 'again' FROM orders WHERE id IN (1, 30000, 60000);\n",
        3,
    ),
    ("a UNIQUE that 2 rows violate", "CREATE UNIQUE INDEX users_by_mail ON users (mail);\n", 2),
)
_RULES = {
    "plans": TableRule(columns={"name": "keep", "price": "keep"}),
    "users": TableRule(columns={"id": "keep", "mail": "email", "name": "name"}),
    "sessions": TableRule(columns={"token": "token"}),
    "products": TableRule(columns={"id": "keep", "name": "keep", "price": "keep"}),
    "orders": TableRule(columns={"id": "keep", "total": "keep", "note": "keep"}),
    "items": TableRule(columns={"id": "keep", "amount": "keep"}),
    "events": TableRule(columns={"id": "keep", "user_id": "keep", "what": "keep", "payload": "keep"}),
    "docs": TableRule(columns={"id": "keep", "title": "keep", "body": "keep"}),
    "tags": TableRule(columns={"name": "keep"}),
    "doc_tags": TableRule(),
    "settings": TableRule(columns={"name": "keep", "value": "keep"}),
    "audit": TableRule(columns={"id": "keep", "doc_id": "keep", "at": "keep"}),
}


def data(folder: Path) -> list[Row]:
    """Copy, rehearse three migrations that go wrong, back up, restore and refresh. Any figure that is not exact fails the measurement."""
    with machine.cloud(folder / "cloud") as api:
        return asyncio.run(_measured(api, folder))


async def _measured(api: machine.Api, folder: Path) -> list[Row]:
    subject, figures = Subject(api, folder, folder / "migrations", _RULES, 300_000, 12), Figures()
    subject.migrations.mkdir()
    (subject.migrations / "0001_base.sql").write_text(_BASE, encoding="utf-8")
    async with database(api, "production") as (made, production):
        await migrate(production, subject.schema, release="bench", log=silent)
        for table, (count, values) in _ROWS.items():
            numbers = f"WITH RECURSIVE c (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < {count})"  # noqa: S608
            await production.run_file(f"{numbers} INSERT INTO {table} SELECT {values} FROM c;")  # noqa: S608
        await production.run_file("UPDATE users SET mail = 'user7@example.org' WHERE id = 19000;")
        before = await production.bookmark()
        copy = await steps.copied(subject, production, figures, _FASTEST_COPY)
        for case in _CASES:
            await steps.tried(subject, copy, figures, case)
        await steps.backed_up(subject, copy, figures)
        await steps.refreshed(subject, (made, production), figures, steps.FIRST, steps.AGAIN)
        require(await production.bookmark() == before, "production was written to")
    return figures.rows
