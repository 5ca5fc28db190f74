"""The one SQLite of this package. apsw brings it along, so that every machine judges alike, whatever its Python was built with.

The version is pinned: docs/decisions/0030-one-sqlite.md says why it is this one. Databases are empty, in memory, and gone once closed.
"""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import takewhile
from typing import Any

import apsw

from crane_infra.migrations.files.tokens import Token, code

VERSION = apsw.sqlite_lib_version()
"""Of SQLite, as help texts and the docs name it."""
FAILURES = (apsw.Error, ValueError)
"""How SQLite refuses a statement: apsw raises ValueError for text that SQLite cannot read, such as a NUL."""
STEPS = 1_000_000
"""Of SQLite's virtual machine, after which a statement that never ends is stopped."""
EXPLAIN = "EXPLAIN "
"""What compiles a statement and does not run it."""
_CHANGES = {"DELETE", "UPDATE"}
_VERBS = _CHANGES | {"INSERT", "REPLACE", "SELECT"}
_TAIL = {"ORDER", "LIMIT"}
_AFTER_TARGET = _TAIL | {"SET", "WHERE", "RETURNING"}


@contextmanager
def empty_database() -> Iterator[apsw.Connection]:
    """Open an empty database in memory, and close it at the end."""
    with closing(apsw.Connection(":memory:")) as db:
        db.config(apsw.SQLITE_DBCONFIG_DEFENSIVE, 1)
        yield db


def rows(db: apsw.Connection, query: str, *values: str) -> list[tuple[Any, ...]]:
    """All rows of a query of ours."""
    return list(db.execute(query, values))


def execute(db: apsw.Connection, statement: str) -> None:
    """Run one statement of a user to its end; raises one of FAILURES."""
    body, tail_check = split_limit(statement)
    if tail_check:
        db.execute(EXPLAIN + tail_check, can_cache=False).close()
    # Only around statements of a user: SQLite counts the steps of a query of ours from one use to the next.
    db.set_progress_handler(lambda: True, STEPS)
    try:
        for _ in db.execute(body, can_cache=False):
            pass
    finally:
        db.set_progress_handler(None)


def compile_only(db: apsw.Connection, statement: str) -> None:
    """Compile one statement of a user without running it; raises one of FAILURES."""
    for part in filter(None, split_limit(statement)):
        db.execute(EXPLAIN + part, can_cache=False).close()


def count_steps(db: apsw.Connection, statement: str) -> int:
    """The number of steps that a statement compiles to; raises one of FAILURES."""
    return sum(1 for _ in db.execute(EXPLAIN + split_limit(statement)[0], can_cache=False))


def split_limit(statement: str) -> tuple[str, str]:
    """Split ``DELETE … ORDER BY … LIMIT`` into the part that this SQLite knows and a SELECT with the rest; the SELECT is empty without one.

    D1's SQLite takes ORDER BY and LIMIT in DELETE and UPDATE, which apsw's is built without.
    """
    outer = [token for token in code(statement) if token.depth == 0] if "LIMIT" in statement.upper() else []
    verb = next((token for token in outer if token.keyword in _VERBS), None)
    tail = next((token for token in outer if token.keyword in _TAIL), None)
    if verb is None or tail is None or verb.keyword not in _CHANGES:
        return statement, ""
    return statement[: tail.start], f"SELECT * FROM {_target(statement, outer, verb)} {statement[tail.start :]}"  # noqa: S608 - only compiled


def target_of(statement: str) -> str:
    """The table of a DELETE or UPDATE as it is written, with its alias."""
    outer = [token for token in code(statement) if token.depth == 0]
    verb = next((token for token in outer if token.keyword in _CHANGES), None)
    return _target(statement, outer, verb) if verb else ""


def _target(statement: str, outer: list[Token], verb: Token) -> str:
    """The table of a DELETE or UPDATE as it is written, with its alias."""
    after = [token for token in outer if token.start > verb.start]
    words = [token.keyword for token in after]
    skipped = {"FROM": 1, "OR": 2}.get(words[0] if words else "", 0)
    named = list(takewhile(lambda token: token.keyword not in _AFTER_TARGET, after[skipped:]))
    return statement[named[0].start : named[-1].start + len(named[-1].text)] if named else ""
