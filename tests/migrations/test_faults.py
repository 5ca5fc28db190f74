"""Lost replies, half-done batches and rate limits: the ledger decides, and no statement runs twice."""

# ruff: noqa: S608 - SQL of the tests themselves

import pytest

from crane_infra.d1.answer import BUSY
from crane_infra.errors import ApiError, MigrationError
from crane_infra.migrations.files.read import MigrationFile
from crane_infra.migrations.ledger import head_of
from crane_infra.migrations.unfinished import StartedNotDoneError
from tests.d1.server import ACCOUNT, NAME, Action, D1Server, Execute, Reply, done, drop_after_commit, drop_unread, failed, say, serve
from tests.migrations.builders import SHOWN
from tests.migrations.conftest import Runner

NAMES = ["0001_make.sql", "0002_fill.sql", "0010_widen.sql"]
GO_ON = "Run the same `pulumi up` again: it reads the ledger first and continues from there."
Files = tuple[MigrationFile, ...]


def settled(server: D1Server, files: Files) -> None:
    """The three checks of every case, after the last run."""
    assert server.names() == server.names("crane_migrations") == [file.name for file in files]
    assert server.sql("SELECT count(*) FROM crane_migrations WHERE done_at IS NULL") == [(0,)]
    assert server.sql("SELECT x, y FROM t") == [("a-b", None), ("c", None)]


def commit_then(reply: Reply) -> Action:
    def action(execute: Execute) -> Reply:
        execute()
        return reply

    return action


LOST: dict[str, Action] = {
    "connection": drop_after_commit,
    "mid-body": lambda execute: Reply(200, execute().body, cut=True),
    "502": commit_then(Reply(502, "<html>bad gateway</html>")),
    "html 200": commit_then(Reply(200, "<html>welcome</html>")),
    "no reason": commit_then(Reply(200, {"success": False, "errors": []})),
    "D1 time-out": commit_then(Reply(400, failed(7429, "timed out"))),
}


@pytest.mark.parametrize("nth", range(4))
@pytest.mark.parametrize("how", LOST)
async def test_a_lost_reply_is_settled_by_the_ledger(run: Runner, server: D1Server, three: Files, how: str, nth: int) -> None:
    """Rows 3 and 6: whichever write it is, the preparation too; not resent where it was done."""
    server.script("write", *[serve] * nth, LOST[how])
    outcome = await run(three)
    assert outcome.applied == tuple(NAMES)
    assert outcome.head == head_of(three)
    assert server.count("write") == (4 if nth else 5)
    settled(server, three)


@pytest.mark.parametrize("nth", range(4))
@pytest.mark.parametrize("fault", [drop_unread, say(503), say(520, failed(7500, "internal error")), say(200)])
async def test_a_write_that_never_arrived_is_sent_once_more(run: Runner, server: D1Server, three: Files, nth: int, fault: Action) -> None:
    """Row 4."""
    server.script("write", *[serve] * nth, fault)
    assert (await run(three)).applied == tuple(NAMES)
    assert server.count("write") == 5
    settled(server, three)


async def test_a_write_that_never_arrives_is_tried_twice_and_no_more(run: Runner, server: D1Server, three: Files) -> None:
    server.script("write", serve, serve, drop_unread, drop_unread)
    with pytest.raises(MigrationError) as caught:
        await run(three)
    assert str(caught.value).replace("..", ".") == (
        f"{SHOWN}/{NAMES[1]}: not applied to {NAME}: the outcome of a write is unknown: Connection error (RemoteProtocolError). "
        f"The ledger has no record of it. Applied in this run: {NAMES[0]}. Pending: {NAMES[1]}, {NAMES[2]}. {GO_ON}"
    )
    assert server.count("write") == 4
    assert (await run(three)).applied == (NAMES[1], NAMES[2])
    settled(server, three)


async def test_a_write_that_lands_after_it_was_given_up_is_not_done_twice(run: Runner, server: D1Server, three: Files) -> None:
    """The first request is still on its way when the ledger is read, and commits just before the second."""
    late: list[Execute] = []

    def hold(execute: Execute) -> None:
        late.append(execute)

    def land_first(execute: Execute) -> Reply:
        late.pop()()
        return execute()

    server.script("write", serve, serve, hold, land_first)
    assert (await run(three)).applied == tuple(NAMES)
    settled(server, three)


