"""Compares the schema that migrations make with the one that a database has: tables, indexes, views and triggers, by name and SQL.

SQLite itself makes the expected one. There are no rows: statements that write some are compiled and not run. White space, comments, and how a
name is quoted make no difference, since SQLite's versions rewrite these in ALTER TABLE.
"""

import difflib
from collections.abc import Iterable, Mapping

from crane_infra.d1.database import DatabaseClient
from crane_infra.errors import MigrationError
from crane_infra.migrations.files.read import MigrationFile
from crane_infra.migrations.files.tokens import code, normal
from crane_infra.migrations.ledger_rows import OBJECT_ROWS, read_rows
from crane_infra.migrations.own_tables import is_users
from crane_infra.migrations.sqlite.trial import Trial, trial

Schema = Mapping[str, str]
"""The SQL of each object, by ``kind name``: ``table sessions``."""
_READ = "SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL"
_ORDER = ("table", "view", "index", "trigger")


def expected_schema(files: Iterable[MigrationFile]) -> Schema:
    """The schema of an empty database after these files.

    Raises MigrationError that names the file which SQLite refuses.
    """
    return schema_after({}, files)


def schema_after(before: Schema, files: Iterable[MigrationFile]) -> Schema:
    """The schema of a database that had the objects of ``before``, after these files.

    Raises MigrationError that names the file which SQLite refuses, or the object of ``before``.
    """
    with trial() as database:
        database.begin_file(judged=False)
        for name in sorted(before, key=lambda name: (_ORDER.index(name.partition(" ")[0]), name)):
            _run(database, name, before[name])
        for file in files:
            database.begin_file(judged=False)
            for statement in file.statements:
                _run(database, file.path, statement)
        return as_schema(database.objects())


async def live_schema(db: DatabaseClient) -> Schema:
    """The schema that a database has; raises ApiError."""
    return as_schema((row.type, row.name, row.sql or "") for row in await read_rows(db, _READ, OBJECT_ROWS))


def differing(expected: Schema, live: Schema) -> list[str]:
    """The objects that are not the same in both, sorted."""
    return sorted(
        name
        for name in expected.keys() | live.keys()
        if name not in expected or name not in live or not is_same(expected[name], live[name])
    )


def is_same(one: str, other: str) -> bool:
    """Tell whether two CREATE statements are equal apart from white space, comments and quotes of names."""
    return one == other or normal(code(one)) == normal(code(other))


def differences(expected: Schema, live: Schema) -> list[str]:
    """What differs in the live schema, one sentence for each object."""
    verbs = {(True, False): "is gone", (False, True): "was added", (True, True): "was changed"}
    return [f"{name} {verbs[name in expected, name in live]}" for name in differing(expected, live)]


def difference(expected: Schema, live: Schema, names: tuple[str, str] = ("expected from the migrations", "live")) -> str:
    """A unified diff of both schemas, object by object; empty where they are equal."""
    names_shown = set(differing(expected, live))
    before, after = (_lines({name: sql for name, sql in schema.items() if name in names_shown}) for schema in (expected, live))
    return "\n".join(difflib.unified_diff(before, after, *names, lineterm="", n=1))


def _run(database: Trial, where: str, statement: str) -> None:
    if refused := database.run(statement).refused:
        raise MigrationError(where, f"SQLite refuses it: {refused}", "Fix the file")


def _lines(schema: Schema) -> list[str]:
    return [line for name in sorted(schema) for line in (f"-- {name}", *(schema[name] + ";").splitlines())]


def as_schema(objects: Iterable[tuple[str, str, str]]) -> Schema:
    """The schema of the user's objects among these: kind, name and SQL of each."""
    return {f"{kind} {name}": sql.strip() for kind, name, sql in objects if is_users(name)}
