"""Which rows stand in the way of a statement that a constraint refuses: counted by trying the statement in a way that leaves them out.

Inside of the transaction that failed, before it is rolled back.
"""

# ruff: noqa: S608 - names are quoted, statements are those of a migration

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import apsw

from crane_infra.data.differences import MOST_KEYS, Key
from crane_infra.migrations.files.tokens import Token, code, quoted, unquoted
from crane_infra.migrations.sqlite.engine import FAILURES, rows

_REPLACED = ("INSERT", "REPLACE")


@dataclass(frozen=True)
class Violation:
    """Rows of a table that violate what is new, and what that is. ``keys`` are the first of them."""

    table: str
    rows: int
    what: str
    keys: tuple[Key, ...] = ()


def violations_of(db: apsw.Connection, statement: str, message: str, before: Counter[tuple[str, str]], *, keys: bool) -> list[Violation]:
    """The rows that a refused statement is about; none where they cannot be told. ``before`` are the broken references at the start."""
    with _undone(db), suppress(*FAILURES):
        if "FOREIGN KEY" in message:
            db.execute("PRAGMA defer_foreign_keys = ON").fetchall()
            if statement:
                db.execute(statement, can_cache=False).fetchall()
            return broken_references(db, before, keys=keys)
        if "constraint failed" in message:
            return _doubles(db, statement, keys=keys) or _left_out(db, statement, message)
    return []


def references(db: apsw.Connection) -> Counter[tuple[str, str]]:
    """How many rows of each table refer to a row of another one that is not there."""
    return Counter((table, parent) for table, _, parent, _ in rows(db, "PRAGMA foreign_key_check"))


def broken_references(db: apsw.Connection, before: Counter[tuple[str, str]], *, keys: bool) -> list[Violation]:
    """The references that are broken now and were not before."""
    broken, first = Counter[tuple[str, str]](), dict[tuple[str, str], list[Key]]()
    for table, rowid, parent, _ in db.execute("PRAGMA foreign_key_check"):
        broken[str(table), str(parent)] += 1
        if keys and len(known := first.setdefault((str(table), str(parent)), [])) < MOST_KEYS:
            known.append((rowid,))
    return [
        Violation(
            table, count - before[table, parent], f"refer to a row of {parent} that is not there", tuple(first.get((table, parent), ()))
        )
        for (table, parent), count in broken.items()
        if count > before[table, parent]
    ]


def _doubles(db: apsw.Connection, statement: str, *, keys: bool) -> list[Violation]:
    """The rows of a table that have the same values where a new index allows them once."""
    tokens = code(statement)
    words = [token.keyword for token in tokens]
    if words[:3] != ["CREATE", "UNIQUE", "INDEX"] or "ON" not in words:
        return []
    on = words.index("ON")
    table, opened = unquoted(tokens[on + 1].text), tokens[on + 2]
    closed = next(token for token in tokens[on + 3 :] if token.text == ")" and token.depth == opened.depth)
    terms = _terms([token for token in tokens[on + 3 :] if token.start < closed.start], statement, closed.start)
    condition = statement[closed.start + 1 :].strip().rstrip(";") or "WHERE 1"
    filled = " AND ".join(f"({term}) IS NOT NULL" for term in terms)
    source = f"FROM {quoted(table)} {condition} AND {filled}"
    same = f"SELECT {', '.join(terms)} {source} GROUP BY {', '.join(terms)} HAVING COUNT(*) > 1"
    ((count,),) = rows(
        db, f"SELECT COALESCE(SUM(times), 0) FROM (SELECT COUNT(*) AS times {source} GROUP BY {', '.join(terms)} HAVING times > 1)"
    )
    shown = tuple(rows(db, f"SELECT rowid {source} AND ({', '.join(terms)}) IN ({same}) LIMIT {MOST_KEYS}")) if keys else ()
    return [Violation(table, int(count), "have a value that another row has too", shown)] if count else []


def _terms(tokens: Sequence[Token], statement: str, end: int) -> list[str]:
    """The expressions of an index, without their order."""
    depth = min(token.depth for token in tokens)
    starts = [tokens[0].start, *(token.start + 1 for token in tokens if token.text == "," and token.depth == depth)]
    ends = [*(start - 1 for start in starts[1:]), end]
    texts = [statement[start:stop].strip() for start, stop in zip(starts, ends, strict=True)]
    return [text.rsplit(maxsplit=1)[0] if text.upper().split()[-1] in {"ASC", "DESC"} else text for text in texts]


def _left_out(db: apsw.Connection, statement: str, message: str) -> list[Violation]:
    """How many rows an INSERT … SELECT cannot put into its table, because of what the table demands."""
    tokens = code(statement)
    verb = next((token for token in tokens if token.depth == 0 and token.keyword in _REPLACED), None)
    into = next((token for token in tokens if token.depth == 0 and token.keyword == "INTO"), None)
    select = next(
        (token for token in tokens if token.depth == 0 and token.keyword in {"SELECT", "WITH"} and into and token.start > into.start), None
    )
    if verb is None or into is None or select is None:
        return []
    ((offered,),) = rows(db, f"SELECT COUNT(*) FROM ({statement[select.start :].rstrip().rstrip(';')})")
    changes = db.total_changes()
    db.execute(f"{statement[: verb.start]}INSERT OR IGNORE {statement[into.start :]}", can_cache=False).fetchall()
    refused = int(offered) - (db.total_changes() - changes)
    table = message.partition("failed: ")[2].partition(".")[0].strip()
    kind = message.partition(" constraint")[0]
    return [Violation(table or unquoted(tokens[tokens.index(into) + 1].text), refused, f"do not meet {kind}")] if refused > 0 else []


@contextmanager
def _undone(db: apsw.Connection) -> Iterator[None]:
    """Try something, and take it back."""
    db.execute("SAVEPOINT _cf_crane_tried")
    try:
        yield
    finally:
        db.execute("ROLLBACK TO _cf_crane_tried")
        db.execute("RELEASE _cf_crane_tried")
