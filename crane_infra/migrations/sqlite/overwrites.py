"""Finds statements that write over rows which exist: REPLACE, ON CONFLICT … DO UPDATE, and plain writes to a table that resolves conflicts so."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

from crane_infra.migrations.files.tokens import Token, code, unquoted
from crane_infra.migrations.sqlite.statement_effect import Effect
from crane_infra.migrations.sqlite.tables import Table

Overwriting = Literal["replace", "upsert"]
VERBS = {"INSERT", "REPLACE", "UPDATE"}


def overwriting(effect: Effect) -> Overwriting | None:
    """How a statement writes over rows whose key or unique value it repeats; None where it does not."""
    tables = [effect.before[name] for name in effect.targets if name in effect.before]
    if effect.verb not in {"insert", "update"}:
        return None
    write = from_verb(code(effect.sql))
    updated = frozenset(column for _, column in effect.updates) if effect.verb == "update" else None
    tables = [table for table in tables if repeats_keys(table, write, updated)]
    if not tables:
        return None
    if clause_of(write) == "REPLACE":
        return "replace"
    if effect.verb == "insert" and ("DO", "UPDATE") in pairwise(token.keyword for token in write if token.depth == 0):
        return "upsert"
    return "replace" if any(table.replaces for table in tables) and not clause_of(write) else None


def from_verb(tokens: Sequence[Token]) -> list[Token]:
    """A statement from its INSERT, REPLACE or UPDATE on."""
    verb = next((index for index, token in enumerate(tokens) if token.depth == 0 and token.keyword in VERBS), len(tokens))
    return list(tokens[verb:])


def clause_of(write: Sequence[Token]) -> str:
    """How a write resolves conflicts: REPLACE, IGNORE, ABORT …; empty where it does not say."""
    words = [token.keyword for token in write[:3]]
    if words[:1] == ["REPLACE"]:
        return "REPLACE"
    return words[2] if words[1:2] == ["OR"] and len(words) > 2 else ""  # noqa: PLR2004 - UPDATE OR REPLACE


def repeats_keys(table: Table, write: Sequence[Token], updated: frozenset[str] | None = None) -> bool:
    """Whether a write may repeat a key of a table: it gives values for one, or changes a part of one (``updated``: the columns of an UPDATE)."""
    if table.kind == "virtual":
        return True
    given = _listed(write)
    if updated is not None:
        return any(key.columns & updated or key.expressions or key.conditions for key in table.unique)
    return any(given is None or key.columns <= given or key.expressions for key in table.unique)


def _listed(write: Sequence[Token]) -> frozenset[str] | None:
    """The columns to which an INSERT gives values, in lower case; None where it names none."""
    opening = next((index for index, token in enumerate(write) if token.text == "(" or token.keyword in {"VALUES", "SELECT", "WITH"}), None)
    if opening is None or write[opening].text != "(":
        return None
    closing = next(
        index for index in range(opening + 1, len(write)) if write[index].text == ")" and write[index].depth == write[opening].depth
    )
    return frozenset(unquoted(token.text).lower() for token in write[opening + 1 : closing] if token.text != ",")
