"""A production database of 1,000,000 rows and 500 MB, with wide blobs and a full-text index: the same steps as those of 300,000 rows."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from bench import data_steps as steps
from bench import machine
from bench.data_steps import Figures, Subject, database, require, silent
from crane_infra.config.data_rules import TableRule
from crane_infra.migrations.apply import migrate

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bench.rows import Row

_BASE = """CREATE TABLE users (id INTEGER PRIMARY KEY, mail TEXT NOT NULL UNIQUE, name TEXT);
CREATE TABLE orders (id INTEGER PRIMARY KEY, user_id INTEGER NOT NULL REFERENCES users (id), note TEXT);
CREATE TABLE events (id INTEGER PRIMARY KEY AUTOINCREMENT, order_id INTEGER REFERENCES orders (id) ON DELETE CASCADE, payload TEXT);
CREATE TABLE files (name TEXT PRIMARY KEY, content BLOB) WITHOUT ROWID;
CREATE INDEX orders_of_user ON orders (user_id);
CREATE VIRTUAL TABLE found USING fts5(note, content='orders', content_rowid='id');
CREATE TRIGGER order_added AFTER INSERT ON orders BEGIN INSERT INTO found (rowid, note) VALUES (new.id, new.note); END;
CREATE TRIGGER order_gone AFTER DELETE ON orders BEGIN INSERT INTO found (found, rowid, note) VALUES ('delete', old.id, old.note); END;
"""
_ROWS = {
    "users": (100_000, "i, 'user' || i || '@corp.example', 'Name of user ' || i"),
    "orders": (300_000, "i, 1 + i % 100000, 'order ' || i || ' has ' || hex(randomblob(40)) || ' to be found'"),
    "events": (599_940, "i, 1 + i % 300000, hex(randomblob(225))"),
    "files": (60, "'file ' || i, randomblob(1000000)"),
}
_RULES = {
    "users": TableRule(columns={"id": "keep", "mail": "email", "name": "name"}),
    "orders": TableRule(columns={"id": "keep", "note": "keep"}),
    "events": TableRule(columns={"id": "keep", "payload": "keep"}),
    "files": TableRule(columns={"name": "keep", "content": "keep"}),
}
_LOSS = """CREATE TABLE events_new (id INTEGER PRIMARY KEY AUTOINCREMENT, order_id INTEGER REFERENCES orders (id) ON DELETE CASCADE, payload TEXT);
INSERT INTO events_new (id, order_id, payload) SELECT id, order_id, payload FROM events WHERE id <> 4711;
DROP TABLE events;
ALTER TABLE events_new RENAME TO events;
"""


def _inserts() -> Iterator[str]:
    """All rows in one file, since the local cloud keeps the state after each."""
    for table, (count, values) in _ROWS.items():
        numbers = f"WITH RECURSIVE c (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < {count})"  # noqa: S608
        yield f"{numbers} INSERT INTO {table} SELECT {values} FROM c;\n"  # noqa: S608


def million(folder: Path) -> list[Row]:
    """Copy, rehearse, back up, restore and refresh at full size. Any figure that is not exact fails the measurement."""
    with machine.cloud(folder / "cloud") as api:
        return asyncio.run(_measured(api, folder))


async def _measured(api: machine.Api, folder: Path) -> list[Row]:
    subject, figures = Subject(api, folder, folder / "migrations", _RULES, 1_000_000, len(_RULES)), Figures()
    subject.migrations.mkdir()
    (subject.migrations / "0001_base.sql").write_text(_BASE, encoding="utf-8")
    async with database(api, "production") as (made, production):
        await migrate(production, subject.schema, release="bench", log=silent)
        await production.run_file("".join(_inserts()))
        before = await production.bookmark()
        copy = await steps.copied(subject, production, figures)
        figures.add("the database", copy.path.stat().st_size / 1e6, "MB")
        await steps.tried(subject, copy, figures, ("a rebuild that loses 1 row of 1,000,000", _LOSS, 1))
        await steps.backed_up(subject, copy, figures)
        copy.path.unlink()
        await steps.refreshed(subject, (made, production), figures, steps.FIRST)
        require(await production.bookmark() == before, "production was written to")
    return figures.rows
