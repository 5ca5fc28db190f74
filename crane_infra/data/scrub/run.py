"""Makes the scrubbed copy: every table with the rows and values that its rule leaves, then what no longer fits its foreign keys goes.

The source is only read. The result is a new file with the same schema, whose constraints hold; where anything fails there is none.
"""

import hmac
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import apsw

from crane_infra.config.data_rules import Constant, Json, Mask, Sample, Where
from crane_infra.data.scrub.json_paths import JsonMasker
from crane_infra.data.scrub.masks import SHORTEST_KEY, Masker
from crane_infra.data.scrub.prune import prune
from crane_infra.data.scrub.rules import ColumnPlan, Rules, TablePlan, require_rules
from crane_infra.data.scrub.schema import Schema, read_schema
from crane_infra.data.scrub.search import require_nothing_left
from crane_infra.errors import ScrubError
from crane_infra.migrations.files.split import sql_literal
from crane_infra.migrations.files.tokens import quoted
from crane_infra.migrations.own_tables import is_users

_FLAGS = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE | apsw.SQLITE_OPEN_URI
_FAST = ("PRAGMA journal_mode = OFF", "PRAGMA synchronous = OFF")


@dataclass(frozen=True)
class ScrubbedTable:
    """What became of a table: how many rows the source has, and how many the result has; its masked columns."""

    name: str
    rows: int
    kept: int
    masked: tuple[str, ...]


@dataclass(frozen=True)
class ScrubJob:
    """A scrub of the database called ``database``: ``key`` is the secret that all masks depend on."""

    database: str
    rules: Rules = field(repr=False)
    key: str = field(repr=False)

    @property
    def secret(self) -> bytes:
        """The key as bytes. Raises ScrubError where it is too short."""
        if len(self.key) < SHORTEST_KEY:
            what = f"has {len(self.key)} characters, and a key needs {SHORTEST_KEY}"
            raise ScrubError("masking-key", what, "Set a longer one: openssl rand -hex 32 makes one")
        return self.key.encode()


def scrub(source: Path, result: Path, job: ScrubJob) -> tuple[ScrubbedTable, ...]:
    """Write a scrubbed copy of ``source`` to ``result``, which is replaced once the copy is complete.

    Raises ScrubError: a rule is missing or cannot be followed (nothing is read then), a masked value breaks a constraint, or a value of a
    masked column is still in the copy.
    """
    secret, part = job.secret, result.with_name(f"{result.name}.part")
    part.unlink(missing_ok=True)
    try:
        with closing(apsw.Connection(f"{source.absolute().as_uri()}?mode=ro", flags=_FLAGS)) as db:
            schema = read_schema(db)
            plans = require_rules(db, job.database, schema, job.rules)
            _create(db, part, is_table=True)
            db.execute("ATTACH ? AS result", (str(part),))
            for statement in _FAST:
                db.execute(statement.replace("PRAGMA ", "PRAGMA result."))
            for plan in plans:
                _copy(db, plan, job, secret)
            objects = list(_objects(db, schema, is_table=False))
            db.execute("DETACH result")
        tables = _finish(part, job, schema, plans, objects)
        require_nothing_left(source, part, job.database, plans, secret)
        counts = _counts(source, plans)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    part.replace(result)
    return tuple(
        ScrubbedTable(plan.table.name, counts[plan.table.name], tables[plan.table.name], tuple(one.column.name for one in plan.masked))
        for plan in plans
    )


def _create(db: apsw.Connection, part: Path, *, is_table: bool) -> None:
    schema = read_schema(db)
    with closing(apsw.Connection(str(part))) as result:
        for sql in _objects(db, schema, is_table=is_table):
            result.execute(sql)


def _objects(db: apsw.Connection, schema: Schema, *, is_table: bool) -> list[str]:
    """The statements that make the tables with rows of their own, or all other objects."""
    with_rows = {table.name for table in schema.tables}
    shadows = {name for _, name, kind, *_ in db.execute("PRAGMA main.table_list") if kind == "shadow"}
    rows = db.execute(
        "SELECT type, name, tbl_name, sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY type != 'table', type != 'index', type != 'view', rowid"
    )
    return [
        sql
        for kind, name, table, sql in rows
        if name not in shadows and is_users(name) and is_users(table) and (kind == "table" and name in with_rows) == is_table
    ]


def _copy(db: apsw.Connection, plan: TablePlan, job: ScrubJob, secret: bytes) -> None:
    if plan.rule.rows == "none":
        return
    table = plan.table
    expressions = [_expression(db, number, one, secret) for number, one in enumerate(plan.columns)]
    names = [quoted(one.column.name) for one in plan.columns]
    if table.rowid:
        names, expressions = [table.rowid, *names], [table.rowid, *expressions]
    insert = f"INSERT INTO result.{quoted(table.name)} ({', '.join(names)}) SELECT {', '.join(expressions)} FROM main.{quoted(table.name)}"  # noqa: S608
    try:
        db.execute(f"{insert} WHERE {_condition(db, plan, secret)}")
    except apsw.ConstraintError as error:
        raise _broken(job, table.name, error) from None


