"""Compares the rules of a database with its schema: every table and every column needs one, and each must be possible (pure).

Nothing is read before this passes, so that a column which nobody classified never leaves production.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import apsw

from crane_infra.config.data_rules import ColumnRule, Constant, Json, Mask, TableRule, Where, mask_of
from crane_infra.data.scrub.schema import Column, Reference, Schema, Table
from crane_infra.errors import ScrubError, refuse
from crane_infra.migrations.files.split import shorten
from crane_infra.migrations.files.tokens import quoted
from crane_infra.migrations.sqlite.engine import FAILURES, compile_only

Rules = Mapping[str, TableRule]
_ADD = "Add one to crane_infra/catalog.py; crane data rules init proposes it"
_FIX = "Correct it in crane_infra/catalog.py"
_TEXT_ONLY = ("fts3", "fts4", "fts5")


@dataclass(frozen=True)
class ColumnPlan:
    """A column that is written, with its rule; a mask never has its short form here."""

    column: Column
    rule: ColumnRule


@dataclass(frozen=True)
class TablePlan:
    """A table with its rule, and the rules of the columns that its rows are written with, those that follow included."""

    table: Table
    rule: TableRule
    columns: tuple[ColumnPlan, ...]

    @property
    def masked(self) -> tuple[ColumnPlan, ...]:
        """The columns whose values do not stay."""
        return tuple(planned for planned in self.columns if planned.rule != "keep")


def require_rules(db: apsw.Connection, database: str, schema: Schema, rules: Rules) -> tuple[TablePlan, ...]:
    """What the rules of a database say about each table. ``db`` has its schema, with or without rows.

    Raises ScrubError with a line for each table or column that has no rule, and for each rule that cannot be followed.
    """
    by_name = {name.lower(): rule for name, rule in rules.items()}
    errors = [*_unknown_tables(database, schema, rules)]
    plans: list[TablePlan] = []
    for table in schema.tables:
        where = f"database {database}, table {table.name}"
        rule = by_name.get(table.name.lower())
        if rule is None:
            errors.append(ScrubError(where, "has no rule for staging's rows", _ADD))
            continue
        columns = tuple(_columns(schema, table, by_name)) if rule.rows != "none" else ()
        plans.append(TablePlan(table, rule, columns))
        errors += _faults(db, where, table, rule, columns)
    errors += _unlike_parents(database, plans)
    refuse(errors)
    return tuple(plans)


def rule_of(schema: Schema, table: Table, column: str, rules: Rules, seen: tuple[tuple[str, str], ...] = ()) -> ColumnRule | None:
    """The rule of a column by tables in lower case: its own, else that of the column that it refers to; None where there is none."""
    own = rules.get(table.name.lower())
    named = {name.lower(): rule for name, rule in own.columns.items()} if own else {}
    if (rule := named.get(column.lower())) is not None:
        return rule
    here = (table.name.lower(), column.lower())
    if here in seen:
        return None
    for parent, parent_column in _referred(schema, table, column):
        if (rule := rule_of(schema, parent, parent_column, rules, (*seen, here))) is not None:
            return rule
    return None


def _referred(schema: Schema, table: Table, column: str) -> Iterator[tuple[Table, str]]:
    for reference in table.references:
        parent = schema.table(reference.parent)
        for name, other in zip(reference.columns, reference.parent_columns, strict=False):
            if parent and name.lower() == column.lower():
                yield parent, other


def _columns(schema: Schema, table: Table, rules: Rules) -> Iterator[ColumnPlan]:
    for column in table.columns:
        if not column.is_generated and (rule := rule_of(schema, table, column.name, rules)) is not None:
            yield ColumnPlan(column, (mask_of(rule) or rule) if isinstance(rule, str) else rule)


def _unknown_tables(database: str, schema: Schema, rules: Rules) -> Iterator[ScrubError]:
    for name in rules:
        if name.lower() in {index.lower() for index in schema.indexes}:
            what = "has a rule, and is a full-text index without rows of its own"
            yield ScrubError(
                f"database {database}, table {name}", what, f"Remove it from crane_infra/catalog.py: {name} follows what it indexes"
            )
        elif schema.table(name) is None:
            yield ScrubError(f"database {database}, table {name}", "has a rule, and the migrations make no such table", _FIX)


def _faults(db: apsw.Connection, where: str, table: Table, rule: TableRule, columns: tuple[ColumnPlan, ...]) -> Iterator[ScrubError]:
    if table.module and table.module not in _TEXT_ONLY and rule.rows != "none":
        yield ScrubError(where, f"is a virtual table of {table.module}, whose rows cannot be scrubbed", "Set rows to none")
    if isinstance(rule.rows, Where):
        try:
            compile_only(db, f"SELECT 1 FROM {quoted(table.name)} WHERE ({rule.rows.condition})")  # noqa: S608 - only compiled
        except FAILURES as error:
            yield ScrubError(where, f"SQLite refuses the condition {shorten(rule.rows.condition)}: {error}", _FIX)
    for name in rule.columns:
        column = table.column(name)
        if column is None:
            yield ScrubError(f"{where}, column {name}", "has a rule, and the migrations make no such column", _FIX)
        elif column.is_generated:
            yield ScrubError(f"{where}, column {name}", "has a rule, and is computed from other columns", f"Remove it: {name} follows them")
    if rule.rows == "none":
        return
    planned = {plan.column.name for plan in columns}
    for column in table.columns:
        if not column.is_generated and column.name not in planned:
            yield ScrubError(f"{where}, column {column.name}", "has no rule for staging's rows", _ADD)
    yield from _impossible(where, table, columns)


def _impossible(where: str, table: Table, columns: tuple[ColumnPlan, ...]) -> Iterator[ScrubError]:
    for plan in columns:
        column, shown = plan.column, f"{where}, column {plan.column.name}"
        is_rowid = table.key == (column.name,) and column.type.upper() == "INTEGER"
        if plan.rule == "null" and (column.is_required or column.key):
            yield ScrubError(shown, "may not be NULL, so null cannot be its rule", "Use hash or a constant")
        if isinstance(plan.rule, Constant) and any(unique == (column.name,) for unique in (table.key, *table.unique)):
            yield ScrubError(shown, "is unique, so one constant for all rows cannot be its rule", "Use hash or token")
        if is_rowid and _makes_text(plan.rule):
            yield ScrubError(shown, "is a whole number, and its rule makes a text of it", "Use keep or hash")


def _makes_text(rule: ColumnRule) -> bool:
    if isinstance(rule, Mask):
        return rule.how in ("email", "name")
    return isinstance(rule, Json) or (isinstance(rule, Constant) and isinstance(rule.value, str))


def _unlike_parents(database: str, plans: list[TablePlan]) -> Iterator[ScrubError]:
    """Rules that would break a foreign key: a column that refers to another has to become what that one becomes."""
    by_table = {plan.table.name.lower(): plan for plan in plans}
    for plan in plans:
        for reference in plan.table.references:
            parent = by_table.get(reference.parent.lower())
            if parent and parent.columns and plan.columns:
                yield from _unlike(f"database {database}, table {plan.table.name}", plan, reference, parent)


def _unlike(where: str, plan: TablePlan, reference: Reference, parent: TablePlan) -> Iterator[ScrubError]:
    rules, parents = ({one.column.name.lower(): one.rule for one in each.columns} for each in (plan, parent))
    for name, other in zip(reference.columns, reference.parent_columns, strict=False):
        rule, parent_rule = rules.get(name.lower()), parents.get(other.lower())
        if rule is not None and parent_rule is not None and rule not in (parent_rule, "null"):
            what = f"refers to {parent.table.name}.{other}, and has another rule"
            yield ScrubError(f"{where}, column {name}", what, "Leave its rule out: it follows")
