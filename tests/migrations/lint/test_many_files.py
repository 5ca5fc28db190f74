"""What judging a file costs depends on the file, not on how many came before it. bench/lint.py measures the time."""

import sys
from collections.abc import Callable
from types import FrameType

import pytest

from crane_infra.migrations.files.read import MigrationFile
from crane_infra.migrations.files.split import split_statements
from crane_infra.migrations.lint.judge import examine, examine_each
from crane_infra.migrations.sqlite import engine
from tests.migrations.builders import file

FILE = (
    "CREATE TABLE t{n} (id INTEGER PRIMARY KEY, name TEXT NOT NULL, up INTEGER REFERENCES t{n} (id), CHECK (length(name) > 0));"
    "CREATE UNIQUE INDEX i{n} ON t{n} (name) WHERE up IS NULL; CREATE VIEW v{n} AS SELECT id, name FROM t{n};"
    "CREATE TRIGGER tr{n} AFTER INSERT ON t{n} BEGIN UPDATE t{n} SET name = lower(name) WHERE id = new.id; END;"
    "INSERT INTO t{n} (name) VALUES ('a'); UPDATE t{n} SET name = 'b' WHERE id = 1; ALTER TABLE t{n} ADD COLUMN more TEXT;"
    "CREATE TABLE new{n} (id INTEGER PRIMARY KEY, name TEXT); INSERT INTO new{n} SELECT id, name FROM t{n}; DROP TABLE new{n};"
)


def files(count: int) -> list[MigrationFile]:
    return [file(f"{n}_f.sql", statements=split_statements(FILE.format(n=n))[0]) for n in range(100, 100 + count)]


def calls_of(count: int, *, as_one_release: bool) -> int:
    """How many calls of Python and of SQLite judging so many files takes."""
    made = files(count)
    return calls_in(lambda: examine(made, made) if as_one_release else examine_each(made))


def calls_in(judge: Callable[[], object]) -> int:
    """How many calls of Python and of SQLite this takes."""
    calls = 0

    def note(_: FrameType, event: str, __: object) -> None:
        nonlocal calls
        calls += event in {"call", "c_call"}

    sys.setprofile(note)
    try:
        judge()
    finally:
        sys.setprofile(None)
    return calls


@pytest.mark.parametrize("as_one_release", [True, False])
def test_twice_as_many_files_take_twice_as_many_calls(as_one_release: bool) -> None:  # noqa: FBT001 - a parameter of the test
    calls_of(1, as_one_release=as_one_release)  # what is imported at the first use
    few, more, most = (calls_of(count, as_one_release=as_one_release) for count in (10, 20, 40))
    assert most - more == pytest.approx(2 * (more - few), rel=0.01)


@pytest.mark.parametrize("in_use", [True, False])
def test_applied_files_cost_nothing_where_none_is_pending(in_use: bool) -> None:  # noqa: FBT001 - a parameter of the test
    few, many = files(1), files(40)
    assert examine(many, (), in_use=in_use) == ()
    assert calls_in(lambda: examine(many, (), in_use=in_use)) == calls_in(lambda: examine(few, (), in_use=in_use))


def test_the_limit_of_steps_is_for_one_statement_and_not_for_all_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "STEPS", 2_000)
    made = files(40)
    assert {finding.rule for examined in examine_each(made) for finding in examined.findings} == set()
