"""D1 says no, or says yes and means no: nothing half-done counts as done, nothing is tried in vain, and the error says what to do.

Cases 1, 2, 7, 8 and 9.
"""

# ruff: noqa: S608 - SQL of the tests themselves

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from crane_infra.d1.api import connect
from crane_infra.d1.client import D1
from crane_infra.errors import ApiError, MigrationError
from crane_infra.migrations.apply import migrate
from crane_infra.migrations.files.read import SchemaFiles
from crane_infra.migrations.unfinished import StartedNotDoneError
from local_cloud.faults.model import Behave, FailStatement, FewerResults, Reply
from tests.migrations.builders import SHOWN
from tests.migrations.faults.target import BOOKMARK, NAMES, QUERY, THREE, Files, Places, Target

pytestmark = [pytest.mark.cloud, pytest.mark.npm]

OVERFLOW = "SELECT abs(-9223372036854775808)"  # lint compiles it, only D1 finds out
BROKEN = {**THREE, NAMES[1]: f"INSERT INTO t VALUES ('a-b'); {OVERFLOW}; INSERT INTO t VALUES ('c');"}
NO_REASON = Reply(200, '{"success": false, "errors": [], "messages": [], "result": null}', {"content-type": "application/json"})


async def test_a_statement_that_is_invalid_leaves_nothing_of_its_file_and_is_named(target: Target) -> None:
    """Case 1."""
    files = target.files(BROKEN)
    with pytest.raises(MigrationError) as caught:
        await target.run(files)
    assert str(caught.value) == (
        f"{SHOWN}/{NAMES[1]}: not applied to {target.name} at statement 2 of 3 ({OVERFLOW}): D1 refused it: "
        f"integer overflow: SQLITE_ERROR (code 7500). It was rolled back. "
        f"Applied in this run: {NAMES[0]}. Pending: {NAMES[1]}, {NAMES[2]}. "
        "Fix what the message names; then run the same `pulumi up` again, which continues with this file."
    )
    await target.holds(files, NAMES[:1])
    assert target.rows("SELECT x FROM t") == []
    mended = target.files()
    assert (await target.run(mended)).applied == NAMES[1:]
    await target.holds(mended, NAMES)


async def test_a_statement_that_sqlite_does_not_understand_stops_the_run_before_anything_is_sent(target: Target, three: Files) -> None:
    """Case 1: also the files before it are not begun."""
    unknown = target.files({**THREE, NAMES[1]: "INSERT INTO t VALUES ('a-b'); INSERT INTO nowhere VALUES (1);"})
    with pytest.raises(MigrationError, match=rf"^{SHOWN}/{NAMES[1]}, statement 2: .*no such table: nowhere"):
        await target.run(unknown)
    await target.holds(three, ())


async def half_done(target: Target, places: Places) -> StartedNotDoneError:
    """A batch that is not atomic: the first statement of a file stays, the second fails."""
    with (
        target.faults.fault(QUERY, Behave({"atomic_batches": False}), nth=places.on_empty + 1) as torn,
        pytest.raises(StartedNotDoneError) as caught,
    ):
        await target.run(target.files(BROKEN))
    assert torn.fired == 1
    return caught.value


async def test_a_batch_that_was_not_atomic_stops_every_later_run_and_names_the_ways_out(target: Target, places: Places) -> None:
    """Case 2."""
    first = await half_done(target, places)
    assert "(D1 refused it: integer overflow: SQLITE_ERROR (code 7500)). Look at the schema, then do one of these: " in str(first)
    assert target.rows("SELECT x FROM t") == [{"x": "a-b"}]
    target.faults.reset()
    with pytest.raises(StartedNotDoneError) as again:
        await target.run(target.files(BROKEN))
    assert target.calls(BOOKMARK) == 0
    assert target.faults.executed("INSERT INTO t VALUES ('c')", target.id) == 0
    assert again.value.todo == first.todo
    assert target.listed == NAMES[:1]
    await target.agrees(target.files(BROKEN))


async def test_the_first_way_out_goes_back_to_the_bookmark_with_the_command_that_is_named(target: Target, places: Places) -> None:
    error = await half_done(target, places)
    named = re.search(r"\(wrangler (.*?)\)", error.todo)
    assert named is not None
    target.wrangler(*named[1].split(), cwd=target.folder.parent)
    mended = target.files()
    target.faults.reset()
    assert (await target.run(mended)).applied == NAMES
    await target.holds(mended, NAMES)


async def test_the_second_way_out_lets_the_file_run_again_once_nothing_of_it_is_there(target: Target, places: Places) -> None:
    error = await half_done(target, places)
    named = re.search(r"(DELETE FROM crane_migrations .*?);", error.todo)
    assert named is not None
    target.rows("DELETE FROM t")
    target.rows(named[1])
    mended = target.files()
    target.faults.reset()
    assert (await target.run(mended)).applied == NAMES[1:]
    assert target.rows("SELECT x FROM t") == [{"x": "a-b"}, {"x": "c"}]
    target.ran_once(mended[1:], NAMES)


