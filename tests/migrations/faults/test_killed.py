"""A process that is killed while it migrates leaves a ledger that is true, and the next one goes on: nothing is applied twice.

Case 21 for the migrations alone; tests/program/hooks/test_interrupted.py has it for whole updates. A late request may reach D1 at any time during
the next run, so nothing here depends on when it does.
"""

# ruff: noqa: S608 - SQL of the tests themselves

import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from local_cloud.daemon import Running
from local_cloud.faults.client import Fault
from local_cloud.faults.model import CommitThenDelay, Delay, Then
from tests.migrations.faults.processes import Migrator, migrators, until
from tests.migrations.faults.target import BOOKMARK, IMPORT, NAMES, QUERY, UPLOAD, Files, Places, Target

pytestmark = [pytest.mark.cloud, pytest.mark.npm]

# Longer than any test: a call is held until its process is dead, and long after.
HELD, LATE = 600.0, 2.0
TRIGGER = "CREATE TRIGGER tr AFTER INSERT ON t BEGIN INSERT INTO t VALUES (new.x || ';'); END"
IMPORTED = {
    NAMES[0]: "CREATE TABLE t (x TEXT);",
    NAMES[1]: f"INSERT INTO t VALUES ('a-b'); {TRIGGER};",
    NAMES[2]: "INSERT INTO t VALUES ('c');",
}

SHARED = {
    NAMES[0]: "CREATE TABLE t (x TEXT);",
    NAMES[1]: "CREATE INDEX by_x ON t (x);",
    NAMES[2]: "ALTER TABLE t ADD COLUMN y TEXT;",
}
"""They only change the schema, so they share a request."""


@contextmanager
def killed(cloud: Running, target: Target, fault: Fault) -> Iterator[Migrator]:
    """A process that meets the fault, is looked at, and is killed."""
    with migrators(cloud, target.folder) as (one,):
        one.begin(target.id, target.name)
        until(lambda: fault.fired, "the call that is to be held")
        yield one
        one.kill()


def next_run(cloud: Running, target: Target) -> list[str]:
    """Another process; it has to end well. What it applied."""
    with migrators(cloud, target.folder) as (one,):
        one.begin(target.id, target.name)
        assert one.ends() == "ended well"
        return one.applied(target.name)


def answered(target: Target) -> None:
    """Wait until every call that came late has been refused or done."""
    until(lambda: all(call["status"] for call in target.faults.calls()), "the answers to the late calls")


@pytest.mark.parametrize(
    ("words", "done"),
    [
        ("pending; to return to the state before them", 0),
        (f"applied {NAMES[0]}", 1),
        (f"applied {NAMES[1]}", 2),
        (f"applied {NAMES[2]}", 3),
    ],
    ids=["before the first is sent", "after the first", "after the second", "after the last"],
)
async def test_before_and_between_files(cloud: Running, target: Target, words: str, done: int) -> None:
    files = target.files()
    with migrators(cloud, target.folder, words=words) as (one,):
        one.begin(target.id, target.name)
        one.hears(words)
        one.kill()
    await target.holds(files, NAMES[:done])
    assert next_run(cloud, target) == list(NAMES[done:])
    await target.holds(files, NAMES)


async def test_while_it_asks_for_the_bookmark(cloud: Running, target: Target) -> None:
    files = target.files()
    with target.faults.fault(BOOKMARK, Delay(HELD)) as fault, killed(cloud, target, fault):
        pass
    await target.holds(files, ())
    assert next_run(cloud, target) == list(NAMES)
    await target.holds(files, NAMES)


@pytest.mark.parametrize("call", ["tables", "first", "second"])
async def test_after_a_request_was_sent_that_d1_gets_to_later(cloud: Running, target: Target, places: Places, call: str) -> None:
    files = target.files()
    nth = {"tables": places.tables, "first": places.on_empty, "second": places.on_empty + 1}[call]
    with target.faults.fault(QUERY, Delay(LATE), nth=nth) as fault, killed(cloud, target, fault):
        pass
    next_run(cloud, target)
    answered(target)
    await target.holds(files, NAMES)


