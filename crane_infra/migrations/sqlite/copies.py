"""Reads an INSERT … SELECT as SQLite resolves it: which column of which table goes into which column, and whether it can give rows at all."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import pairwise
from typing import NamedTuple

import apsw

from crane_infra.migrations.files.tokens import Token, code, unquoted
from crane_infra.migrations.sqlite.engine import FAILURES, STEPS
from crane_infra.migrations.sqlite.tables import Table, Tables

_QUERY = {"SELECT", "VALUES", "WITH"}
_BEFORE_STAR = {"SELECT", "DISTINCT", "ALL", ",", "."}


class Value(NamedTuple):
    """One value that a SELECT gives: what it is called there, and the column and table that it is taken from, empty for a computed one.

    All names are in lower case.
    """

    name: str
    table: str
    column: str


class Copy(NamedTuple):
    """An INSERT … SELECT. ``into`` are the columns that it fills, in lower case, each with the value of the same place in ``values``.

    ``by_position``: the columns are not named on both sides. ``gives_rows``: the SELECT gives a row although the tables here are empty.
    """

    into: tuple[str, ...]
    values: tuple[Value, ...]
    by_position: bool
    gives_rows: bool

    @property
    def pairs(self) -> Iterator[tuple[str, Value]]:
        """Each column that it fills, and what it gets."""
        return zip(self.into, self.values, strict=False)


def copy_in(db: apsw.Connection, statement: str, tables: Tables) -> Copy | None:
    """Read a statement before it runs on a database with these tables; None for one that is no INSERT … SELECT, or that fails."""
    tokens = code(statement) if "SELECT" in statement.upper() else []
    outer = [token for token in tokens if token.depth == 0]
    into = next((index for index, token in enumerate(outer) if token.keyword == "INTO"), 0)
    start = next((index for index, token in enumerate(outer) if index > into and token.keyword in _QUERY), 0)
    if not into or not start or outer[start].keyword == "VALUES":
        return None
    table = tables.get(_target(outer[into + 1 : start]))
    query = _query(statement, outer, into, start)
    values = _values(db, query)
    if table is None or not values:
        return None
    named = _named(tokens, outer[into], outer[start])
    filled = named or tuple(key for key, column in table.columns.items() if not column.generated)
    return Copy(filled, values, not named or _has_star(outer[start:]), _gives_rows(db, query))


def written_rows(statement: str, table: Table) -> tuple[tuple[str, ...], str] | None:
    """The columns (in lower case) that an INSERT fills in a table, and the VALUES or SELECT that gives them; None for DEFAULT VALUES."""
    tokens = code(statement)
    outer = [token for token in tokens if token.depth == 0]
    into = next((index for index, token in enumerate(outer) if token.keyword == "INTO"), 0)
    start = next((index for index, token in enumerate(outer) if index > into and token.keyword in _QUERY), 0)
    if not into or not start or outer[start - 1].keyword == "DEFAULT":
        return None
    named = _named(tokens, outer[into], outer[start])
    filled = named or tuple(key for key, column in table.columns.items() if not column.generated)
    return filled, _query(statement, outer, into, start)


def _target(tokens: Sequence[Token]) -> str:
    has_schema = [token.text for token in tokens[1:2]] == ["."]
    return unquoted(tokens[2 if has_schema else 0].text).lower()


def _query(statement: str, outer: Sequence[Token], into: int, start: int) -> str:
    """The SELECT alone, with the WITH that comes before the INSERT."""
    verb = next(token for token in outer[:into] if token.keyword in {"INSERT", "REPLACE"})
    after = [(token, following) for token, following in pairwise(outer) if token.start > outer[start].start]
    ends = [
        token.start
        for token, following in after
        if (token.keyword, following.keyword) == ("ON", "CONFLICT") or token.keyword == "RETURNING"
    ]
    return f"{statement[: verb.start]} {statement[outer[start].start : min(ends, default=len(statement))]}"


def _named(tokens: Sequence[Token], into: Token, start: Token) -> tuple[str, ...]:
    """The columns in the list between INTO and the SELECT."""
    listed = [token for token in tokens if into.start < token.start < start.start and token.depth == 1]
    return tuple(unquoted(token.text).lower() for token in listed if token.text != ",")


def _has_star(outer: Sequence[Token]) -> bool:
    pairs = pairwise(outer)
    return any(token.text == "*" and (before.keyword or before.text) in _BEFORE_STAR for before, token in pairs)


def _values(db: apsw.Connection, query: str) -> tuple[Value, ...]:
    described: list[tuple[str | None, ...]] = []

    def describe(cursor: apsw.Cursor, _: str, __: object) -> bool:
        described.extend(cursor.description_full)
        return False

    cursor = db.cursor()
    cursor.exec_trace = describe
    with suppress(*FAILURES):
        cursor.execute(query, can_cache=False)
    cursor.close(True)  # noqa: FBT003 - apsw's own
    return tuple(Value(*((text or "").lower() for text in (name, table, column))) for name, _, _, table, column in described)


def _gives_rows(db: apsw.Connection, query: str) -> bool:
    db.set_progress_handler(lambda: True, STEPS)
    try:
        return next(iter(db.execute(query, can_cache=False)), None) is not None
    except FAILURES:
        return True
    finally:
        db.set_progress_handler(None)
