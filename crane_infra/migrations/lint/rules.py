"""All rules of lint in order, each a function from what a file does to findings (pure). docs/lint.md shows an example of each."""

from collections.abc import Callable, Iterator

from crane_infra.migrations.lint import (
    copy_rules,
    name_rules,
    object_rules,
    row_rules,
    schema_rules,
    statement_rules,
    traffic_rules,
    trigger_rules,
)
from crane_infra.migrations.lint.finding import Finding
from crane_infra.migrations.sqlite.effects import FileTrace

_RULES: tuple[Callable[[FileTrace], Iterator[Finding]], ...] = (
    statement_rules.not_understood,
    statement_rules.refused_by_d1,
    statement_rules.writes_of_the_ledger,
    name_rules.names_taken_for_texts,
    row_rules.drops_of_referenced_tables,
    row_rules.replaced_tables,
    row_rules.broken_references,
    row_rules.deletes_of_referenced_rows,
    row_rules.overwritten_rows,
    trigger_rules.losses_that_no_count_tells,
    trigger_rules.rows_replaced_by_triggers,
    row_rules.needless_declarations,
    copy_rules.columns_in_another_order,
    copy_rules.ids_used_again,
    object_rules.things_that_are_there_otherwise,
    object_rules.objects_lost_by_rebuilds,
    traffic_rules.undeclared_contracts,
    traffic_rules.mixed_changes,
    schema_rules.not_null_without_default,
    schema_rules.fails_on_rows,
    statement_rules.changes_of_whole_tables,
    statement_rules.ignored_pragmas,
)


def findings_in(trace: FileTrace) -> Iterator[Finding]:
    """Everything that is wrong with one file on its own."""
    for rule in _RULES:
        yield from rule(trace)
