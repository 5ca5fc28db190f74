"""A write is sent once, whatever happens, and its error states what is known about its effect."""

from itertools import combinations

import pytest

from crane_infra.d1.client import D1
from crane_infra.d1.database import BoundStatement
from crane_infra.d1.errors import (
    DeniedError,
    NotFoundError,
    PartialWriteError,
    RateLimitedError,
    RefusedError,
    RolledBackError,
    WriteOutcomeUnknown,
)
from crane_infra.errors import ApiError
from tests.d1.server import NAME, Action, D1Server, Reply, done, drop_after_commit, drop_unread, failed, say

ONE_ROW = [BoundStatement("CREATE TABLE IF NOT EXISTS t (x)"), BoundStatement("INSERT INTO t VALUES (?)", ("canary-value-2",))]
RERUN = "Run the same command again: it first reads what was done and does not repeat it."
OK = {"success": True, "results": [], "meta": {}}


def commit_then(status: int, body: object = "<html></html>") -> Action:
    def action(execute: object) -> Reply:
        assert callable(execute)
        execute()
        return Reply(status, body)

    return action


async def test_the_statements_run_in_order_and_all_or_none(db: D1, server: D1Server) -> None:
    results = await db.write([*ONE_ROW, BoundStatement("UPDATE t SET x = x || ?", ("!",))])
    assert [result.changes for result in results] == [0, 1, 1]
    with pytest.raises(RefusedError):
        await db.write([*ONE_ROW, BoundStatement("INSERT INTO nowhere VALUES (1)")])
    assert server.sql("SELECT x FROM t") == [("canary-value-2!",)]


UNKNOWN: dict[str, tuple[Action, str]] = {
    "dropped before": (drop_unread, "Connection error (RemoteProtocolError)"),
    "dropped after commit": (drop_after_commit, "Connection error (RemoteProtocolError)"),
    "cut short": (lambda execute: Reply(200, execute().body, cut=True), "Connection error (RemoteProtocolError)"),
    "500": (say(500), "status 500"),
    "503 after commit": (commit_then(503), "status 503"),
    "524": (say(524, failed(7500, "internal error")), "status 524, internal error (code 7500)"),
    "408": (say(408), "status 408"),
    "sent elsewhere": (
        say(307, headers={"location": "/client/v4/elsewhere"}),
        "status 307 with text/html, which is not an answer of the API",
    ),
    "html": (say(200), "status 200 with text/html, which is not an answer of the API"),
    "no reason": (say(200, {"success": False, "errors": []}), "the reply says success: false without a reason"),
    "no result": (say(200, {"success": True}), "its answer cannot be read (result: Input should be a valid list)"),
    **{
        f"{status} of somebody else": (say(status), f"status {status} with text/html, which is not an answer of the API")
        for status in (400, 401, 403, 404, 409)
    },
    "D1 time-out": (say(400, failed(7429, "timed out")), "status 400, timed out (code 7429)"),
    "D1 time-out with 429": (say(429, failed(7429, "timed out")), "status 429, timed out (code 7429)"),
    "D1 overload": (say(200, failed(7009, "reset")), "status 200, reset (code 7009)"),
}


@pytest.mark.parametrize("case", UNKNOWN)
async def test_a_write_without_a_trusted_reply_has_an_unknown_outcome(db: D1, server: D1Server, case: str) -> None:
    action, what = UNKNOWN[case]
    server.script("write", action)
    with pytest.raises(WriteOutcomeUnknown) as caught:
        await db.write(ONE_ROW)
    assert str(caught.value).replace("..", ".") == f"D1 database {NAME}: the outcome of a write is unknown: {what}. {RERUN}"
    assert server.count("write") == 1


REFUSED: dict[str, tuple[Action, type[ApiError]]] = {
    "429": (say(429, headers={"retry-after": "3"}), RateLimitedError),
    "400": (say(400, failed(7500, "near FOO: syntax error")), RolledBackError),
    "401": (say(401, failed(10000, "Authentication error")), DeniedError),
    "403": (say(403, failed(10000, "Authentication error")), DeniedError),
    "409": (say(409, failed(7502, "conflict")), RefusedError),
    "404": (say(404, failed(7404, "not found")), NotFoundError),
    "404 of no database": (say(404, failed(7003, "Could not route to /query")), RefusedError),
    "200 with a reason": (say(200, failed(7500, "constraint failed")), RolledBackError),
}


@pytest.mark.parametrize("case", REFUSED)
async def test_a_refused_write_is_a_definite_no_and_not_repeated(db: D1, server: D1Server, case: str) -> None:
    action, error = REFUSED[case]
    server.script("write", action)
    with pytest.raises(error) as caught:
        await db.write(ONE_ROW)
    assert type(caught.value) is error
    assert server.count("write") == 1


