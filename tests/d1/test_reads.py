"""Reads are repeated after temporary failures only, and an unusable reply never counts as an answer."""

from datetime import UTC, datetime

import pytest

from crane_infra.d1.answer import parse_retry_after
from crane_infra.d1.api import backoff
from crane_infra.d1.client import D1
from crane_infra.d1.database import BoundStatement
from crane_infra.d1.errors import NoAnswerError, RateLimitedError, RefusedError
from tests.d1.server import ACCOUNT, DATABASE, NAME, TOKEN, D1Server, Reply, connected, done, drop_unread, failed, say

SELECT = "SELECT 1 AS one"


async def test_a_select_answers_with_its_rows(db: D1) -> None:
    assert await db.read("SELECT ? AS word, ? AS number, ? AS nought", ("a", 2, None)) == [{"word": "a", "number": 2, "nought": None}]


@pytest.mark.parametrize("sql", ["DELETE FROM t", "WITH x AS (SELECT 1) DELETE FROM t", "PRAGMA user_version = 3", "SELECTED"])
async def test_what_may_write_is_not_taken_for_a_read(db: D1, server: D1Server, sql: str) -> None:
    with pytest.raises(ValueError, match=r"^only a SELECT may be sent again$"):
        await db.read(sql)
    assert server.requests == []


@pytest.mark.parametrize("status", [*range(500, 505), *range(520, 527)])
async def test_a_read_is_repeated_after_a_server_error(db: D1, server: D1Server, status: int) -> None:
    server.script("read", say(status), say(status, failed(7500, "internal error")))
    assert await db.read(SELECT) == [{"one": 1}]
    assert server.count("read") == 3


async def test_a_read_is_repeated_after_a_lost_connection(db: D1, server: D1Server) -> None:
    server.script("read", drop_unread, lambda execute: Reply(200, execute().body, cut=True))
    assert await db.read(SELECT) == [{"one": 1}]


UNREADABLE = "the rows of statement 2 cannot be read ({})"


def rows(*found: object) -> dict[str, object]:
    """The result of one statement."""
    return {"success": True, "results": list(found), "meta": {}}


NO_ANSWERS = {
    "html": ("<html>all is well</html>", "status 200 with text/html, which is not an answer of the API"),
    "list": ([], "status 200 with application/json, which is not an answer of the API"),
    "nothing": (done(None), "its answer cannot be read (result: Input should be a valid list)"),
    "no reason": ({"success": False, "errors": []}, "the reply says success: false without a reason"),
    "no results": (done([]), "0 results for 2 statements"),
    "more results": (done([rows(), rows(), rows()]), "3 results for 2 statements"),
    "failed statement": (done([{"success": False, "error": "locked"}]), "statement 1 failed: locked"),
    "no rows": (done([rows({"counted": 1}), {"success": True, "meta": {}}]), UNREADABLE.format("results: Input should be a valid list")),
    "rows that are none": (done([rows({"counted": 1}), rows("one")]), UNREADABLE.format("results.0: Input should be a valid dictionary")),
    "rows left out": (done([rows({"counted": 1}), rows()]), "its answer has 0 rows, and counts another number of them"),
    "nothing of anything": (done([rows(), rows()]), "its answer has 0 rows, and counts another number of them"),
    "a number that is none": ('{"success": true, "result": NaN}', "status 200 with text/html, which is not an answer of the API"),
}


@pytest.mark.parametrize("case", NO_ANSWERS)
async def test_status_200_alone_is_not_an_answer(db: D1, server: D1Server, case: str) -> None:
    """Row 6, 7, 8: after the last try the read fails, and says with what."""
    body, what = NO_ANSWERS[case]
    server.script("read", *[say(200, body)] * 5)
    with pytest.raises(NoAnswerError) as caught:
        await db.read(SELECT)
    assert str(caught.value) == f"D1 database {NAME}: Cloudflare's API failed: {what}. Try again; cloudflarestatus.com lists known outages."
    assert server.count("read") == 5


async def test_a_short_rate_limit_is_waited_for(db: D1, server: D1Server) -> None:
    server.script("read", say(429, failed(971, "slow down"), {"retry-after": "3"}), say(429))
    assert await db.read(SELECT) == [{"one": 1}]