@pytest.mark.parametrize("file", [0, 1, 2])
async def test_after_the_commit_and_before_the_reply(cloud: Running, target: Target, places: Places, file: int) -> None:
    files = target.files()
    last = files[file].statements[-1]
    with target.faults.fault(QUERY, CommitThenDelay(HELD), nth=places.on_empty + file) as fault, killed(cloud, target, fault):
        until(lambda: target.faults.executed(last, target.id), "the commit")
    await target.holds(files, NAMES[: file + 1])
    assert next_run(cloud, target) == list(NAMES[file + 1 :])
    await target.holds(files, NAMES)


async def test_after_files_in_one_request_were_sent_that_d1_gets_to_later(cloud: Running, target: Target, places: Places) -> None:
    files = target.files(SHARED)
    with target.faults.fault(QUERY, Delay(LATE), nth=places.on_empty) as fault, killed(cloud, target, fault):
        pass
    next_run(cloud, target)
    answered(target)
    await target.holds(files, NAMES)


async def test_after_the_commit_of_files_in_one_request_and_before_the_reply(cloud: Running, target: Target, places: Places) -> None:
    files = target.files(SHARED)
    last = files[-1].statements[-1]
    with target.faults.fault(QUERY, CommitThenDelay(HELD), nth=places.on_empty) as fault, killed(cloud, target, fault):
        until(lambda: target.faults.executed(last, target.id), "the commit")
    await target.holds(files, NAMES)
    assert next_run(cloud, target) == []


IMPORTS: dict[str, tuple[str, int, Then, bool]] = {
    "before init": (IMPORT, 1, Delay(HELD), False),
    "after init": (IMPORT, 1, CommitThenDelay(HELD), False),
    "before the upload": (UPLOAD, 1, Delay(HELD), False),
    "after the upload": (UPLOAD, 1, CommitThenDelay(HELD), False),
    "after the import": (IMPORT, 2, CommitThenDelay(HELD), True),
}


@pytest.mark.parametrize("point", IMPORTS)
async def test_during_an_import(cloud: Running, target: Target, point: str) -> None:
    files: Files = target.files(IMPORTED)
    route, nth, then, applied = IMPORTS[point]
    with target.faults.fault(route, then, nth=nth) as fault, killed(cloud, target, fault):
        until(lambda: target.faults.executed(TRIGGER, target.id) == int(applied), "the import")
    done = 1 + int(applied)
    await target.holds(files, NAMES[:done])
    assert next_run(cloud, target) == list(NAMES[done:])
    await imported(target, files)


async def test_after_an_import_was_begun_that_d1_gets_to_later(cloud: Running, target: Target) -> None:
    files = target.files(IMPORTED)
    with target.faults.fault(IMPORT, Delay(LATE), nth=2) as fault, killed(cloud, target, fault):
        pass
    next_run(cloud, target)
    answered(target)
    await imported(target, files)


async def test_while_d1_still_imports_the_next_run_is_told_so_and_the_one_after_it_converges(cloud: Running, target: Target) -> None:
    """Until it has ended, D1 refuses everything; this import ends when somebody asks for it, so the test does."""
    files = target.files(IMPORTED)
    await target.run(files[:1])
    with (
        target.faults.behaviour(polls_until_done=1),
        target.faults.fault(IMPORT, Delay(HELD), nth=3) as fault,
        killed(cloud, target, fault) as one,
    ):
        one.hears("runs through D1's import")
    with migrators(cloud, target.folder) as (busy,):
        busy.begin(target.id, target.name)
        assert "the database is busy, Currently processing a long-running import" in busy.ends()
    (began,) = {found[1] for line in one.output if (found := re.search(r"--bookmark=(\S+)", line))}
    target.api.call("POST", f"/d1/database/{target.id}/import", {"action": "poll", "current_bookmark": began})
    assert next_run(cloud, target) == list(NAMES[2:])
    await imported(target, files)


async def imported(target: Target, files: Files) -> None:
    """Everything is there once, and the trigger has fired for the row after it."""
    await target.holds(files, NAMES)
    assert target.rows("SELECT x FROM t") == [{"x": "a-b"}, {"x": "c"}, {"x": "c;"}]