@pytest.mark.parametrize(
    ("result", "what", "statement"),
    [
        ([OK, {"success": False, "error": "no column canary-value-2"}], "statement 2 failed: no column [hidden]", 1),
        ([{"success": None}, OK], "statement 1 failed: no reason given", 0),
        ([OK], "1 results for 2 statements", 1),
        ([], "0 results for 2 statements", 0),
    ],
)
async def test_success_that_leaves_a_statement_out_is_a_failure(
    db: D1, server: D1Server, result: list[object], what: str, statement: int
) -> None:
    """Row 8."""
    server.script("write", say(200, done(result)))
    with pytest.raises(PartialWriteError) as caught:
        await db.write(ONE_ROW)
    assert str(caught.value) == f"D1 database {NAME}: the reply says success, but {what}. {RERUN}"
    assert caught.value.statement == statement


SELECT = "SELECT x FROM t ORDER BY x"
COUNT, ROWS = {**OK, "results": [{"counted": 1}]}, {**OK, "results": [{"x": "a"}]}
WHOLE = [OK, OK, COUNT, ROWS]
"""What a write of two statements is answered with, and the SELECT at its end."""


class TestASelectAtTheEndOfAWrite:
    async def test_sees_what_the_write_has_done_in_one_request(self, db: D1, server: D1Server) -> None:
        assert await db.write_and_read(ONE_ROW, SELECT) == [{"x": "canary-value-2"}]
        assert await db.write_and_read([BoundStatement("DELETE FROM t")], SELECT) == []
        assert [kind for kind, _ in server.requests] == ["write", "write"]

    async def test_leaves_nothing_where_it_fails(self, db: D1, server: D1Server) -> None:
        with pytest.raises(RolledBackError):
            await db.write_and_read(ONE_ROW, "SELECT x FROM nowhere")
        assert server.sql("SELECT name FROM sqlite_master") == []

    async def test_is_a_select(self, db: D1, server: D1Server) -> None:
        with pytest.raises(ValueError, match="only a SELECT"):
            await db.write_and_read(ONE_ROW, "DELETE FROM t")
        assert server.requests == []

    @pytest.mark.parametrize("case", UNKNOWN)
    async def test_makes_a_lost_write_no_better_known(self, db: D1, server: D1Server, case: str) -> None:
        server.script("write", UNKNOWN[case][0])
        with pytest.raises(WriteOutcomeUnknown):
            await db.write_and_read(ONE_ROW, SELECT)
        assert server.count("write") == 1

    @pytest.mark.parametrize("case", REFUSED)
    async def test_makes_a_refusal_no_other(self, db: D1, server: D1Server, case: str) -> None:
        action, error = REFUSED[case]
        server.script("write", action)
        with pytest.raises(error):
            await db.write_and_read(ONE_ROW, SELECT)

    @pytest.mark.parametrize(
        "look",
        [
            [],
            [COUNT, {**OK, "results": []}],
            [{**OK, "results": [{"counted": 2}]}, ROWS],
            [ROWS, COUNT],
            [COUNT, {**OK, "results": None}],
            [COUNT, {**OK, "results": ["x"]}],
            [COUNT, {**OK, "success": False}],
            [{"success": False, "error": "no"}, ROWS],
            [None, ROWS],
            [COUNT, ROWS, ROWS],
            [OK, COUNT, ROWS],
        ],
    )
    async def test_is_unknown_where_it_is_not_all_there_beside_a_write_that_is(self, db: D1, server: D1Server, look: list[object]) -> None:
        server.script("write", say(200, done([OK, OK, *look])))
        assert await db.write_and_read(ONE_ROW, SELECT) is None

    @pytest.mark.parametrize("missing", [places for count in (1, 2, 3) for places in combinations(range(4), count) if places != (2, 3)])
    async def test_lets_no_missing_result_of_the_write_pass(self, db: D1, server: D1Server, missing: tuple[int, ...]) -> None:
        """Only where both of its own are missing is it known which ones are."""
        server.script("write", say(200, done([result for place, result in enumerate(WHOLE) if place not in missing])))
        with pytest.raises(PartialWriteError, match=rf"the reply says success, but {4 - len(missing)} results for "):
            await db.write_and_read(ONE_ROW, SELECT)

    @pytest.mark.parametrize("failed_at", [0, 1])
    async def test_lets_no_failed_statement_pass(self, db: D1, server: D1Server, failed_at: int) -> None:
        results = [{"success": False, "error": "no"} if place == failed_at else result for place, result in enumerate(WHOLE)]
        server.script("write", say(200, done(results)))
        with pytest.raises(PartialWriteError, match=f"statement {failed_at + 1} failed: no") as caught:
            await db.write_and_read(ONE_ROW, SELECT)
        assert caught.value.statement == failed_at
