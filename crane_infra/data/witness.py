"""Watches what the requests of a run do to a copy, and writes it down file by file: rows, objects, time, scans, violations."""

# ruff: noqa: S608 - names are quoted

import shutil
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from urllib.parse import quote

import apsw

from crane_infra.d1.database import BoundStatement
from crane_infra.data.differences import WAS, TableChange, by_key, differences, objects_of
from crane_infra.data.local_d1 import runnable
from crane_infra.data.shapes import shapes_of
from crane_infra.data.violations import Violation, references, violations_of
from crane_infra.migrations.files.read import MigrationFile
from crane_infra.migrations.files.split import without_semicolons_in_comments
from crane_infra.migrations.files.tokens import code, quoted, unquoted
from crane_infra.migrations.own_tables import is_users
from crane_infra.migrations.requests import loss_in
from crane_infra.migrations.sqlite.engine import FAILURES, rows
from crane_infra.migrations.sqlite.events import Event, watched

_BEFORE = "_cf_crane_before"
_WRITES = {apsw.SQLITE_INSERT, apsw.SQLITE_UPDATE, apsw.SQLITE_DELETE}
_DATA = {"INSERT", "REPLACE", "UPDATE", "DELETE", "WITH", "SELECT"}


@dataclass(frozen=True)
class StatementReport:
    """What one statement of a file did. ``scans`` are the steps of its query plan that read a whole table, with the rows of those that are known."""

    number: int
    seconds: float
    changes: int
    scans: tuple[tuple[str, int | None], ...] = ()
    overwritten: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class FileReport:
    """What one file did, or would have done: ``failure`` is D1's message where it would be refused, in statement ``failed`` if it is one of the file."""

    name: str
    seconds: float
    tables: tuple[TableChange, ...] = ()
    gone: tuple[str, ...] = ()
    statements: tuple[StatementReport, ...] = ()
    violations: tuple[Violation, ...] = ()
    failure: str = ""
    failed: int | None = None


