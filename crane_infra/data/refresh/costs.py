"""What a refresh costs, before it begins: the rows that are read from production and those that are written to staging."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from crane_infra.counted import counted
from crane_infra.data.circles import passing_indexes
from crane_infra.data.copy import read_schema
from crane_infra.data.estimate import Estimate, estimate
from crane_infra.data.refresh.sql import ordered_tables
from crane_infra.data.scrub.rules import TablePlan
from crane_infra.data.scrub.schema import read_schema as read_tables
from crane_infra.data.shapes import create_tables, execute, shapes_of
from crane_infra.data.source import Source
from crane_infra.migrations.own_tables import is_users
from crane_infra.migrations.sqlite.engine import empty_database, rows

FREE_WRITES = 100_000
"""Rows that the free plan lets all databases of an account write in a day; each index of a row counts as one more."""
_MANY = 6


@dataclass(frozen=True)
class Costs:
    """The most rows of each table at both ends, and the number of indexes of each of staging's tables."""

    production: Estimate
    staging: Estimate
    indexes: Mapping[str, int]

    @property
    def written(self) -> int:
        """The most rows that are written: each row of staging is deleted, each of production's written, both with their indexes."""
        return sum(self.written_for(name, rows) for each in (self.staging, self.production) for name, rows in each.tables.items())

    def written_for(self, table: str, count: int) -> int:
        """The rows that count as written for so many rows of a table."""
        return count * (1 + self.indexes.get(table, 0))

    @property
    def lines(self) -> tuple[str, str]:
        """A line on what is read, and one on what is written."""
        deleted = f"{counted(self.staging.rows, 'row')} of staging {'goes' if self.staging.rows == 1 else 'go'}"
        return self.production.text, f"writes at most {written_text(self.written)}, with indexes; {deleted}"


def written_text(written: int) -> str:
    """So many rows, and what that means for the free plan."""
    days = f": more than {written // FREE_WRITES} days' worth, so it needs a paid plan" if written > FREE_WRITES else ""
    return f"{counted(written, 'row')}, {written / FREE_WRITES:.0%} of what the free plan writes in a day{days}"


def plan_lines(plans: Sequence[TablePlan], costs: Costs) -> list[str]:
    """A line for each table: which rows are read and what becomes of its columns."""
    return [_line(plan, costs) for plan in plans]


def left_out(plans: Sequence[TablePlan]) -> tuple[str, ...]:
    """The tables whose rows are not even read."""
    return tuple(plan.table.name for plan in plans if plan.rule.rows == "none")


async def costs_of(production: Source, staging: Source, skip: Collection[str]) -> Costs:
    """Ask both databases how many rows they may have. Raises ApiError."""
    read, _ = await _estimated(production, {name.lower() for name in skip})
    replaced, indexes = await _estimated(staging, set())
    return Costs(read, replaced, indexes)


async def _estimated(source: Source, skip: Collection[str]) -> tuple[Estimate, dict[str, int]]:
    schema, where = await read_schema(source), f"database {source.name}"
    with empty_database() as db:
        create_tables(db, schema, where)
        shapes = [shape for shape in shapes_of(db, where) if is_users(shape.name) and shape.name.lower() not in skip]
        for each in schema:
            if each.type == "index":
                execute(db, each.sql, where)
        indexes = Counter({shape.name: len(rows(db, "SELECT 1 FROM pragma_index_list(?)", shape.name)) for shape in shapes})
        indexes.update(
            index.table for index in passing_indexes(db, [table.name for table in ordered_tables(read_tables(db))], own_count=True)
        )
    return await estimate(source, shapes), indexes


def _line(plan: TablePlan, costs: Costs) -> str:
    name, count = plan.table.name, costs.production.tables.get(plan.table.name)
    if plan.rule.rows == "none":
        return f"{name}: no rows"
    read = f"at most {counted(count, 'row')} {'is' if count == 1 else 'are'} read" if count is not None else "new in staging"
    chosen = "" if plan.rule.rows == "keep" else f", of which staging gets {_chosen(plan)}"
    masked = [f"{each.column.name} ({_shown(each.rule)})" for each in plan.masked]
    kept = [each.column.name for each in plan.columns if each.rule == "keep"]
    return f"{name}: {read}{chosen}; masked: {_listed(masked)}; kept: {_listed(kept)}"


def _chosen(plan: TablePlan) -> str:
    rows = plan.rule.rows
    percent = getattr(rows, "percent", None)
    return f"{percent:g} %" if percent is not None else f"those with {getattr(rows, 'condition', rows)}"


def _shown(rule: object) -> str:
    return rule if isinstance(rule, str) else str(getattr(rule, "how", type(rule).__name__.lower()))


def _listed(names: Sequence[str]) -> str:
    if not names:
        return "none"
    return ", ".join(names[:_MANY]) + (f" and {len(names) - _MANY} more" if len(names) > _MANY else "")
