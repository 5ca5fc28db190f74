"""Whatever rows production holds get to staging as they are where a rule keeps them: through the copy, the scrub and the import, to the last byte."""

import asyncio
import tempfile
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import apsw
from hypothesis import HealthCheck, given, settings

from crane_infra.config.data_rules import TableRule
from crane_infra.data.copy import copy_database
from crane_infra.data.refresh.sql import replacing_statements
from crane_infra.data.scrub.run import ScrubJob, scrub
from crane_infra.data.scrub.schema import read_schema
from crane_infra.migrations.sqlite.d1 import LIMITS
from crane_infra.migrations.sqlite.engine import rows
from tests.data.any_database import EXAMPLES, AnyTable, databases, fill
from tests.data.d1_like import LONGEST_STATEMENT, LONGEST_VALUE, D1Like, dump
from tests.data.scrub.files import KEY
from tests.data.test_copy import EVERYTHING

WRITES_ELSEWHERE = (
    "CREATE TRIGGER keeps AFTER DELETE ON tree BEGIN INSERT INTO log VALUES ('gone', old.id); UPDATE docs SET body = 'late'; END;"
)


def keeping_all(path: Path) -> dict[str, TableRule]:
    """Rules that keep every value."""
    with closing(apsw.Connection(str(path))) as db:
        tables = read_schema(db).tables
    return {table.name: TableRule(columns={column.name: "keep" for column in table.columns if not column.is_generated}) for table in tables}


def refreshed(source: D1Like, target: Path, folder: Path) -> None:
    """Give a database the rows of another one with the same schema, as a refresh does and as D1 runs its import."""
    copied = asyncio.run(copy_database(source, folder / "copy.sqlite"))
    tables = scrub(copied.path, folder / "scrubbed.sqlite", ScrubJob("shop", keeping_all(copied.path), KEY))
    assert [table.rows for table in tables] == [table.kept for table in tables]
    with closing(apsw.Connection(str(target))) as db:
        for limit, value in {**LIMITS, apsw.SQLITE_LIMIT_LENGTH: LONGEST_VALUE, apsw.SQLITE_LIMIT_SQL_LENGTH: LONGEST_STATEMENT}.items():
            db.limit(limit, value)
        triggers = [(str(name), str(sql)) for name, sql in rows(db, "SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'")]
        statements = list(replacing_statements(folder / "scrubbed.sqlite", triggers, [], []))
        db.execute("PRAGMA foreign_keys = ON")
        with db:
            for statement in statements:
                db.execute(statement).fetchall()


def content(path: Path) -> dict[str, list[Any]]:
    """All of a database but the next numbers of AUTOINCREMENT: those that staging has given stay given."""
    return {name: listed for name, listed in dump(path).items() if name != "sqlite_sequence"}


def test_everything_that_a_database_may_hold(tmp_path: Path) -> None:
    source, target = D1Like(tmp_path / "source.sqlite"), tmp_path / "target.sqlite"
    source.db.execute(EVERYTHING + WRITES_ELSEWHERE)
    with closing(apsw.Connection(str(target))) as db:
        db.execute(EVERYTHING + WRITES_ELSEWHERE)
        db.execute("UPDATE users SET note = 'old'; DELETE FROM plain WHERE a = 1; INSERT INTO docs VALUES (7, 'of', 'staging')")
    refreshed(source, target, tmp_path)
    assert content(target) == content(tmp_path / "source.sqlite")
    assert content(target)["plain"]
    with closing(apsw.Connection(str(target))) as db:
        assert rows(db, "SELECT rowid FROM found('apples') ORDER BY 1") == [(5,), (6,)]
        assert rows(db, "SELECT rowid FROM found('staging')") == []
        assert rows(db, "PRAGMA foreign_key_check") == []
        assert rows(db, "PRAGMA integrity_check") == [("ok",)]


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(databases())
def test_any_database(tables: list[AnyTable]) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source, target = D1Like(folder / "source.sqlite"), folder / "target.sqlite"
        fill(source.db, tables)
        with closing(apsw.Connection(str(target))) as db:
            fill(db, [replace(table, rows=table.rows[1:]) for table in tables])
        refreshed(source, target, folder)
        assert content(target) == content(folder / "source.sqlite")