async def test_an_unknown_outcome_with_an_unreadable_ledger_says_both(run: Runner, server: D1Server, three: Files) -> None:
    server.script("write", serve, drop_after_commit)
    server.script("read", serve, *[say(503)] * 5)
    with pytest.raises(MigrationError) as caught:
        await run(three)
    assert str(caught.value) == (
        f"{SHOWN}/{NAMES[0]}: the outcome of a write is unknown: Connection error (RemoteProtocolError); "
        f"and the ledger of {NAME} cannot be read: Cloudflare's API failed: status 503. "
        f"Applied in this run: none. Pending: {', '.join(NAMES)}. {GO_ON}"
    )
    assert (await run(three)).applied == (NAMES[1], NAMES[2])
    settled(server, three)


async def test_a_batch_that_is_not_atomic_stops_every_later_run(run: Runner, server: D1Server, three: Files) -> None:
    """Row 2: the second statement of the file fails, the first stays."""
    broken = MigrationFile(2, NAMES[1], f"{SHOWN}/{NAMES[1]}", "sha", (*three[1].statements, "SELECT abs(-9223372036854775808)"))
    server.script("write", serve, serve, server.not_atomic)
    with pytest.raises(StartedNotDoneError) as first:
        await run([three[0], broken, three[2]])
    assert "(D1 refused it: integer overflow: SQLITE_ERROR (code 7500)). Look at the schema" in str(first.value)
    assert "--bookmark=bookmark-0" in str(first.value)
    assert run.pauses == []
    server.requests.clear()
    with pytest.raises(StartedNotDoneError, match=f"^{SHOWN}/{NAMES[1]}: started in {NAME} at .* but never marked as done"):
        await run([three[0], broken, three[2]])
    assert server.count("write") == 0


async def test_success_that_hides_a_failed_statement_does_not_count_as_done(run: Runner, server: D1Server, three: Files) -> None:
    """Row 8: D1 carried on to our done mark; it is taken back, and the next run stops there."""
    broken = MigrationFile(2, NAMES[1], f"{SHOWN}/{NAMES[1]}", "sha", ("SELECT abs(-9223372036854775808)", *three[1].statements))
    server.script("write", serve, serve, server.careless)
    with pytest.raises(StartedNotDoneError, match=r"the reply says success, but statement 2 failed: integer overflow\)"):
        await run([three[0], broken, three[2]])
    with pytest.raises(StartedNotDoneError):
        await run([three[0], broken, three[2]])


async def test_a_reply_with_too_few_results_does_not_count_as_done(run: Runner, server: D1Server, three: Files) -> None:
    server.script("write", serve, serve, commit_then(Reply(200, done([{"success": True, "results": []}] * 2))))
    with pytest.raises(StartedNotDoneError, match=r"the reply says success, but 2 results for 5 statements\)"):
        await run(three)


async def test_a_done_mark_that_cannot_be_taken_back_is_said_loudly(run: Runner, server: D1Server, three: Files) -> None:
    server.script("write", serve, serve, commit_then(Reply(200, done([]))), drop_unread, drop_unread)
    with pytest.raises(
        MigrationError,
        match=r"still marks it as done, and undoing that failed: .*\. Before anything else, run this by hand: UPDATE .* WHERE name = '0002_fill\.sql'",
    ):
        await run(three)


async def test_a_partial_reply_with_nothing_done_is_a_failure(run: Runner, server: D1Server, three: Files) -> None:
    server.script("write", serve, serve, say(200, done([{"success": True}, {"success": False, "error": "disk full"}])))
    with pytest.raises(MigrationError) as caught:
        await run(three)
    assert f"not applied to {NAME} at statement 1 of 2 (INSERT INTO t VALUES ('a-b')): the reply says success, but statement 2" in str(
        caught.value
    )
    assert (await run(three)).applied == (NAMES[1], NAMES[2])
    settled(server, three)


