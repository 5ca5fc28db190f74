"""No reply, a late one, or one that is none: the ledger is read before anything is sent again, and each file is applied once.

Cases 3 to 6.
"""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from crane_infra.errors import MigrationError
from local_cloud.faults.model import Behave, Drop, Error, Reply, Then
from tests.migrations.builders import SHOWN
from tests.migrations.faults.target import BOOKMARK, NAMES, QUERY, Files, Places, Target

pytestmark = [pytest.mark.cloud, pytest.mark.npm]

HTML = {"content-type": "text/html"}
STATUSES = [*range(500, 505), *range(520, 527)]
PAGES: dict[str, Then] = {
    **{str(status): Reply(status, "<html>something is wrong</html>", HTML) for status in STATUSES},
    "502 as JSON": Error(502),
    "200 with HTML": Reply(200, "<html>welcome</html>", HTML),
    "200 with half a page": Reply(200, '{"success": true, "result": [', {"content-type": "application/json"}),
}
AFTER_COMMIT = ["after-commit", "mid-body"]
UNREAD = ["before-read", "after-read"]


@pytest.mark.parametrize("file", [0, 1, 2])
@pytest.mark.parametrize("when", AFTER_COMMIT)
async def test_a_reply_that_is_lost_after_the_commit_is_settled_by_the_ledger_and_not_resent(
    target: Target, three: Files, places: Places, when: str, file: int
) -> None:
    """Case 3."""
    with target.faults.fault(QUERY, Drop(when), nth=places.on_empty + file) as lost:  # type: ignore[arg-type]
        assert (await target.run(three)).applied == NAMES
    assert (lost.fired, target.pauses) == (1, [])
    await target.holds(three, NAMES)


@pytest.mark.parametrize("file", [0, 1, 2])
@pytest.mark.parametrize("when", UNREAD)
async def test_a_request_that_d1_never_had_is_sent_once_more(target: Target, three: Files, places: Places, when: str, file: int) -> None:
    """Case 4."""
    with target.faults.fault(QUERY, Drop(when), nth=places.on_empty + file) as lost:  # type: ignore[arg-type]
        assert (await target.run(three)).applied == NAMES
    assert lost.fired == 1
    await target.holds(three, NAMES)


@pytest.mark.parametrize("when", UNREAD)
async def test_a_request_that_d1_never_has_is_sent_twice_and_no_more(target: Target, three: Files, places: Places, when: str) -> None:
    """Case 4: between the two the ledger is read."""
    assert (await target.run(three[:1])).applied == NAMES[:1]
    before = target.calls(QUERY)
    with (
        target.faults.fault(QUERY, Drop(when), nth=places.later) as first,  # type: ignore[arg-type]
        target.faults.fault(QUERY, Drop(when), nth=places.later + 2) as second,  # type: ignore[arg-type]
        pytest.raises(MigrationError, match=rf"^{SHOWN}/{NAMES[1]}: .*The ledger has no record of it\. Applied in this run: none\. "),
    ):
        await target.run(three)
    assert (first.fired, second.fired, target.calls(QUERY) - before) == (1, 1, places.later + 3)
    await target.holds(three, NAMES[:1])
    assert (await target.run(three)).applied == NAMES[1:]
    await target.holds(three, NAMES)


@pytest.mark.parametrize("when", [*UNREAD, *AFTER_COMMIT])
@pytest.mark.parametrize("route", [QUERY, BOOKMARK])
async def test_whatever_happens_to_a_read_or_to_the_first_tables_the_run_goes_on(
    target: Target, three: Files, places: Places, when: str, route: str
) -> None:
    """Cases 3 and 4: every call before the first file, one after the other."""
    before = places.on_empty - 1 if route == QUERY else 1
    for nth in range(1, before + 1):
        with target.faults.fault(route, Drop(when), nth=nth) as lost:  # type: ignore[arg-type]
            assert (await target.run(three)).applied == NAMES
        assert lost.fired == 1
        await target.holds(three, NAMES)
        for table in ("t", "d1_migrations", "crane_migrations"):
            target.rows(f"DROP TABLE {table}")
        target.faults.reset()


async def test_a_wait_that_is_asked_for_is_kept(target: Target, three: Files, places: Places) -> None:
    """Case 5: 3 seconds."""
    with target.faults.fault(QUERY, Error(429, 971, "slow down", {"retry-after": "3"}), nth=places.on_empty + 1) as limited:
        assert (await target.run(three)).applied == NAMES
    assert (limited.fired, target.pauses) == (1, [3.0])
    await target.holds(three, NAMES)


