"""Compares what a CREATE … IF NOT EXISTS says with what is there under the same name, so that SQLite does nothing."""

from collections.abc import Iterator, Sequence

import apsw

from crane_infra.migrations.files.tokens import Token, code, normal, unquoted
from crane_infra.migrations.sqlite.engine import FAILURES, empty_database, execute, rows
from crane_infra.migrations.sqlite.tables import Table, read_table

_FIND = "SELECT type, sql FROM sqlite_master WHERE name = ? COLLATE NOCASE AND sql IS NOT NULL"
_KINDS = {"TABLE", "INDEX", "TRIGGER", "VIEW"}
_CONDITION = ["IF", "NOT", "EXISTS"]


def difference_from(db: apsw.Connection, statement: str) -> str:
    """What a statement says and what is there does not have; empty where it creates something, or says nothing else."""
    tokens = code(statement) if "EXISTS" in statement.upper() else []
    start = next((index for index in range(min(len(tokens), 5)) if [token.keyword for token in tokens[index : index + 3]] == _CONDITION), 0)
    if not start or tokens[0].keyword != "CREATE" or len(tokens) < start + 4:
        return ""
    kind = next((token.keyword.lower() for token in tokens[:start] if token.keyword in _KINDS), "")
    name = _name(tokens[start + 3 :])
    present = next(iter(rows(db, _FIND, name)), None)
    if present is None:
        return ""
    if present[0] != kind:
        return f"{name} is a {present[0]} there"
    if kind == "table" and "VIRTUAL" not in {token.keyword for token in tokens[:start]}:
        return _difference_of_tables(statement, read_table(db, name))
    return (
        ""
        if _body(tokens, name) == _body(code(present[1]), name)
        else f"the {kind} {name} that is there is another one: {_shown(present[1])}"
    )


def _name(tokens: Sequence[Token]) -> str:
    with_database = [token.text for token in tokens[1:2]] == ["."]
    return unquoted(tokens[2 if with_database else 0].text) if tokens[2:] or not with_database else ""


def _difference_of_tables(statement: str, present: Table | None) -> str:
    """SQLite makes the table that a statement says in another database, so that both are read in one way."""
    with empty_database() as db:
        try:
            execute(db, statement)
        except FAILURES:
            return ""  # CREATE TABLE … AS SELECT from other tables
        stated = read_table(db, present.name) if present else None
    return "; ".join(_missing(stated, present)) if stated and present and present.kind == "table" else ""


def _missing(stated: Table, present: Table) -> Iterator[str]:
    absent = [column.name for key, column in stated.columns.items() if key not in present.columns]
    if absent:
        yield f"{present.name} has no column {', '.join(absent)} there"
    for key, column in stated.columns.items():
        now = present.columns.get(key)
        if now and (column.type.upper(), column.not_null, column.default) != (now.type.upper(), now.not_null, now.default):
            yield f"the column {now.name} of {present.name} is {_described(now.type, now.default, not_null=now.not_null)} there"
    known = {(key.columns, key.expressions, key.conditions) for key in present.unique}
    for unique in sorted(stated.unique, key=lambda unique: unique.text):
        if (unique.columns, unique.expressions, unique.conditions) not in known:
            yield f"{unique.text} of {present.name} is not unique there"
    for check in sorted(stated.checks - present.checks, key=lambda check: check.form):
        yield f"{present.name} has no CHECK ({check.text}) there"
    references = {(reference.table, reference.columns, reference.on_delete) for reference in present.references}
    for reference in stated.references:
        if (reference.table, reference.columns, reference.on_delete) not in references:
            yield f"{', '.join(reference.columns)} of {present.name} does not refer to {reference.table} there in that way"
    if stated.strict and not present.strict:
        yield f"{present.name} is not STRICT there"


def _described(kind: str, default: str | None, *, not_null: bool) -> str:
    parts = [kind or "without a type", "NOT NULL" if not_null else "", f"DEFAULT {default}" if default is not None else ""]
    return " ".join(filter(None, parts))


def _body(tokens: Sequence[Token], name: str) -> list[str]:
    left_out = {"if", "not", "exists", name.lower(), "main", ".", ";"}
    return [form for form in normal(tokens) if form not in left_out]


def _shown(sql: str) -> str:
    return " ".join(sql.split())
