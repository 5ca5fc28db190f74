"""The schema that migration files make, as a scrub sees it: rules are compared with it before anything is read."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import apsw

from crane_infra.data.scrub.schema import Schema, read_schema
from crane_infra.errors import MigrationError
from crane_infra.migrations.files.read import MigrationFile
from crane_infra.migrations.files.split import shorten
from crane_infra.migrations.own_tables import CREATE
from crane_infra.migrations.sqlite.engine import FAILURES, empty_database, execute


@contextmanager
def database_of(files: Sequence[MigrationFile]) -> Iterator[tuple[apsw.Connection, Schema]]:
    """An empty database to which these files were applied, and its schema. Raises MigrationError where SQLite refuses one."""
    with empty_database() as db:
        for statement in CREATE:
            db.execute(statement)
        for file in files:
            for number, statement in enumerate(file.statements, 1):
                try:
                    execute(db, statement)
                except FAILURES as error:
                    where, what = f"{file.path}, statement {number}", f"SQLite refuses it: {error}: {shorten(statement)}"
                    raise MigrationError(where, what, "Fix the statement") from None
        yield db, read_schema(db)