async def test_a_short_rate_limit_is_waited_for(run: Runner, server: D1Server, three: Files) -> None:
    """Row 5."""
    server.script("write", serve, say(429, headers={"retry-after": "3"}), serve, say(429))
    assert (await run(three)).applied == tuple(NAMES)
    assert run.pauses[0] == 3.0
    assert 1 <= run.pauses[1] <= 5
    settled(server, three)


async def test_a_long_rate_limit_fails_at_once_and_names_the_file(run: Runner, server: D1Server, three: Files) -> None:
    server.script("write", serve, serve, say(429, headers={"retry-after": "600"}))
    with pytest.raises(MigrationError) as caught:
        await run(three)
    assert str(caught.value) == (
        f"{SHOWN}/{NAMES[1]}: not applied to {NAME}: Cloudflare limits the calls of this token (429) and asks to wait 600 s. "
        f"Nothing of it ran. Applied in this run: {NAMES[0]}. Pending: {NAMES[1]}, {NAMES[2]}. "
        "Wait, then run the same `pulumi up` again, which continues with this file."
    )
    assert run.pauses == []
    assert server.count("write") == 3


SHORT = "Wait, then run the same `pulumi up` again, which continues with this file."
FIX = "; then run the same `pulumi up` again, which continues with this file."
EFFECTS: dict[str, tuple[list[Action], str, str]] = {
    "a statement fails": ([say(400, failed(7500, "constraint failed"))], "It was rolled back", f"Fix what the message names{FIX}"),
    "the token is not accepted": (
        [say(401, failed(10000, "no"))],
        "Nothing of it ran",
        f"Use a valid token with the permission D1 Write{FIX}",
    ),
    "the token may not write": ([say(403, failed(10000, "no"))], "Nothing of it ran", f"permission D1 Write on account {ACCOUNT}{FIX}"),
    "a limit": ([say(429), say(429)], "Nothing of it ran", SHORT),
    "a long limit": ([say(429, headers={"retry-after": "600"})], "Nothing of it ran", SHORT),
    "a busy database": ([say(400, failed(7500, BUSY)), say(400, failed(7500, BUSY))], "Nothing of it ran", SHORT),
    "no such database": (
        [say(404, failed(7404, "no"))],
        "Nothing of it ran",
        f"Check the account id and the database id in the settings{FIX}",
    ),
    "another refusal": ([say(400, failed(7400, "malformed"))], "The ledger has no record of it", f"Fix what the message names{FIX}"),
    "no answer": ([say(500), say(500)], "The ledger has no record of it", GO_ON),
    "success of one half": ([say(200, done([{"success": True}]))], "The ledger has no record of it", GO_ON),
}
"""By what a write of a file is answered: what is known of the file, and what to do."""


@pytest.mark.parametrize("case", EFFECTS)
async def test_only_what_ran_is_called_rolled_back(run: Runner, server: D1Server, three: Files, case: str) -> None:
    answers, effect, todo = EFFECTS[case]
    server.script("write", serve, serve, *answers)
    with pytest.raises(MigrationError) as caught:
        await run(three)
    text = str(caught.value)
    assert f". {effect}. Applied in this run: {NAMES[0]}. Pending: {NAMES[1]}, {NAMES[2]}. " in text, text
    assert text.endswith(todo)
    assert (await run(three)).applied == (NAMES[1], NAMES[2])
    settled(server, three)


@pytest.mark.parametrize(("status", "permission"), [(401, "D1 Write"), (403, "D1 Write")])
async def test_a_token_that_may_only_read_is_told_what_it_lacks(
    run: Runner, server: D1Server, three: Files, status: int, permission: str
) -> None:
    """Row 9: no retry."""
    server.script("write", serve, say(status, failed(10000, "Authentication error")))
    with pytest.raises(MigrationError, match=f"^{SHOWN}/{NAMES[0]}: not applied to {NAME}: .*permission {permission}"):
        await run(three)
    assert server.count("write") == 2
    server.requests.clear()
    server.sql("DROP TABLE crane_migrations")
    server.script("write", say(status, failed(10000, "Authentication error")))
    with pytest.raises(ApiError, match=permission):
        await run(three)
    assert server.count("write") == 1
