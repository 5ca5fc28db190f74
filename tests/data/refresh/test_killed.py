"""``crane data refresh``, killed at each of its steps: production is only read, staging says that it is not complete, the next run completes it.

The command is a process of its own, which the local cloud holds at a call and ``kill -9`` ends there.
"""

import asyncio
import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from signal import SIGKILL

import pytest

from crane_infra.d1.api import connect
from crane_infra.d1.client import D1
from crane_infra.migrations.ledger import Ledger, read_ledger
from local_cloud.faults.model import Hold
from tests import command_line
from tests.clone import bare_clone
from tests.forked import forked
from tests.world.copies import promoted_world
from tests.world.started import until
from tests.world.world import World

# ruff: noqa: S608 - statements of the tests
pytestmark = [pytest.mark.engine, pytest.mark.cloud]

DATABASE, PRODUCTION, STAGING = "crane-context-db", "crane-context-db-prod", "crane-context-db-staging"
BOOKMARK = "GET /accounts/{a}/d1/database/{id}/time_travel/bookmark"
QUERY = "POST /accounts/{a}/d1/database/{id}/query"
IMPORT = "POST /accounts/{a}/d1/database/{id}/import"
SESSIONS = 600
"""More than the first page of a copy has."""
AS_BEFORE, REPLACED = "all rows are still those of before it", "all rows are replaced, and seeds may be missing"
KEY = "a-key-that-masks-in-tests"
FINDINGS = 3


@dataclass(frozen=True)
class Point:
    """A call at which the command is held: its database, its route, what its body has, and what is said of staging afterwards."""

    database: str
    route: str
    saying: str
    said: str
    nth: int = 1


POINTS = {
    "before the copy": Point(PRODUCTION, BOOKMARK, "", AS_BEFORE),
    "in the second page of the copy": Point(PRODUCTION, QUERY, "last_heartbeat_at", AS_BEFORE, nth=2),
    "before the rows are sent": Point(STAGING, IMPORT, "init", AS_BEFORE),
    "when the rows are sent": Point(STAGING, IMPORT, "ingest", AS_BEFORE),
    "once the rows are replaced": Point(STAGING, QUERY, "AS n0", REPLACED),
    "before it is complete": Point(STAGING, QUERY, "SET done_at", REPLACED),
}
IN_A_SEED = Point(STAGING, QUERY, "INSERT OR REPLACE INTO crane_seeds", REPLACED)


@dataclass
class Place:
    """Both environments run one release; production has sessions."""

    world: World
    ids: dict[str, str]
    clone: Path

    def crane(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a command of crane on the world's stacks."""
        environ = {**self.world.engine.environ, "PULUMI_OPTION_CWD": str(self.world.project.folder), "CRANE_MASKING_KEY": KEY}
        return command_line.crane(*words, environ=environ, cwd=self.clone)

    def refresh(self) -> subprocess.CompletedProcess[str]:
        """Refresh staging."""
        return self.crane("data", "refresh", "-s", "staging", "-d", DATABASE, "--yes")

    def bookmark(self) -> object:
        """Production's bookmark, which moves with each write."""
        return self.world.api("GET", f"/d1/database/{self.ids[PRODUCTION]}/time_travel/bookmark")["result"]

    def count(self, table: str, condition: str) -> int:
        """How many rows of a table in staging are so."""
        return int(self.world.rows(STAGING, f"SELECT COUNT(*) AS n FROM {table} WHERE {condition}")[0]["n"])

    def ledger(self) -> Ledger:
        """Staging's ledger."""

        async def read() -> Ledger:
            cloud = self.world.cloud
            async with connect(cloud.api_url, cloud.token) as client:
                return await read_ledger(D1(client, cloud.account_id, self.ids[STAGING], STAGING))

        return asyncio.run(read())


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """The place; each test leaves staging refreshed."""
    with promoted_world(tmp_path_factory) as world:
        numbers = f"WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < {SESSIONS})"
        world.rows(PRODUCTION, f"{numbers} INSERT INTO sessions SELECT 'session-' || i, 'ann', '2026-01-01', '2026-01-01', 'host' FROM n")
        ids = {one["name"]: one["uuid"] for one in world.api("GET", "/d1/database")["result"]}
        yield Place(world, ids, bare_clone(tmp_path_factory.mktemp("clone")))


@contextmanager
def killed_at(place: Place, point: Point) -> Iterator[list[int]]:
    """Run the command until it is held at this point, and kill it there. The call arrives after the block, whose number this gives."""
    faults, folder = place.world.faults, place.world.project.folder
    faults.reset()
    with faults.fault(point.route, Hold(), nth=point.nth, saying=point.saying) as fault:
        with forked(place.refresh, folder) as process:
            process.reaches(fault)
            process.ends_by(SIGKILL)
        held = [call for call in faults.calls() if call["fault"]]
        assert [place.ids[point.database] in call["path"] for call in held] == [True]
        yield [call["number"] for call in held]
    until(lambda: all(call["status"] for call in faults.calls() if call["number"] == held[0]["number"]), "the end of the held call")


@pytest.mark.parametrize("point", POINTS.values(), ids=POINTS)
def test_what_is_killed_is_said_and_completed_by_the_next_run_and_what_it_sent_and_arrives_later_changes_nothing(
    place: Place, point: Point
) -> None:
    place.world.rows(STAGING, "INSERT INTO sessions VALUES ('own', 'ann', '', '', NULL)")
    before = place.bookmark()
    with killed_at(place, point):
        refresh = place.ledger().refresh
        assert refresh is not None
        assert point.said in refresh.summary
        assert place.count("sessions", "id = 'own'") == (point.said == AS_BEFORE)
        ran = place.refresh()
        assert ran.returncode == 0, ran.stderr
        assert refresh.summary in ran.stdout
    assert place.ledger().refresh is None
    assert (place.count("sessions", "id != 'own'"), place.count("sessions", "id = 'own'")) == (SESSIONS, 0)
    assert place.count("smoke_writes", "name = 'seed'") == 1
    assert [change for change in place.world.changes() if place.ids[PRODUCTION] in change] == []
    assert place.bookmark() == before


def test_an_unchanged_update_runs_the_seeds_that_a_killed_refresh_left_out(place: Place) -> None:
    world = place.world
    with killed_at(place, IN_A_SEED):
        seed = "SELECT written_at FROM smoke_writes WHERE name = 'seed'"
        assert world.rows(STAGING, seed) == []
    world.rows(STAGING, "DELETE FROM crane_seeds")  # the call that was held brought both
    world.rows(STAGING, "DELETE FROM smoke_writes")

    verified = place.crane("verify", "-s", "staging")
    assert verified.returncode == FINDINGS, verified.stdout + verified.stderr
    assert REPLACED in verified.stdout
    looked = place.crane("status", "--json")
    staging = next(one for one in json.loads(looked.stdout)["environments"] if one["name"] == "staging")
    assert [line for line in staging["problems"] if REPLACED in line]
    assert [one["as_expected"] for one in staging["databases"]] == [True, True]

    updated = world.up("staging")
    assert updated.exit == 0, updated.output
    assert f"{REPLACED}. This update runs the missing seeds and completes it" in updated.output
    assert place.ledger().refresh is None
    assert len(world.rows(STAGING, seed)) == 1
    again = world.engine.run("preview", "--stack", "staging", "--expect-no-changes")
    assert again.exit == 0, again.output
    assert REPLACED not in again.output