def _condition(db: apsw.Connection, plan: TablePlan, secret: bytes) -> str:
    rows, table = plan.rule.rows, plan.table
    if isinstance(rows, Where):
        return f"({rows.condition})"
    if not isinstance(rows, Sample):
        return "1"
    below = int(rows.percent / 100 * 2**64)

    def chosen(row: str) -> int:
        return int.from_bytes(hmac.digest(secret, f"crane rows {table.name} {row}".encode("utf-8", "replace"), "sha256")[:8]) < below

    _create_function(db, "crane_chosen", chosen)
    key = [quoted(name) for name in table.key] or [table.rowid or "rowid"]
    return f"crane_chosen({' || '.join(f'quote({name})' for name in key)})"


def _expression(db: apsw.Connection, number: int, plan: ColumnPlan, secret: bytes) -> str:
    name, rule = quoted(plan.column.name), plan.rule
    if rule == "keep":
        return name
    if isinstance(rule, Constant):
        value = sql_literal(rule.value) if isinstance(rule.value, str) else str(rule.value)
        return f"CASE WHEN {name} IS NOT NULL THEN {value} END"
    if isinstance(rule, Json):
        _create_function(db, f"crane_text_{number}", JsonMasker(rule, secret).text)
        return f"CASE typeof({name}) WHEN 'null' THEN NULL WHEN 'text' THEN {_masked_text(number, name)} ELSE 'null' END"
    if isinstance(rule, Mask):
        masker = Masker(rule, secret)
        _create_function(db, f"crane_text_{number}", masker.text)
        _create_function(db, f"crane_other_{number}", _as_text(masker))
        return f"CASE typeof({name}) WHEN 'text' THEN {_masked_text(number, name)} ELSE crane_other_{number}({name}) END"
    return "NULL"


def _create_function(db: apsw.Connection, name: str, function: Callable[..., str | bytes | float | None]) -> None:
    db.create_scalar_function(name, function, 1, deterministic=True)


def _masked_text(number: int, name: str) -> str:
    """A text goes as bytes, since it need not be UTF-8."""
    return f"CAST(crane_text_{number}(CAST({name} AS BLOB)) AS TEXT)"


def _as_text(masker: Masker) -> Callable[[bytes | int | float | None], str | bytes | int | float | None]:
    """The function for values that are no text: where the mask makes a text, SQLite has to get one."""
    makes_text = masker.mask.how in ("email", "name")

    def other(value: bytes | float | None) -> str | bytes | int | float | None:
        masked = masker.other(value)
        return masked.decode() if makes_text and isinstance(masked, bytes) else masked

    return other


def _finish(part: Path, job: ScrubJob, schema: Schema, plans: Sequence[TablePlan], objects: Sequence[str]) -> dict[str, int]:
    """Build indexes, take out rows whose parents are gone, add the other objects, and look whether all constraints hold; returns the rows of each table."""
    with closing(apsw.Connection(str(part))) as db:
        for statement in _FAST:
            db.execute(statement)
        indexes = [sql for sql in objects if sql[:12].upper() in ("CREATE INDEX", "CREATE UNIQU")]
        for sql in indexes:
            try:
                db.execute(sql)
            except apsw.ConstraintError as error:
                raise _broken(job, sql, error) from None
        prune(db, [plan.table for plan in plans])
        for sql in objects:
            if sql not in indexes:
                db.execute(sql)
        for name in schema.indexes:
            if name not in schema.emptied:
                db.execute(f"INSERT INTO {quoted(name)} ({quoted(name)}) VALUES ('rebuild')")  # noqa: S608
        for name, *_ in db.execute("PRAGMA foreign_key_check"):
            raise ScrubError(
                f"database {job.database}, table {name}", "has rows that refer to rows which do not exist", "Correct its rules"
            )
        if (state := [text for (text,) in db.execute("PRAGMA integrity_check")]) != ["ok"]:
            raise ScrubError(f"database {job.database}", f"the scrubbed copy breaks its constraints: {state[0]}", "Correct its rules")
        return _count(db, plans)


def _broken(job: ScrubJob, where: str, error: apsw.ConstraintError) -> ScrubError:
    """SQLite names tables, columns and conditions, never a value."""
    what = f"a masked value breaks a constraint ({error})"
    return ScrubError(f"database {job.database}, table {where}", what, "Give the column a rule whose values fit: keep, token or a constant")


def _counts(source: Path, plans: Sequence[TablePlan]) -> dict[str, int]:
    with closing(apsw.Connection(f"{source.absolute().as_uri()}?mode=ro", flags=_FLAGS)) as db:
        return _count(db, plans)


def _count(db: apsw.Connection, plans: Sequence[TablePlan]) -> dict[str, int]:
    return {plan.table.name: int(str(db.execute(f"SELECT COUNT(*) FROM {quoted(plan.table.name)}").get)) for plan in plans}  # noqa: S608
