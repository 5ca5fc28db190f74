"""The schema that files make: a statement that SQLite refuses is named by its file, its number and its text."""

import pytest

from crane_infra.data.scrub.of_files import database_of
from crane_infra.errors import MigrationError
from tests.migrations.builders import file


def test_the_statement_that_sqlite_refuses_is_named() -> None:
    wrong = file("0002_wrong.sql", statements=("CREATE TABLE b (id)", "CREATE INDEX x ON missing (id)"))
    with pytest.raises(MigrationError) as refusal, database_of([file("0001_a.sql", statements=("CREATE TABLE a (id)",)), wrong]):
        pass
    expected = f"{wrong.path}, statement 2: SQLite refuses it: no such table: main.missing: CREATE INDEX x ON missing (id)"
    assert str(refusal.value) == f"{expected}. Fix the statement."
