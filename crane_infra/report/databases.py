"""What happens to the databases: pending migrations, what they do to tables and rows, the schema before and after. Pure.

The plan and the rules are those of a run, so a run refuses the same, in the same words.
"""

from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache

from crane_infra.config.settings import Settings
from crane_infra.errors import MigrationError
from crane_infra.migrations.files import split
from crane_infra.migrations.files.read import MigrationFile, SchemaFiles, from_empty
from crane_infra.migrations.judgement import judge, plan_for
from crane_infra.migrations.ledger import Ledger
from crane_infra.migrations.lint.judge import Examined, accepting, examine
from crane_infra.migrations.plan import Plan
from crane_infra.migrations.sqlite.schema import difference, expected_schema
from crane_infra.report.model import DatabaseChanges, Pending, Standing


def database_changes(
    settings: Settings, schemas: Mapping[str, SchemaFiles], ledgers: Mapping[str, Ledger], known: Collection[str]
) -> tuple[tuple[DatabaseChanges, ...], tuple[str, ...]]:
    """What happens to each database of ``schemas``, and what a run would refuse.

    ``ledgers`` are the known ones; an adopted database without one is left to the run. ``known`` are the databases that the stack already has.
    """
    changes, refusals = list[DatabaseChanges](), list[str]()
    for name, database in settings.databases.items():
        if name not in schemas:
            continue
        standing: Standing = "kept" if name in known else "adopted" if database.adopt else "new"
        try:
            changes.append(_database(name, database.name, standing, schemas[name], ledgers.get(name)))
        except MigrationError as error:
            refusal = judge(database.name, schemas[name], ledgers[name]).refusal or error
            refusals += map(str, refusal.errors)
            changes.append(DatabaseChanges(name, database.name, standing))
    return tuple(changes), tuple(refusals)


def _database(name: str, shown: str, standing: Standing, schema: SchemaFiles, ledger: Ledger | None) -> DatabaseChanges:
    if ledger is None:
        return DatabaseChanges(name, shown, standing)
    plan = plan_for(shown, schema, ledger)
    every = from_empty(schema.files, schema.base)
    in_use = schema.in_use or not ledger.is_ours
    pending = tuple(map(_pending, accepting(_examined(every, plan.pending, in_use), schema.accepted)))
    return DatabaseChanges(name, shown, standing, pending, _schema_diff(every, plan))


@lru_cache(maxsize=8)
def _examined(files: tuple[MigrationFile, ...], pending: tuple[MigrationFile, ...], in_use: bool) -> tuple[Examined, ...]:  # noqa: FBT001
    """Cached: both environments mostly have the same pending files, and running many of them takes seconds."""
    return examine(files, pending, in_use=in_use)


def _pending(examined: Examined) -> Pending:
    verbs = tuple(dict.fromkeys(map(_verb, examined.file.statements)))
    return Pending(examined.file.name, examined.kind, verbs, examined.tables, examined.loses_rows, examined.findings, examined.table_kinds)


def _verb(statement: str) -> str:
    """The first words of a statement that say what it does: ALTER TABLE … ADD, CREATE INDEX, UPDATE."""
    head = [word for word, _ in zip(split.words(statement), range(12), strict=False)]
    first = head[0] if head else ""
    if first == "ALTER":
        action = next((word for word in head[3:] if word in {"ADD", "DROP", "RENAME"}), "")
        return f"ALTER TABLE {action}".strip()
    if first in {"CREATE", "DROP"}:
        return f"{first} {next((word for word in head[1:] if word in _OBJECTS), '')}".strip()
    return first


_OBJECTS = {"TABLE", "INDEX", "VIEW", "TRIGGER"}


def _schema_diff(every: Sequence[MigrationFile], plan: Plan) -> str:
    """A unified diff; empty too where SQLite refuses a file, which lint reports: what that file makes is unknown."""
    pending = {file.name for file in plan.pending}
    try:
        before = expected_schema(file for file in every if file.name not in pending)
        after = expected_schema(every)
    except MigrationError:
        return ""
    # Without its two lines of names, which are those of a live database.
    return "\n".join(difference(before, after).splitlines()[2:])
