"""The rules about rows that triggers take where no count can tell how many (pure)."""

from collections.abc import Iterator

from crane_infra.migrations.lint.finding import OVERWRITES_ROWS, Finding
from crane_infra.migrations.lint.lineage import lineages
from crane_infra.migrations.lint.naming import declaration, finding, names
from crane_infra.migrations.sqlite.effects import FileTrace


def losses_that_no_count_tells(trace: FileTrace) -> Iterator[Finding]:
    """Statements that may take rows from a table and that also add some to it, other than those which they name."""
    for lineage in lineages(trace):
        for statement in trace.statements:
            table = frozenset({lineage.name})
            # What foreign keys delete directly is told by a rule of its own.
            is_told = bool(statement.lost & {lineage.names_around(statement.number)[0]})
            if not is_told and not table & trace.file.header.loses_rows and lineage.hides(statement):
                shown = trace.named(lineage.name)
                what = f"it sets off triggers that delete rows of {shown}, and also adds some there, so no count can tell what is lost"
                todo = (
                    "Drop the trigger before the statement and create it again at the end, and write in the file what has to be done; "
                    f"if these rows may go, declare {declaration(trace, table)}"
                )
                yield finding(trace, statement.number, "hides-lost-rows", "error", what, todo)


def rows_replaced_by_triggers(trace: FileTrace) -> Iterator[Finding]:
    """Statements that set off a trigger which replaces rows that are there."""
    for statement in trace.statements:
        tables = statement.effect.replaced_by_triggers - statement.own - trace.file.header.overwrites_rows
        if tables:
            shown = names(trace, tables)
            what = f"it sets off a trigger, and REPLACE in it deletes each row of {shown} that has the same key or unique value"
            todo = (
                "Drop the trigger before the statement and create it again at the end, and write in the file what has to be done; "
                f"if they may be overwritten, declare {declaration(trace, tables, OVERWRITES_ROWS)}"
            )
            yield finding(trace, statement.number, OVERWRITES_ROWS, "error", what, todo)
