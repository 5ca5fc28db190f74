"""Takes out rows that refer to rows which a rule left out, as if those had been deleted: what its foreign key says on delete is done."""

from collections.abc import Sequence

import apsw

from crane_infra.data.scrub.schema import Reference, Table
from crane_infra.migrations.files.tokens import quoted


def prune(db: apsw.Connection, tables: Sequence[Table]) -> None:
    """Delete rows without their parents until none is left; a foreign key with ON DELETE SET NULL loses its value instead.

    Rows that refer to each other in a circle stay where all of them are there.
    """
    names = {table.name.lower() for table in tables}
    statements = [_statement(table, reference) for table in tables for reference in table.references if reference.parent.lower() in names]
    changed = True
    while changed:
        before = db.total_changes()
        for statement in statements:
            db.execute(statement)
        changed = db.total_changes() != before


def _statement(table: Table, reference: Reference) -> str:
    child, parent = quoted(table.name), quoted(reference.parent)
    columns = [f"{child}.{quoted(name)}" for name in reference.columns]
    # The parent stands on the left, as in SQLite's own check: its collation counts.
    pairs = [f"parent.{quoted(other)} = {column}" for other, column in zip(reference.parent_columns, columns, strict=True)]
    lost = " AND ".join(
        [*(f"{column} IS NOT NULL" for column in columns), f"NOT EXISTS (SELECT 1 FROM {parent} AS parent WHERE {' AND '.join(pairs)})"]  # noqa: S608
    )
    key = {name.lower() for name in table.key}
    can_be_null = [column.name for column in table.columns if not column.is_required and column.name.lower() not in key]
    if reference.on_delete == "SET NULL" and set(reference.columns) <= set(can_be_null):
        return f"UPDATE {child} SET {', '.join(f'{quoted(name)} = NULL' for name in reference.columns)} WHERE {lost}"  # noqa: S608
    return f"DELETE FROM {child} WHERE {lost}"  # noqa: S608
