"""Reads the seeds of a database, and tries them twice on the schema that its migrations make: each must be able to run again."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import apsw

from crane_infra.counted import counted
from crane_infra.data.scrub.of_files import database_of
from crane_infra.data.scrub.schema import Schema
from crane_infra.errors import MigrationError, refuse
from crane_infra.migrations.files.names import number_of
from crane_infra.migrations.files.read import MigrationFile, read_migrations
from crane_infra.migrations.files.split import shorten, words
from crane_infra.migrations.files.tokens import quoted
from crane_infra.migrations.sqlite.engine import FAILURES, execute

_WRITES = ("INSERT", "REPLACE", "UPDATE", "DELETE", "WITH")


@dataclass(frozen=True)
class Seed:
    """One seed. ``name`` is its file name, as the ledger of seeds records it; ``path`` is how errors show it."""

    name: str
    path: str
    sha256: str
    statements: tuple[str, ...] = field(repr=False)


class _Failure(NamedTuple):
    """The statement that SQLite refuses, and why."""

    where: str
    reason: str


def read_seeds(folder: Path, shown_as: str) -> tuple[Seed, ...]:
    """Read the seeds in ``folder``, which errors call ``shown_as``, in order.

    Raises MigrationError for every file that has no number or does more than write rows.
    """
    files = read_migrations(folder, shown_as)
    refuse([*_faults(files)])
    return tuple(Seed(file.name, file.path, file.sha256, file.statements) for file in files)


def try_seeds(seeds: Sequence[Seed], migrations: Sequence[MigrationFile]) -> None:
    """Run each seed twice on the schema that ``migrations`` make. Raises MigrationError for every file that cannot run twice."""
    with ExitStack() as opened:
        try:
            db, schema = opened.enter_context(database_of(migrations))
        except MigrationError:
            return  # D1 has the last word on migrations: the run applies them first, and where one fails no seed runs
        _try_twice(db, schema, seeds)


def _faults(files: Sequence[MigrationFile]) -> Iterator[MigrationError]:
    numbers = Counter(number_of(file.name) for file in files)
    for file in files:
        number = number_of(file.name)
        if fault := file.fault or file.blemish:
            yield MigrationError(*fault)
        elif number is None:
            yield MigrationError(file.path, "its name does not begin with a number", "Rename it, for example to 0001_users.sql")
        elif numbers[number] > 1:
            yield MigrationError(file.path, f"{numbers[number]} seeds have the number {number}", "Give each seed a number of its own")
        else:
            others = [statement for statement in file.statements if next(words(statement), "") not in _WRITES]
            for statement in others:
                what = f"a seed only writes rows, and this does something else ({shorten(statement)})"
                yield MigrationError(file.path, what, "Use INSERT, UPDATE and DELETE; what changes the schema is a migration")


def _try_twice(db: apsw.Connection, schema: Schema, seeds: Sequence[Seed]) -> None:
    """Run all seeds, then each again, on a database without other rows."""
    db.execute("PRAGMA foreign_keys = ON")
    for seed in seeds:
        if (failed := _run(db, seed)) is not None:
            todo = "Fix the file; it runs after all migrations and the seeds before it"
            raise MigrationError(failed.where, f"SQLite refuses it: {failed.reason}", todo)
    refuse([error for seed in seeds if (error := _second_run(db, schema, seed)) is not None])


def _second_run(db: apsw.Connection, schema: Schema, seed: Seed) -> MigrationError | None:
    """Run a seed that ran; the error where that fails or leaves other numbers of rows."""
    before = _counts(db, schema)
    if (failed := _run(db, seed)) is not None:
        todo = "Write it so that it can, for example with INSERT … ON CONFLICT DO NOTHING"
        return MigrationError(failed.where, f"it cannot run again: {failed.reason}", todo)
    changed = [
        f"{table} has {counted(after, 'row')}, and had {before[table]}"
        for table, after in _counts(db, schema).items()
        if after != before[table]
    ]
    if not changed:
        return None
    what = f"it does not leave the same rows when it runs again: {'; '.join(changed)}"
    return MigrationError(seed.path, what, "Give the rows keys of your own, and use INSERT … ON CONFLICT DO NOTHING")


def _run(db: apsw.Connection, seed: Seed) -> _Failure | None:
    for number, statement in enumerate(seed.statements, 1):
        try:
            execute(db, statement)
        except FAILURES as error:
            return _Failure(f"{seed.path}, statement {number}", str(error))
    return None


def _counts(db: apsw.Connection, schema: Schema) -> dict[str, int]:
    return {table.name: int(str(db.execute(f"SELECT COUNT(*) FROM {quoted(table.name)}").get)) for table in schema.tables}  # noqa: S608
