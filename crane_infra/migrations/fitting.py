"""Which of the files a database contains, as far as its schema can tell (pure).

Files that only change data make no difference to a schema, so several numbers of files may fit.
"""

from collections.abc import Collection, Sequence
from itertools import takewhile

from crane_infra.errors import MigrationError
from crane_infra.migrations.files.read import MigrationFile, SchemaFiles, from_empty
from crane_infra.migrations.sqlite.schema import Schema, differing, schema_after


def count_up_to(files: Sequence[MigrationFile], up_to: str | None) -> int:
    """How many of the files come up to the one with this number or name; None stands for all. Raises MigrationError for an unknown name."""
    if up_to is None:
        return len(files)
    if up_to.isdecimal():
        return sum(not file.is_after(int(up_to)) for file in files)
    names = [file.name for file in files]
    if up_to not in names:
        raise MigrationError(
            f"--up-to {up_to}", "there is no such migration", f"Write its number or its name. The last one is {names[-1:]}"
        )
    return names.index(up_to) + 1


def prefix_of(schema: SchemaFiles, count: int) -> tuple[MigrationFile, ...]:
    """What an empty database gets that contains the first ``count`` migrations: with the base schema if it contains no more than these."""
    base = schema.base
    contained = sum(not file.is_after(base.number or 0) for file in schema.files) if base else 0
    return from_empty(schema.files[:count], base if count >= contained else None)


def schemas_of(schema: SchemaFiles) -> list[Schema]:
    """The schema after each number of first migrations, from none to all, as far as this SQLite takes them."""
    schemas, before = list[Schema](), tuple[MigrationFile, ...]()
    for count in range(len(schema.files) + 1):
        files = prefix_of(schema, count)
        goes_on = before == files[: len(before)] and bool(schemas)
        try:
            schemas.append(schema_after(schemas[-1] if goes_on else {}, files[len(before) :] if goes_on else files))
        except MigrationError:
            break
        before = files
    return schemas


def fitting_count(schemas: Sequence[Schema], live: Schema, accept: Collection[str]) -> int | None:
    """The largest number of first migrations that make the live schema, apart from the accepted differences; None if there is none."""
    fitting = [count for count, expected in enumerate(schemas) if not set(differing(expected, live)) - set(accept)]
    return fitting[-1] if fitting else None


def data_files_before(schemas: Sequence[Schema], count: int) -> int:
    """How many of the last files among the first ``count`` leave the schema as it is."""
    return sum(1 for _ in takewhile(lambda number: schemas[number] == schemas[number - 1], range(count, 0, -1)))


def data_files_after(schemas: Sequence[Schema], count: int) -> int:
    """How many of the files that follow the first ``count`` leave the schema as it is."""
    return sum(1 for _ in takewhile(lambda number: schemas[number] == schemas[number - 1], range(count + 1, len(schemas))))