class Witness:
    """The observer of a rehearsal. ``beside`` is where it keeps the state before each file."""

    def __init__(self, db: apsw.Connection, files: Sequence[MigrationFile], beside: Path, *, keys: bool) -> None:
        self.reports: list[FileReport] = []
        self._db, self._files, self._beside, self._keys = db, {file.name: file for file in files}, beside, keys
        self._file: MigrationFile | None = None
        self._began = self._statement_began = 0.0
        self._changes = 0
        self._broken, self._objects = references(db), objects_of(db)
        self._statements: list[StatementReport] = []
        self._renamed: dict[str, str] = {}
        self._watched: dict[str, str] = {}
        self._scans: tuple[tuple[str, int | None], ...] = ()

    def request(self, statements: Sequence[BoundStatement]) -> None:
        """Remember the state before the file that a request applies, if it applies one."""
        self._file = self._file_of(statements)
        if self._file:
            shutil.copyfile(self._db.filename, self._beside)
            self._broken, self._objects = references(self._db), objects_of(self._db)
            self._statements, self._renamed, self._began = [], {}, time.monotonic()

    def before(self, statement: BoundStatement) -> None:
        """Ask for the query plan, and remember rows that may be overwritten."""
        if self._number(statement) is None:
            return
        self._scans = self._scans_of(statement.sql)
        self._watched = self._remembered(statement.sql)
        self._changes, self._statement_began = self._db.total_changes(), time.monotonic()

    def after(self, statement: BoundStatement) -> None:
        """Write down what the statement did."""
        number = self._number(statement)
        if number is None:
            return
        seconds = time.monotonic() - self._statement_began
        overwritten = {name: count for name, temporary in self._watched.items() if (count := self._overwritten(name, temporary))}
        self._forget()
        self._follow_rename(statement.sql)
        report = StatementReport(number, seconds, self._db.total_changes() - self._changes, self._scans, overwritten)
        self._statements.append(report)

    def failed(self, statement: BoundStatement | None, message: str) -> None:
        """Write down what stands in the way, and what was done until then."""
        self._forget()
        if self._file:
            sql = statement.sql if statement else ""
            number = self._number(statement) if statement else None
            if number:
                self._statements.append(StatementReport(number, time.monotonic() - self._statement_began, 0, self._scans))
            violations = violations_of(self._db, runnable(sql), message, self._broken, keys=self._keys)
            lost = loss_in(message)
            failure = f"it would lose {lost} without declaring it" if lost else message
            self._report(violations=tuple(violations), failure=failure, failed=number)

    def done(self) -> None:
        """Write down what the file did."""
        if self._file:
            self._report()

    def _report(self, **more: object) -> None:
        file, self._file = self._file, None
        if file is None:
            return
        seconds = time.monotonic() - self._began
        tables = self._differences()
        gone = tuple(
            " ".join(each) for each in sorted(self._objects - objects_of(self._db)) if each[1].lower() not in self._renamed.values()
        )
        report = FileReport(file.name, seconds, tables, gone, tuple(self._statements))
        self.reports.append(replace(report, **more))  # type: ignore[arg-type]

    def _differences(self) -> tuple[TableChange, ...]:
        self._db.execute(f"ATTACH ? AS {WAS}", (f"file:{quote(str(self._beside))}?mode=ro&immutable=1",))
        try:
            changes = differences(self._db, self._renamed, keys=self._keys)
        finally:
            self.detach()
        overwritten = dict[str, int]()
        for each in self._statements:
            for table, count in each.overwritten.items():
                overwritten[table] = overwritten.get(table, 0) + count
        return tuple(_with_overwritten(change, overwritten.get(change.table.lower(), 0)) for change in changes)

    def detach(self) -> None:
        """Let go of the state before; nothing happens inside of a transaction, which has to end first."""
        with suppress(apsw.SQLError):
            self._db.execute(f"DETACH {WAS}")

    def _file_of(self, statements: Sequence[BoundStatement]) -> MigrationFile | None:
        """The file that a request claims: its first statement names it, bound or written out."""
        first = statements[0]
        names = [name for name in self._files if name in first.params or f"'{name}'".replace("''", "'") in first.sql]
        return self._files[names[0]] if names and "started_at" in first.sql else None

    def _number(self, statement: BoundStatement) -> int | None:
        """The number of a statement in its file; None for one of ours."""
        if self._file is None or statement.params:
            return None
        forms = [{sql, without_semicolons_in_comments(sql)} for sql in self._file.statements]
        return next((number for number, same in enumerate(forms, 1) if number > len(self._statements) and statement.sql in same), None)

    def _scans_of(self, sql: str) -> tuple[tuple[str, int | None], ...]:
        if code(sql)[0].keyword not in _DATA:
            return ()
        try:
            plan = [str(row[-1]) for row in self._db.execute(f"EXPLAIN QUERY PLAN {runnable(sql)}", can_cache=False)]
        except FAILURES:
            return ()
        return tuple((step, self._rows_of(step.split()[1])) for step in plan if _reads_a_table(step))

    def _rows_of(self, table: str) -> int | None:
        """The rows of a table; None for an alias."""
        with suppress(apsw.SQLError):
            return int(rows(self._db, f"SELECT COUNT(*) FROM {quoted(table)}")[0][0])
        return None

    def _remembered(self, sql: str) -> dict[str, str]:
        """Copies of the tables that a statement may write over, by name."""
        if not _may_overwrite(self._db, sql):
            return {}
        events: list[Event] = []
        try:
            with watched(self._db, events):
                self._db.execute(f"EXPLAIN {runnable(sql)}", can_cache=False).close()
        except FAILURES:
            return {}
        names = sorted({event.table for event in events if event.action in _WRITES and not event.within and is_users(event.table)})
        temporary = {name: f"{_BEFORE}_{number}" for number, name in enumerate(names)}
        for name, copy in temporary.items():
            self._db.execute(f"CREATE TEMP TABLE {copy} AS SELECT * FROM main.{quoted(name)}")
        return temporary

    def _overwritten(self, name: str, temporary: str) -> int:
        """How many rows that a table had before a statement are gone or different after it."""
        shape = next(shape for shape in shapes_of(self._db, "copy") if shape.name.lower() == name)
        key = [quoted(column) for (column,) in rows(self._db, "SELECT name FROM pragma_table_info(?) WHERE pk > 0 ORDER BY pk", name)]
        columns = [quoted(column) for (column,) in rows(self._db, "SELECT name FROM pragma_table_xinfo(?) WHERE hidden <> 1", name)]
        if not key:
            return 0
        self._db.execute(f"CREATE INDEX temp.{temporary}_key ON {temporary} ({', '.join(key)})")
        change = by_key(self._db, name, (f"main.{shape.sql}", f"temp.{temporary}"), key, columns, (0, 0), keys=False)
        return change.changed + change.deleted

    def _forget(self) -> None:
        for copy in self._watched.values():
            self._db.execute(f"DROP TABLE IF EXISTS temp.{copy}")
        self._watched = {}

    def _follow_rename(self, sql: str) -> None:
        """Remember under which name a table stood at the start of the file."""
        tokens = code(sql)
        if [token.keyword for token in tokens[:2]] != ["ALTER", "TABLE"]:
            return
        words = [token.keyword for token in tokens]
        if ("RENAME", "TO") in pairwise(words):
            old, new = unquoted(tokens[2].text).lower(), unquoted(tokens[-1].text).lower()
            existed = {name.lower() for kind, name in self._objects if kind == "table"}
            if new not in existed and (origin := self._renamed.pop(old, old)) in existed:
                self._renamed[new] = origin


def _reads_a_table(step: str) -> bool:
    """Whether a step of a query plan reads a whole table, and not rows that stand in the statement."""
    return step.startswith("SCAN ") and not step.endswith(("CONSTANT ROW", "VALUES CLAUSE"))


def _with_overwritten(change: TableChange, overwritten: int) -> TableChange:
    """Rows that an INSERT wrote over count as such, not as changed or deleted."""
    changed = max(0, change.changed - overwritten)
    deleted = max(0, change.deleted - max(0, overwritten - change.changed))
    return replace(change, overwritten=min(overwritten, change.changed + change.deleted), changed=changed, deleted=deleted)


def _may_overwrite(db: apsw.Connection, sql: str) -> bool:
    words = [token.keyword for token in code(sql) if token.depth == 0]
    if not {"INSERT", "REPLACE", "UPDATE"} & set(words):
        return False
    if "REPLACE" in words or ("DO", "UPDATE") in pairwise(words):
        return True
    return bool(rows(db, "SELECT 1 FROM sqlite_master WHERE type = 'table' AND upper(sql) LIKE '%CONFLICT REPLACE%'"))
