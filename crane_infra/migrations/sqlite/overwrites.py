"""Finds statements that write over rows which exist: REPLACE, ON CONFLICT … DO UPDATE, and plain writes to a table that resolves conflicts so."""

from itertools import pairwise
from typing import Literal

from crane_infra.migrations.files.tokens import code
from crane_infra.migrations.sqlite.statement_effect import Effect
from crane_infra.migrations.sqlite.tables import Table

Overwriting = Literal["replace", "upsert"]
_VERBS = {"INSERT", "REPLACE", "UPDATE"}


def overwriting(effect: Effect) -> Overwriting | None:
    """How a statement writes over rows whose key or unique value it repeats; None where it does not."""
    tables = [effect.before[name] for name in effect.targets if name in effect.before]
    if effect.verb not in {"insert", "update"} or not any(map(_has_keys, tables)):
        return None
    keywords = [token.keyword for token in code(effect.sql) if token.depth == 0]
    verb = next((index for index, keyword in enumerate(keywords) if keyword in _VERBS), len(keywords))
    if keywords[verb : verb + 1] == ["REPLACE"] or keywords[verb + 1 : verb + 3] == ["OR", "REPLACE"]:
        return "replace"
    if effect.verb == "insert" and ("DO", "UPDATE") in pairwise(keywords):
        return "upsert"
    return "replace" if any(table.replaces for table in tables) and keywords[verb + 1 : verb + 2] != ["OR"] else None


def _has_keys(table: Table) -> bool:
    return table.kind == "virtual" or bool(table.unique)
