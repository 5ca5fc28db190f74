"""The body of a request to ``/query``: its statements with their values, as production would split them, or a refusal.

It runs nothing. workerd itself refuses, with D1's own texts, transactions, ATTACH, most PRAGMAs, statements over 100 KB, more than 100
values or columns, and reserved tables. This module refuses what workerd would accept and production would not.
"""

from __future__ import annotations

import functools
import math
from typing import TYPE_CHECKING, Any, NamedTuple

from local_cloud.d1.split_sql import missplit, words
from local_cloud.envelope import BAD_REQUEST, MALFORMED, SQL_ERROR, Refusal

if TYPE_CHECKING:
    from local_cloud.behaviour import Behaviour
    from local_cloud.store import Body

LONGEST_VALUE = 2_000_000
"""Bytes of a string or blob (documented: 2 MB); workerd itself accepts 2.2 MB."""
_LONGEST_KNOWN = 4_000
_OWN_PRAGMA = "MINIFLARE_D1_EXPORT"


class BoundStatement(NamedTuple):
    """One SQL statement and the values of its placeholders."""

    sql: str
    params: list[Any]


def statements_of(body: Body, behaviour: Behaviour) -> list[BoundStatement]:
    """Give the statements of a request's body; refuse a malformed one (7400) and what D1 would not accept (7500)."""
    entries = body.get("batch", [body])
    if not isinstance(entries, list) or not all(isinstance(entry, dict) and isinstance(entry.get("sql"), str) for entry in entries):
        raise _malformed("Error: sql is required")
    statements = [statement for entry in entries for statement in _split(entry["sql"], _values(entry.get("params")), behaviour)]
    if not statements:
        raise _empty()
    return statements


def refuse_foreign(sql: str) -> None:
    """Refuse a statement that only the local cloud's own runtime understands."""
    if _OWN_PRAGMA in words(sql):
        raise Refusal(BAD_REQUEST, SQL_ERROR, "not authorized: SQLITE_AUTH")


def _split(sql: str, params: list[Any], behaviour: Behaviour) -> list[BoundStatement]:
    if not _is_unicode(sql):
        raise _malformed("sql is not valid Unicode")
    parts = _parts_of(sql, behaviour) if len(sql) <= _LONGEST_KNOWN else _parts(sql, behaviour)
    if not parts:
        raise _empty()
    if params and len(parts) > 1:
        raise Refusal(BAD_REQUEST, SQL_ERROR, "Wrong number of parameter bindings for SQL query.: SQLITE_ERROR")
    return [BoundStatement(part, params) for part in parts]


def _parts(sql: str, behaviour: Behaviour) -> tuple[str, ...]:
    """Split a text as production does, and refuse what only the local cloud understands."""
    parts = tuple(missplit(sql, behaviour))
    for part in parts:
        refuse_foreign(part)
    return parts


_parts_of = functools.lru_cache(maxsize=256)(_parts)
"""The same, of the short texts that came last: clients ask each database the same, again and again."""


def _values(given: object) -> list[Any]:
    params = [] if given is None else given
    if not isinstance(params, list) or not all(_is_value(value) for value in params):
        raise _malformed("params must be a list of strings, numbers and nulls")
    if any(isinstance(value, str) and len(value.encode()) > LONGEST_VALUE for value in params):
        raise Refusal(BAD_REQUEST, SQL_ERROR, "string or blob too big: SQLITE_TOOBIG")
    return [int(value) if isinstance(value, bool) else value for value in params]


def _is_value(value: object) -> bool:
    if isinstance(value, str):
        return _is_unicode(value)
    return math.isfinite(value) if isinstance(value, float) else isinstance(value, int | None)


def _is_unicode(text: str) -> bool:
    """Whether a text has no lone surrogates, which JSON can write but no database can store."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _empty() -> Refusal:
    return Refusal(BAD_REQUEST, SQL_ERROR, "No SQL statements detected.")


def _malformed(what: str) -> Refusal:
    return Refusal(BAD_REQUEST, MALFORMED, f"The request is malformed: {what}")
