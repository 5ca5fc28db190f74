"""A database in SQLite that answers as D1 does: in JSON, where numbers are doubles and texts are valid Unicode, within D1's limits.

It takes nothing but SELECTs, and says of each call what it was. ``meanwhile`` runs before a call, as somebody else who uses the database.
"""

import json
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import apsw

from crane_infra.d1.database import BoundStatement, Param, Row
from crane_infra.migrations.files.tokens import quoted
from crane_infra.migrations.sqlite.d1 import LIMITS
from crane_infra.migrations.sqlite.engine import rows

LONGEST_STATEMENT = 100_000
LONGEST_VALUE = 2_000_000


@dataclass
class D1Like:
    """A source whose writer is ``db``."""

    path: Path
    meanwhile: Callable[[int], None] = lambda _: None
    calls: list[str] = field(default_factory=list)
    rows_read: int = 0
    name: str = "crane-test"

    def __post_init__(self) -> None:  # noqa: D105
        self.db = apsw.Connection(str(self.path))
        self.db.execute("PRAGMA journal_mode = WAL").fetchall()
        self._reader = apsw.Connection(str(self.path), flags=apsw.SQLITE_OPEN_READONLY)
        for limit, value in LIMITS.items():
            self._reader.limit(limit, value)
        self._reader.limit(apsw.SQLITE_LIMIT_LENGTH, LONGEST_VALUE)
        self._reader.limit(apsw.SQLITE_LIMIT_SQL_LENGTH, LONGEST_STATEMENT)

    async def read(self, sql: str, params: Sequence[Param] = ()) -> list[Row]:
        self._call("read", sql)
        return self._select(sql, params)

    async def select(self, statements: Sequence[BoundStatement]) -> list[list[Row]]:
        self._call("select", statements[0].sql)
        self._reader.execute("BEGIN")
        try:
            return [self._select(sql, params) for sql, params in statements]
        finally:
            self._reader.execute("ROLLBACK")

    async def bookmark(self) -> str:
        self._call("bookmark", "")
        return str(self._reader.data_version())

    def _call(self, kind: str, sql: str) -> None:
        self.meanwhile(len(self.calls))
        self.calls.append(f"{kind} {sql}".strip())

    def _select(self, sql: str, params: Sequence[Param]) -> list[Row]:
        assert sql.startswith("SELECT")
        assert self._reader.readonly("main")
        cursor = self._reader.execute(sql, tuple(params))
        answers = [{name: _in_json(value) for (name, *_), value in zip(cursor.get_description(), row, strict=True)} for row in cursor]
        self.rows_read += len(answers)
        answer: list[Row] = json.loads(json.dumps(answers))
        return answer


def _in_json(value: Any) -> object:  # noqa: ANN401 (SQLite's)
    if isinstance(value, int):
        return int(float(value))
    if isinstance(value, bytes):
        return list(value)
    return value


def dump(path: Path) -> dict[str, list[Any]]:
    """All there is in a database, as SQLite itself writes it: the schema, and of each value its type, its bytes and its digits."""
    objects = "SELECT type, name, tbl_name, sql FROM sqlite_master WHERE name NOT LIKE '%@_%' ESCAPE '@'"
    tables = "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type IN ('table', 'virtual') AND name NOT LIKE 'sqlite_sc%'"
    with closing(apsw.Connection(str(path))) as db:
        return {"": sorted(rows(db, objects))} | {name: _dumped(db, name) for (name,) in rows(db, tables)}


def _dumped(db: apsw.Connection, table: str) -> list[str]:
    columns = rows(db, "SELECT 1 FROM pragma_table_xinfo(?) WHERE hidden <> 1", table)
    cells = [f"x{number}" for number in range(len(columns))]
    shown = ", ".join(f"typeof({x}), hex(CAST({x} AS BLOB)), hex(quote({x})), atan2({x}, -1)" for x in cells)
    query = f"WITH dumped({', '.join(cells)}) AS (SELECT * FROM {quoted(table)}) SELECT {shown} FROM dumped"  # noqa: S608
    return sorted(map(repr, rows(db, query)))