async def test_the_third_way_out_takes_what_was_finished_by_hand(target: Target, places: Places) -> None:
    error = await half_done(target, places)
    named = re.search(r"then run (INSERT INTO d1_migrations .*?) unless that row exists, and (UPDATE crane_migrations .*)", error.todo)
    assert named is not None
    for statement in ("INSERT INTO t VALUES ('c')", *named.groups()):
        target.rows(statement)
    files = target.files(BROKEN)
    assert (await target.run(files)).applied == NAMES[2:]
    assert target.listed == NAMES
    assert target.rows("SELECT x FROM t") == [{"x": "a-b"}, {"x": "c"}]
    await target.agrees(files)


async def test_success_false_without_a_reason_is_a_failure_with_a_text(target: Target, three: Files, places: Places) -> None:
    """Case 7: once, the ledger says that nothing was done, and the write is sent once more; twice, the run fails."""
    with target.faults.fault(QUERY, NO_REASON, nth=places.on_empty + 1) as once:
        assert (await target.run(three[:2])).applied == NAMES[:2]
    assert once.fired == 1
    with (
        target.faults.fault(QUERY, NO_REASON, nth=places.later, times=9),
        pytest.raises(MigrationError, match=r"the outcome of a write is unknown: the reply says success: false without a reason"),
    ):
        await target.run(three)
    await target.holds(three, NAMES[:2])


async def test_a_read_that_says_success_false_without_a_reason_is_a_failure_with_a_text(target: Target, three: Files) -> None:
    """Case 7."""
    with target.faults.fault(QUERY, NO_REASON, times=99) as fault, pytest.raises(ApiError, match="says success: false without a reason"):
        await target.run(three)
    assert fault.fired == 5
    await target.holds(three, ())


@pytest.mark.parametrize("hidden", [FailStatement(1), FewerResults(1), FewerResults(4)], ids=["failed", "one missing", "most missing"])
async def test_a_success_that_does_not_answer_for_each_statement_is_a_failure(
    target: Target, three: Files, places: Places, hidden: FailStatement | FewerResults
) -> None:
    """Case 8: the done mark is taken back, and the next run stops there; what the file did is looked at by a person."""
    with target.faults.fault(QUERY, hidden, nth=places.on_empty + 1) as lied, pytest.raises(StartedNotDoneError) as caught:
        await target.run(three)
    assert lied.fired == 1
    assert "the reply says success, but " in str(caught.value)
    with pytest.raises(StartedNotDoneError):
        await target.run(three)
    assert target.listed == NAMES[:2]
    target.ran_once(three, NAMES[:2])
    await target.agrees(three)
    target.rows(f"UPDATE crane_migrations SET done_at = CURRENT_TIMESTAMP WHERE name = '{NAMES[1]}'")
    assert (await target.run(three)).applied == NAMES[2:]
    await target.holds(three, NAMES)


@pytest.mark.parametrize("hidden", [FailStatement(0), FewerResults(1)], ids=["failed", "missing"])
async def test_a_read_that_does_not_answer_is_read_again(target: Target, three: Files, hidden: FailStatement | FewerResults) -> None:
    """Case 8."""
    with target.faults.fault(QUERY, hidden) as lied:
        assert (await target.run(three)).applied == NAMES
    assert lied.fired == 1
    await target.holds(three, NAMES)


@asynccontextmanager
async def by(token: str, target: Target, database: str = "") -> AsyncIterator[D1]:
    """A client with another token, or of another database."""
    async with connect(target.api.running.api_url, token) as api:
        yield D1(api, target.api.running.account_id, database or target.id, target.name)


@pytest.mark.parametrize("kind", ["unknown", "reads only", "no D1", "no database"])
async def test_what_is_refused_for_good_is_not_repeated_and_shows_no_token(target: Target, three: Files, kind: str) -> None:
    """Case 9. "There is no such database" alone is confirmed by a second, different read."""
    token, database, statuses, words = {
        "unknown": ("canary-token-0123456789-0123456789-012345", "", [401], "the API token was not accepted (401)"),
        "reads only": (target.faults.token("D1 Read"), "", [200, 403], "Give it the permission D1 Write on account"),
        "no D1": (target.faults.token("Workers Scripts Read"), "", [403], "Give it the permission D1 Read on account"),
        "no database": (
            target.api.running.token,
            "10ca1000-0000-4000-8000-000000000000",
            [404, 404],
            "Check the account id and the database id",
        ),
    }[kind]
    target.faults.reset()
    output: list[str] = []
    async with by(token, target, database) as db:
        with pytest.raises(ApiError) as caught:
            await migrate(db, SchemaFiles(three), release="release-1", log=output.append)
    assert words in str(caught.value)
    assert [call["status"] for call in target.faults.calls()][-2:] == statuses
    assert token not in f"{caught.value!s} {caught.value!r} {output}"
    await target.holds(three, ())


async def test_a_token_that_loses_its_permission_between_two_files_stops_there(target: Target, three: Files) -> None:
    """Case 9: the error names the file and the permission."""
    token = target.faults.token("D1 Read", "D1 Write")

    def log(line: str) -> None:
        if f"applied {NAMES[0]}" in line:
            target.faults.revoke(token)

    async with by(token, target) as db:
        with pytest.raises(MigrationError, match=rf"^{SHOWN}/{NAMES[1]}: .*permission D1 ") as caught:
            await migrate(db, SchemaFiles(three), release="release-1", log=log)
    assert token not in str(caught.value)
    await target.holds(three, NAMES[:1])
    assert (await target.run(three)).applied == NAMES[1:]
    await target.holds(three, NAMES)
