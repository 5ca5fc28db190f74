"""Random migrations, a random schedule of faults, and runs until one is quiet: the schema and the rows of a run without any fault."""

# ruff: noqa: S608 - SQL of the tests themselves

import re
import sqlite3
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from hypothesis import HealthCheck, Phase, given, note, settings
from hypothesis import strategies as st

from crane_infra.d1.api import connect
from crane_infra.d1.client import D1
from crane_infra.errors import CraneError
from crane_infra.migrations.unfinished import StartedNotDoneError
from local_cloud.daemon import Running
from local_cloud.faults.client import Faults
from local_cloud.faults.model import Drop, Error, FailStatement, FewerResults, Reply, Rule, Then
from tests.cloud import api_of
from tests.migrations.faults.random_migrations import migrations
from tests.migrations.faults.target import BOOKMARK, IMPORT, NAME, QUERY, ROUNDS, UPLOAD, Files, Target
from tests.wrangler import Wrangler

pytestmark = [pytest.mark.cloud, pytest.mark.npm]

Rows = dict[str, list[tuple[object, ...]]]
UNSHRUNK = (Phase.explicit, Phase.reuse, Phase.generate)  # a smaller example takes minutes, and the schedule tells enough
JSON = {"content-type": "application/json"}
EVERYWHERE: list[Then] = [
    *(Drop(when) for when in ("before-read", "after-read", "after-commit", "mid-body")),
    Error(429, 971, "slow down"),
    Error(429, 971, "slow down", {"retry-after": "3"}),
    Error(429, 971, "slow down", {"retry-after": "600"}),
    Error(503),
    Reply(520, "<html>unknown error</html>", {"content-type": "text/html"}),
    Reply(200, "<html>welcome</html>", {"content-type": "text/html"}),
    Reply(200, '{"success": false, "errors": [], "messages": [], "result": null}', JSON),
    Error(400, 7429, "D1 DB storage operation exceeded timeout which caused object to be reset."),
]
LIES: list[Then] = [FewerResults(1), FewerResults(2), FailStatement(0), FailStatement(1)]
RULES = st.one_of(
    st.builds(Rule, st.just(QUERY), st.sampled_from([*EVERYWHERE, *LIES]), st.integers(1, 14)),
    st.builds(Rule, st.sampled_from([IMPORT, BOOKMARK]), st.sampled_from(EVERYWHERE), st.integers(1, 4)),
    st.builds(Rule, st.just(UPLOAD), st.sampled_from(EVERYWHERE[:4])),
)


@given(data=st.data(), schedule=st.lists(RULES, max_size=6))
@settings(max_examples=5 * ROUNDS, phases=UNSHRUNK, suppress_health_check=list(HealthCheck))
async def test_whatever_goes_wrong_the_end_is_that_of_a_run_without_a_fault(
    cloud: Running, data: st.DataObject, schedule: Sequence[Rule]
) -> None:
    """Each run that fails has met a fault; a file that is started and not done is looked at, and finished by hand as the error says."""
    content = migrations(data)
    note(f"{content}\n{schedule}")
    faults = Faults(cloud)
    faults.reset()
    api = api_of(cloud)
    with api.http, tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        async with connect(cloud.api_url, cloud.token) as client:
            name = f"{NAME}-{uuid4().hex[:8]}"
            made = api.database(name)
            db = D1(client, cloud.account_id, made, name)
            target = Target(api, faults, Wrangler(cloud, Path(folder)), made, db, Path(folder) / "migrations", {})
            files = target.files(content)
            active = [stack.enter_context(faults.fault(rule.route, rule.then, nth=rule.nth)) for rule in schedule]
            await until_quiet(target, files, lambda: sum(fault.fired for fault in active), len(schedule))
            for fault in active:
                fault.end()
            names = tuple(content)
            assert (await target.run(files)).applied == ()
            await target.holds(files, names, wrangler=False)
            assert rows(target, files) == expected_rows(files)


async def until_quiet(target: Target, files: Files, fired: Callable[[], int], faults: int) -> None:
    """Run until a run fails no more. One that fails has met a fault it had not met before, so that there is an end to it."""
    met = -1
    for _ in range(faults + 1):
        try:
            await target.run(files)
        except StartedNotDoneError as error:
            note(str(error))
            finish_by_hand(target, error, faults)
        except CraneError as error:
            note(str(error))
        else:
            return
        assert fired() > met, "a run failed for no reason"
        met = fired()
    raise AssertionError("more runs failed than there are faults")


def finish_by_hand(target: Target, error: StartedNotDoneError, faults: int) -> None:
    """Take the way out that is named for a file whose statements have all run. A person's calls meet faults too, and then they look again."""
    found = re.search(r"then run (INSERT INTO d1_migrations .*?) unless that row exists, and (UPDATE crane_migrations .*)", error.todo)
    assert found is not None
    for left in reversed(range(faults + 1)):
        try:
            if error.entry.name not in target.listed:
                target.rows(found[1])
            target.rows(found[2])
        except (AssertionError, httpx.HTTPError):
            assert left, "more calls failed than there are faults"
        else:
            return


def rows(target: Target, files: Files) -> Rows:
    """The rows of every table."""
    return {table: [tuple(row.values()) for row in target.rows(f"SELECT * FROM {table} ORDER BY rowid")] for table in tables(files)}


def expected_rows(files: Files) -> Rows:
    """The rows of every table where nothing goes wrong, by SQLite itself."""
    with closing(sqlite3.connect(":memory:")) as db:
        for file in files:
            for statement in file.statements:
                db.execute(statement)
        return {table: db.execute(f"SELECT * FROM {table} ORDER BY rowid").fetchall() for table in tables(files)}


def tables(files: Files) -> list[str]:
    """The tables that these files make."""
    return [statement.split()[2] for file in files for statement in file.statements if statement.startswith("CREATE TABLE")]
