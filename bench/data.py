"""A production database of 300,000 rows in 12 tables: copied, its migrations tried, backed up, restored and compared row by row."""

from __future__ import annotations

import asyncio
import resource
import time
from contextlib import asynccontextmanager, closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import apsw
from cloudflare import AsyncCloudflare

from bench import machine
from bench.rows import Row
from crane_infra.d1.client import D1
from crane_infra.d1.create import create_database
from crane_infra.data.backup.file import check_file, make_backup, unpack
from crane_infra.data.backup.load import load
from crane_infra.data.copy import Copied, copy_database
from crane_infra.data.trial import Attempt, Trial, try_migrations
from crane_infra.migrations.apply import migrate
from crane_infra.migrations.files.read import SchemaFiles, read_migrations

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

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
_TOTAL, _TABLES = 300_000, 12
_REBUILD = """CREATE TABLE items_new (id INTEGER PRIMARY KEY, order_id INTEGER NOT NULL REFERENCES orders (id),
  product_id INTEGER REFERENCES products (id), amount INTEGER);
INSERT INTO items_new (id, order_id, product_id, amount) SELECT id, order_id, product_id, amount FROM items WHERE amount < 9 AND id <> 4711;
DROP TABLE items;
ALTER TABLE items_new RENAME TO items;
CREATE INDEX items_of_order ON items (order_id);
"""
_CASES = {
    "a rebuild that loses 1 row of 100,000": _REBUILD,
    "an overwrite of 3 rows": "INSERT OR REPLACE INTO plans (name, price) SELECT name, price + 1 FROM plans WHERE price > 10;\n",
    "a UNIQUE that 2 rows violate": "CREATE UNIQUE INDEX users_by_mail ON users (mail);\n",
}


def data(folder: Path) -> list[Row]:
    """Copy, try three migrations that go wrong, back up and restore. Any figure that is not exact fails the measurement."""
    with machine.cloud(folder / "cloud") as api:
        return asyncio.run(_measured(api, folder))


async def _measured(api: machine.Api, folder: Path) -> list[Row]:
    (folder / "migrations").mkdir()
    (folder / "migrations" / "0001_base.sql").write_text(_BASE, encoding="utf-8")
    async with _client(api, "production") as production:
        await migrate(production, SchemaFiles(read_migrations(folder / "migrations", "migrations")), release="bench", log=_silent)
        for table, (count, values) in _ROWS.items():
            numbers = f"WITH RECURSIVE c (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < {count})"  # noqa: S608
            await production.run_file(f"{numbers} INSERT INTO {table} SELECT {values} FROM c;")  # noqa: S608
        await production.run_file("UPDATE users SET mail = 'user7@example.org' WHERE id = 19000;")
        began = time.perf_counter()
        copied = await copy_database(production, folder / "copy.sqlite")
        seconds = time.perf_counter() - began
    _require(copied)
    rows = [Row("copy of 300,000 rows in 12 tables", seconds, "s"), Row("the same", copied.rows / seconds, "rows/s")]
    rows += [row for name, sql in _CASES.items() for row in await _tried(copied, name, sql, folder / "migrations")]
    rows += await _backed_up(api, copied, folder)
    return [*rows, Row("most memory of the process", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, "MB")]


async def _tried(copied: Copied, name: str, sql: str, migrations: Path) -> list[Row]:
    file = migrations / "0002_change.sql"
    file.write_text(sql, encoding="utf-8")
    began = time.perf_counter()
    trial = await try_migrations(copied, Attempt("production", SchemaFiles(read_migrations(migrations, "migrations")), "bench"))
    seconds = time.perf_counter() - began
    return [Row(f"rehearse {name}", seconds, "s"), Row("the same, rows that it names", _named(trial), "rows")]


def _named(trial: Trial) -> int:
    (report,) = trial.files
    if report.violations:
        return sum(violation.rows for violation in report.violations)
    return sum(change.deleted + change.overwritten for change in report.tables)


async def _backed_up(api: machine.Api, copied: Copied, folder: Path) -> list[Row]:
    began = time.perf_counter()
    backup = make_backup(copied, "production", datetime.now(UTC), folder)
    compressed = time.perf_counter() - began
    began = time.perf_counter()
    note = unpack(backup, folder / "plain.sqlite")
    with closing(apsw.Connection(str(folder / "plain.sqlite"))) as db:
        await check_file(db, note, backup.name)
        async with _client(api, "restored") as target:
            await load(target, db, _silent)
    restored = time.perf_counter() - began
    size = backup.stat().st_size / 1e6
    return [Row("compress", compressed, "s"), Row("the backup", size, "MB"), Row("restore, every row compared", restored, "s")]


def _require(copied: Copied) -> None:
    counts = {table.name: table.rows for table in copied.tables if table.name in {*_ROWS, "audit"}}
    if (sum(counts.values()), len(counts), bool(copied.bookmark)) != (_TOTAL, _TABLES, True):
        message = f"the copy has {counts}, bookmark {copied.bookmark}"
        raise RuntimeError(message)


@asynccontextmanager
async def _client(api: machine.Api, name: str) -> AsyncIterator[D1]:
    async with AsyncCloudflare(api_token=api.running.token, base_url=api.running.api_url) as client:
        yield D1(client, api.running.account_id, await create_database(client, api.running.account_id, name), name)


def _silent(_: str) -> None:
    """Nobody reads the log of a measurement."""
