"""Ways around the order of an environment lead nowhere: a step that was left out proves nothing.

One story on one local cloud: each fixture goes on from the one that it names.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.world.copies import fresh_world
from tests.world.engine import Json, Result
from tests.world.world import World, edited

pytestmark = [pytest.mark.engine, pytest.mark.cloud]

NEW_FILE = "CREATE TABLE escapes (id INTEGER PRIMARY KEY);\n"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """An empty account."""
    with fresh_world(tmp_path_factory) as empty:
        yield empty


@dataclass(frozen=True)
class LeftOut:
    """Staging deployed without its release step: what it exports then, and how production took it."""

    staging: Result
    proofs: list[Json]
    production: Result


@pytest.fixture(scope="module")
def left_out(world: World) -> LeftOut:
    """The very first update leaves the release step out."""
    staging = world.up("staging", "--exclude", "**release**")
    return LeftOut(staging, world.proofs("staging"), world.up("production", "--exclude", "**release**"))


class TestAReleaseStepThatWasLeftOut:
    def test_exports_no_proof(self, left_out: LeftOut) -> None:
        assert left_out.staging.exit == 0, left_out.staging.errors
        assert left_out.proofs == []

    def test_leaves_production_closed(self, world: World, left_out: LeftOut) -> None:
        assert left_out.production.exit != 0
        assert left_out.production.errors[0].startswith("production gate closed: staging has not proven any release.")
        assert world.resources("production") == set()


@pytest.fixture(scope="module")
def proven(world: World, left_out: LeftOut) -> list[Json]:
    """A whole update proves; leaving the step out again takes no proof away and adds none."""
    assert left_out.proofs == []
    assert world.up("staging").exit == 0
    proofs = world.proofs("staging")
    assert world.up("staging", "--exclude", "**release**").exit == 0
    assert world.proofs("staging") == proofs
    return proofs


@dataclass(frozen=True)
class PastTheSchema:
    """A new version that was sent past its schema step: how the run ended, and which version answered before and after."""

    run: Result
    before: str
    after: str
    tables: list[Json]


@pytest.fixture(scope="module")
def past_the_schema(world: World, proven: list[Json]) -> PastTheSchema:
    """A release with a new migration, of which only upload and routing are asked for."""
    assert len(proven) == 1
    before = world.answering("crane-context-staging")
    migration = world.workers / "crane-context" / "migrations" / "0009_escapes.sql"
    migration.write_text(NEW_FILE, encoding="utf-8")
    with edited(world.workers / "crane-context" / "dist" / "index.js", "export default {", "// Another release.\nexport default {"):
        run = world.up("staging", "--target", "**WorkerVersion::*", "--target", "**WorkersDeployment::*")
    migration.unlink()
    tables = world.rows("crane-context-db-staging", "SELECT name FROM sqlite_master WHERE name = 'escapes'")
    return PastTheSchema(run, before, world.answering("crane-context-staging"), tables)


class TestAVersionThatIsSentPastItsSchema:
    def test_gets_no_traffic_and_the_one_before_keeps_it(self, past_the_schema: PastTheSchema) -> None:
        assert past_the_schema.run.exit != 0
        assert past_the_schema.tables == []
        assert past_the_schema.after == past_the_schema.before

    def test_is_refused_with_the_database_that_lags(self, past_the_schema: PastTheSchema) -> None:
        output = "\n".join(past_the_schema.run.errors)
        assert "database crane-context-db-staging: its ledger stands at 0004_create_smoke_writes.sql (4 migrations)" in output
        assert "the files at 0009_escapes.sql (5)" in output


@dataclass(frozen=True)
class LookedTwice:
    """A promotion whose second look at staging found no answer, and the one after it."""

    refused: Result
    served: int
    promoted: Result


@pytest.fixture(scope="module")
def looked_twice(world: World, past_the_schema: PastTheSchema) -> LookedTwice:
    """The gate looks at both workers of staging, the program three times at both of production; from then on neither can be looked at."""
    assert past_the_schema.run.exit != 0
    world.faults.reset()
    world.faults.fail("GET /accounts/{a}/workers/scripts/{name}/deployments", nth=9, times=100, status=403)
    refused = world.up("production")
    world.faults.reset()
    served = len(world.api("GET", "/workers/scripts/crane-context/deployments")["result"]["deployments"])
    return LookedTwice(refused, served, world.up("production"))


class TestAStagingThatMovesOnDuringAPromotion:
    def test_keeps_the_new_version_out_of_traffic(self, looked_twice: LookedTwice) -> None:
        assert looked_twice.refused.exit != 0
        assert "production gate closed: staging could not be looked at: deployments of crane-" in looked_twice.refused.output
        assert looked_twice.served == 0

    def test_and_the_promotion_goes_on_once_staging_is_as_proven(self, looked_twice: LookedTwice) -> None:
        assert looked_twice.promoted.exit == 0, looked_twice.promoted.errors


@dataclass(frozen=True)
class NeverLooked:
    """Another release, deployed to staging around its release step: what staging exports after each run, and how production took it."""

    before: list[Json]
    left_out: Result
    after_left_out: list[Json]
    refreshed: Result
    after_refresh: list[Json]
    production: Result


@pytest.fixture(scope="module")
def never_looked(world: World, looked_twice: LookedTwice) -> NeverLooked:
    """The release step is left out, then a refresh runs the program: neither runs the hook."""
    assert looked_twice.promoted.exit == 0
    before = world.proofs("staging")
    with edited(world.workers / "crane-context" / "dist" / "index.js", "export default {", "// Never looked at.\nexport default {"):
        left_out = world.up("staging", "--exclude", "**release**")
        after_left_out = world.proofs("staging")
        refreshed = world.engine.run("refresh", "--stack", "staging", "--yes", "--skip-preview", "--run-program")
        return NeverLooked(before, left_out, after_left_out, refreshed, world.proofs("staging"), world.up("production"))


class TestAReleaseThatServesInStagingAndThatNoHookHasSeen:
    def test_is_not_proven_by_an_update_without_its_release_step(self, never_looked: NeverLooked) -> None:
        assert never_looked.left_out.exit == 0, never_looked.left_out.errors
        assert never_looked.after_left_out == never_looked.before

    def test_is_not_proven_by_a_refresh_that_runs_the_program(self, never_looked: NeverLooked) -> None:
        assert never_looked.refreshed.exit == 0, never_looked.refreshed.errors
        assert never_looked.after_refresh == never_looked.before

    def test_is_refused_by_production(self, never_looked: NeverLooked) -> None:
        assert never_looked.production.exit != 0
        assert never_looked.production.errors[0].startswith("production gate closed: release ")
