"""A request that applies all that is pending answers with the ledger, by the real engine of D1; whatever becomes of that answer, the ledger decides.

Cases 3, 4 and 8.
"""

import pytest

from crane_infra.migrations.ledger import head_of
from crane_infra.migrations.unfinished import StartedNotDoneError
from local_cloud.faults.model import Drop, FailStatement, FewerResults, Then
from tests.migrations.faults.target import NAMES, QUERY, Files, Places, Target

pytestmark = [pytest.mark.cloud, pytest.mark.npm]

SHARED = {
    NAMES[0]: "CREATE TABLE t (x TEXT);",
    NAMES[1]: "CREATE INDEX by_x ON t (x);",
    NAMES[2]: "ALTER TABLE t ADD COLUMN y TEXT;",
}
"""They only change the schema, so they share a request."""
STATEMENTS = 12
"""Of that request: the files', and those that write to the ledger. The look's two follow."""
REPLIES: dict[str, Then] = {
    **{when: Drop(when) for when in ("before-read", "after-read", "after-commit", "mid-body")},
    "no look": FewerResults(2),
    "a count that failed": FailStatement(STATEMENTS),
    "a look that failed": FailStatement(STATEMENTS + 1),
}


@pytest.fixture
def files(target: Target) -> Files:
    """Three files that share a request."""
    return target.files(SHARED)


async def test_nothing_is_asked_after_it(target: Target, files: Files) -> None:
    """A read, the ledger's tables, the files; and for a single file the read of what is there, and the file."""
    target.faults.reset()
    outcome = await target.run(files)
    assert (outcome.applied, outcome.head, target.calls(QUERY)) == (NAMES, head_of(files), 3)
    more = target.files({**SHARED, "0011_row.sql": "INSERT INTO t (x) VALUES ('a');"})
    outcome = await target.run(more, has_ledger=True)
    assert (outcome.applied, outcome.head, target.calls(QUERY)) == (("0011_row.sql",), head_of(more), 3 + 2)
    await target.holds(more, [*NAMES, "0011_row.sql"])


@pytest.mark.parametrize("reply", REPLIES)
async def test_a_reply_that_is_lost_or_cut_is_settled_by_the_ledger(target: Target, files: Files, places: Places, reply: str) -> None:
    with target.faults.fault(QUERY, REPLIES[reply], nth=places.on_empty) as met:
        outcome = await target.run(files)
    assert (met.fired, outcome.applied, outcome.head) == (1, NAMES, head_of(files))
    await target.holds(files, NAMES)


@pytest.mark.parametrize("reply", [FewerResults(1), FewerResults(3), FewerResults(STATEMENTS + 2), FailStatement(STATEMENTS - 1)], ids=str)
async def test_a_reply_that_may_lack_a_statement_of_a_file_is_a_failure(
    target: Target, files: Files, places: Places, reply: FewerResults | FailStatement
) -> None:
    with target.faults.fault(QUERY, reply, nth=places.on_empty) as met, pytest.raises(StartedNotDoneError, match="the reply says success"):
        await target.run(files)
    assert met.fired == 1
    with pytest.raises(StartedNotDoneError):
        await target.run(files)
    target.ran_once(files, NAMES)
    target.rows("UPDATE crane_migrations SET done_at = CURRENT_TIMESTAMP")
    assert (await target.run(files)).applied == ()
    await target.holds(files, NAMES)