async def test_a_wait_until_a_date_is_kept(target: Target, three: Files, places: Places) -> None:
    """Case 5: HTTP dates have whole seconds."""
    until = {"retry-after": format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True)}
    with target.faults.fault(QUERY, Error(429, 971, "slow down", until), nth=places.on_empty + 1):
        assert (await target.run(three)).applied == NAMES
    (waited,) = target.pauses
    assert 0 <= waited <= 30
    await target.holds(three, NAMES)


async def test_without_a_time_it_waits_a_little_and_not_always_as_long(target: Target, three: Files, places: Places) -> None:
    """Case 5."""
    for number in range(3):
        with target.faults.fault(QUERY, Error(429, 971, "slow down"), nth=(places.on_empty if number == 0 else places.later)):
            assert (await target.run(three[: number + 1])).applied == NAMES[number : number + 1]
    assert all(1 <= waited <= 5 for waited in target.pauses)
    assert len(set(target.pauses)) == 3


async def test_a_wait_of_ten_minutes_is_not_waited_for(target: Target, three: Files, places: Places) -> None:
    """Case 5."""
    with (
        target.faults.fault(QUERY, Error(429, 971, "slow down", {"retry-after": "600"}), nth=places.on_empty + 1, times=9) as limited,
        pytest.raises(MigrationError, match=rf"^{SHOWN}/{NAMES[1]}: .*\(429\) and asks to wait 600 s\. Nothing of it ran\. ") as caught,
    ):
        await target.run(three)
    assert "Wait, then run the same `pulumi up` again" in str(caught.value)
    assert (limited.fired, target.pauses) == (1, [])
    await target.holds(three, NAMES[:1])


async def test_a_time_out_of_d1_is_no_rate_limit(target: Target, places: Places) -> None:
    """Cases 5 and 17: D1 says 7429 with the status 429; a statement that takes too long leaves nothing and is not called a rate limit."""
    endless = "INSERT INTO t VALUES ('first'); INSERT INTO t WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 1000000000) SELECT max(x) FROM c;"
    files = target.files({NAMES[0]: "CREATE TABLE t (x TEXT);", NAMES[1]: endless})
    hurried = Behave({"query_seconds": 0.2})
    with (
        target.faults.fault(QUERY, hurried, nth=places.on_empty + 1) as once,
        target.faults.fault(QUERY, hurried, nth=places.on_empty + 3) as again,
        pytest.raises(MigrationError, match=rf"^{SHOWN}/{NAMES[1]}: .*exceeded timeout.*\(code 7429\)\. The ledger has no record of it\."),
    ):
        await target.run(files)
    assert (once.fired, again.fired, target.pauses) == (1, 1, [])
    await target.holds(files, NAMES[:1])


@pytest.mark.parametrize("page", PAGES)
async def test_a_page_in_place_of_an_answer_is_never_taken_for_success(target: Target, three: Files, places: Places, page: str) -> None:
    """Case 6: for the first read, for the bookmark, and for a file, which is sent again only because the ledger has nothing of it."""
    with (
        target.faults.fault(QUERY, PAGES[page]) as read,
        target.faults.fault(BOOKMARK, PAGES[page]) as bookmark,
        target.faults.fault(QUERY, PAGES[page], nth=places.on_empty + 2) as write,
    ):
        assert (await target.run(three)).applied == NAMES
    assert (read.fired, bookmark.fired, write.fired) == (1, 1, 1)
    await target.holds(three, NAMES)


async def test_a_page_that_stays_ends_the_run_with_nothing_in_doubt(target: Target, three: Files, places: Places) -> None:
    """Case 6: the ledger cannot be read either, and the error says both."""
    with (
        target.faults.fault(QUERY, PAGES["502"], nth=places.on_empty + 1, times=99),
        pytest.raises(
            MigrationError, match=rf"^{SHOWN}/{NAMES[1]}: .*status 502; and the ledger of {target.name} cannot be read: .*status 502"
        ),
    ):
        await target.run(three)
    await target.holds(three, NAMES[:1])
    assert (await target.run(three)).applied == NAMES[1:]
    await target.holds(three, NAMES)