async def test_a_long_rate_limit_fails_at_once(db: D1, server: D1Server) -> None:
    server.script("read", say(429, headers={"retry-after": "600"}))
    with pytest.raises(RateLimitedError) as caught:
        await db.read(SELECT)
    assert str(caught.value) == (
        f"D1 database {NAME}: Cloudflare limits the calls of this token (429) and asks to wait 600 s. "
        "Wait, then run the same command again."
    )
    assert server.count("read") == 1


@pytest.mark.parametrize(("retry_after", "wait"), [(3.0, 3.0), (60.0, 60.0), (600.0, False), (None, True)])
def test_the_wait_is_the_one_that_was_asked_for(retry_after: float | None, wait: bool | float) -> None:  # noqa: FBT001
    """Row 5: obeyed up to a minute, refused beyond, left to the backoff with jitter where none is given."""
    assert backoff(RateLimitedError("a", "b", "c", retry_after)) is wait or backoff(RateLimitedError("a", "b", "c", retry_after)) == wait


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("3", 3.0),
        ("600", 600.0),
        (None, None),
        ("soon", None),
        ("Tue, 01 Jan 2030 00:00:30 GMT", 30.0),
        ("Tue, 01 Jan 2019 00:00:00 GMT", 0.0),
    ],
)
def test_retry_after_is_a_number_or_a_date(header: str | None, seconds: float | None) -> None:
    assert parse_retry_after(header, datetime(2030, 1, 1, tzinfo=UTC)) == seconds


async def test_a_token_that_is_not_accepted_is_never_shown(server: D1Server) -> None:
    """Row 9; the server of this test echoes the token in its error, as an API might."""
    async with connected(server, token="canary-wrong-token") as db:
        with pytest.raises(RefusedError) as caught:
            await db.read(SELECT)
    assert str(caught.value) == (
        f"D1 database {NAME}: the API token was not accepted (401), Authentication error with Bearer [hidden] (code 10000). "
        "Use a valid token with the permission D1 Read."
    )


async def test_a_token_without_the_permission_is_told_which(db: D1, server: D1Server) -> None:
    server.script("read", say(403, failed(10000, "Authentication error")))
    server.script("write", say(403, failed(10000, "Authentication error")))
    with pytest.raises(RefusedError) as reading:
        await db.read(SELECT)
    with pytest.raises(RefusedError) as writing:
        await db.write([BoundStatement("DELETE FROM t")])
    assert str(reading.value) == (
        f"D1 database {NAME}: the API token may not do this (403), Authentication error (code 10000). "
        f"Give it the permission D1 Read on account {ACCOUNT}."
    )
    assert str(writing.value).endswith(f"Give it the permission D1 Write on account {ACCOUNT}.")
    assert len(server.requests) == 2


async def test_a_database_that_does_not_exist_is_named(server: D1Server) -> None:
    other = DATABASE.replace("2", "3")
    async with connected(server, database_id=other) as db:
        with pytest.raises(RefusedError) as caught:
            await db.read(SELECT)
    assert str(caught.value) == (
        f"D1 database {NAME}: account {ACCOUNT} has no database {other}, The database could not be found (code 7404). "
        "Check the account id and the database id in the settings."
    )


async def test_a_mistake_in_the_sql_is_not_repeated(db: D1, server: D1Server) -> None:
    with pytest.raises(RefusedError) as caught:
        await db.read("SELECT * FROM nowhere")
    assert (
        str(caught.value)
        == f"D1 database {NAME}: D1 refused it: no such table: nowhere: SQLITE_ERROR (code 7500). Fix what the message names."
    )
    assert server.count("read") == 1


async def test_an_echoed_parameter_is_hidden(db: D1, server: D1Server) -> None:
    server.script("read", say(400, failed(7500, f"bad value canary-value-1, {TOKEN}, 77")))
    with pytest.raises(RefusedError) as caught:
        await db.read("SELECT ?, ?", ("canary-value-1", 77))
    assert "D1 refused it: bad value [hidden], [hidden], [hidden] (code 7500)" in str(caught.value)


async def test_a_bookmark_is_read_like_everything_else(db: D1, server: D1Server) -> None:
    server.sql("CREATE TABLE d1_migrations (name TEXT)")
    server.script("bookmark", drop_unread, say(500), say(200, done({})))
    assert await db.bookmark() == "bookmark-0"
    assert server.count("bookmark") == 4
