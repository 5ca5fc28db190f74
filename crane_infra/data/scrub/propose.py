"""Proposes rules from a schema, as lines of the catalog, and names the columns that look personal by their names (pure).

A proposal is a start: a column that no pattern knows is hashed or left NULL, never kept, unless its type or name says that it holds
numbers, times or states.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from crane_infra.config.data_rules import How
from crane_infra.data.scrub.schema import Column, Schema, Table

_PERSONAL: tuple[tuple[str, How, str], ...] = (
    (r"e_?mail", "email", "an e-mail address"),
    (r"(first|last|full|family|given|user|display|nick|maiden)_?names?|^names?$|login|handle", "name", "a name"),
    (r"pass(word|wd|phrase)?|secret|token|api_?key|credential|session|cookie|signature|otp|pin$", "token", "a secret"),
    (r"phone|mobile|fax|iban|bic|card|account_no|ssn|passport|tax_id|vat|licen[cs]e", "token", "a number of a person"),
    (r"address|street|city|zip|postal|postcode|latitude|longitude|\blat$|\blon$|\blng$|location", "hash", "a place"),
    (r"birth|\bdob$|gender|religion|nationality|salary|diagnosis", "hash", "a property of a person"),
    (r"\bip\b|ip_?addr|user_?agent|host|device|fingerprint|mac_?addr", "hash", "a device"),
    (r"note|comment|message|body|text|description|subject|title|content|bio|summary|reason|query|url|avatar|photo", "hash", "free text"),
)
_JSON = re.compile(r"json|payload|metadata|\bmeta$|profile|attributes|properties|settings|data$", re.IGNORECASE)
_TIME = re.compile(r"(^|_)(at|on|date|time|timestamp|created|updated|deleted|expires|since|until)$", re.IGNORECASE)
_STATE = re.compile(
    r"^(is|has|can)_|status|state$|kind$|type$|level$|count$|version|enabled|currency|locale|language|position", re.IGNORECASE
)
_NUMBERS = re.compile(r"INT|REAL|FLOA|DOUB|NUM|DEC|BOOL", re.IGNORECASE)


@dataclass(frozen=True)
class Proposal:
    """The rule that is proposed for a column; ``looks_like`` is what it seems to hold, empty where it looks harmless."""

    table: str
    column: str
    rule: str
    looks_like: str = ""


def proposals(schema: Schema) -> Iterator[Proposal]:
    """A proposal for each column that needs a rule."""
    for table in schema.tables:
        known = [reference for reference in table.references if schema.table(reference.parent)]
        referring = {name.lower() for reference in known for name in reference.columns}
        for column in table.columns:
            if not column.is_generated and column.name.lower() not in referring:
                yield _proposal(table, column)


def catalog_lines(schema: Schema) -> Iterator[str]:
    """The lines of the catalog that hold the proposed rules."""
    proposed = list(proposals(schema))
    yield "staging_rows={"
    for table in schema.tables:
        yield f'    "{table.name}": TableRule('
        yield "        columns={"
        for each in proposed:
            if each.table == table.name:
                yield f'            "{each.column}": {each.rule},{f"  # looks like {each.looks_like}" if each.looks_like else ""}'
        yield "        }"
        yield "    ),"
    yield "},"


def _proposal(table: Table, column: Column) -> Proposal:
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", column.name).lower()
    spaced = words.replace("_", " ")
    is_number = bool(_NUMBERS.search(column.type))
    if _JSON.search(words) and not is_number:
        return Proposal(table.name, column.name, "Json()", "JSON; name the paths that may stay")
    if _TIME.search(words) or _STATE.search(words):
        return Proposal(table.name, column.name, '"keep"')
    for pattern, how, looks_like in _PERSONAL:
        if re.search(pattern, words) or re.search(pattern, spaced):
            return Proposal(table.name, column.name, f'"{_fitting(table, column, how)}"', looks_like)
    if is_number:
        return Proposal(table.name, column.name, '"keep"')
    return Proposal(table.name, column.name, '"hash"')


def _fitting(table: Table, column: Column, how: How) -> How:
    """The proposed mask, or one that fits a column of numbers or a full-text table."""
    if _NUMBERS.search(column.type):
        return "hash"
    is_free = how == "hash" and not column.is_required and not column.key and table.module is None
    in_unique = any(column.name in unique for unique in table.unique)
    return "null" if is_free and not in_unique else how
