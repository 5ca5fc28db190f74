"""Production takes exactly what was proven, or nothing: while staging moves on, and where a migration fails in production alone.

Cases 28, 29, and of 24 ``--continue-on-error``. One story on one local cloud: each fixture goes on from the one that it names. Production has
a folder of files of its own, as two checkouts have.
"""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from local_cloud.faults.model import Hold
from tests import command_line
from tests.clone import bare_clone
from tests.world.copies import promoted_world
from tests.world.engine import Json, Result
from tests.world.started import started
from tests.world.world import SETTINGS, World, edit

pytestmark = [pytest.mark.engine, pytest.mark.cloud]

WORKERS = ("crane-context", "crane-classifier")
DATABASE = "crane-context-db-prod"
BOOKMARK = "GET /accounts/{a}/d1/database/{id}/time_travel/bookmark"
QUERY = "POST /accounts/{a}/d1/database/{id}/query"
UPLOAD = "POST /accounts/{a}/workers/workers/{id}/versions"
APPLIES = "INSERT INTO crane_migrations"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Staging proven and promoted."""
    with promoted_world(tmp_path_factory) as made:
        settings = made.stack_file("production")
        settings["config"][f"{SETTINGS}:workers-dir"] = str(files(made))
        made.write_stack_file("production", settings)
        check_out(made)
        yield made


def files(world: World) -> Path:
    """The files that production is run from."""
    return world.project.folder / "production-files"


def check_out(world: World) -> None:
    """Run production from the files that staging has now."""
    shutil.rmtree(files(world), ignore_errors=True)
    shutil.copytree(world.workers, files(world))


def next_release(world: World, number: str, sql: str) -> None:
    """Staging's files become another release: both workers change, and a migration and a seed come."""
    for worker in WORKERS:
        edit(world.workers / worker / "dist" / "index.js", "export default {", f"// {number}\nexport default {{")
    (world.workers / "crane-context" / "migrations" / f"{number}_next.sql").write_text(f"{sql}\n")
    seed = f"INSERT INTO smoke_writes (name, written_at) VALUES ('{number}; in staging alone', '') ON CONFLICT DO NOTHING;\n"  # noqa: S608
    (world.workers / "crane-context" / "seeds" / f"{number}_next.sql").write_text(seed)


def well(run: Result) -> Result:
    """A run that has to succeed."""
    assert run.exit == 0, run.output
    return run


def answering(world: World, suffix: str = "") -> list[str]:
    """The versions that answer."""
    return [world.answering(f"{worker}{suffix}") for worker in WORKERS]


def ledger(world: World) -> list[str]:
    """The names in production's ledger."""
    return [str(row["name"]) for row in world.rows(DATABASE, "SELECT name FROM d1_migrations ORDER BY id")]


@dataclass(frozen=True)
class Conflict:
    """A migration that fails in production alone: how the promotion ended, and what there was before and after."""

    run: Result
    before: Json
    after: Json


def standing(world: World) -> Json:
    """What production is."""
    return {"answering": answering(world), "ledger": ledger(world), "proofs": world.proofs("production")}


@pytest.fixture(scope="module")
def conflict(world: World) -> Conflict:
    """Production has rows that the migration of a release proven in staging does not take."""
    next_release(world, "0101", "-- crane: contract\nCREATE UNIQUE INDEX sessions_by_agent ON sessions (agent);")
    well(world.up("staging"))
    check_out(world)
    world.rows(DATABASE, "INSERT INTO sessions VALUES ('1', 'twice', '', '', NULL), ('2', 'twice', '', '', NULL)")
    before = standing(world)
    return Conflict(world.up("production"), before, standing(world))


class TestAMigrationThatFailsInProduction:
    def test_names_the_file_and_comes_after_the_gate(self, conflict: Conflict) -> None:
        assert conflict.run.exit != 0
        assert "production gate open: " in conflict.run.output
        assert f"0101_next.sql: not applied to {DATABASE}" in conflict.run.output
        assert "UNIQUE constraint failed: sessions.agent" in conflict.run.output

    def test_leaves_the_version_before_in_traffic_and_the_ledger_and_the_proofs_as_they_were(
        self, world: World, conflict: Conflict
    ) -> None:
        assert conflict.after == conflict.before
        assert len(world.versions(WORKERS[0])) == 2


@dataclass(frozen=True)
class MeanwhileStaging:
    """A promotion during which staging was on its way to a newer release."""

    run: Result
    standing: Json
    proven: Json
    staging: Result
    newer: Json


@pytest.fixture(scope="module")
def promoted(world: World, conflict: Conflict) -> MeanwhileStaging:  # noqa: ARG001 - it has to come first
    """The rows are gone, and production is tried again. Staging's next release is uploaded, its migration not applied yet."""
    world.rows(DATABASE, "DELETE FROM sessions WHERE agent = 'twice'")
    next_release(world, "0102", "CREATE TABLE more (text TEXT NOT NULL);")
    proven = world.proofs("staging")[0]
    with world.faults.fault(BOOKMARK, Hold()) as fault, started(world, "staging") as staging:
        staging.reaches(fault)
        staging.freeze()
        fault.end()
        run, seen = world.up("production"), standing(world)
        staging.thaw()
        ended = staging.end()
    return MeanwhileStaging(run, seen, proven, ended, world.proofs("staging")[0])


class TestAPromotionWhileStagingIsOnItsWay:
    def test_converges_once_the_conflict_is_gone(self, promoted: MeanwhileStaging) -> None:
        well(promoted.run)
        assert promoted.standing["ledger"].count("0101_next.sql") == 1

    def test_takes_exactly_what_was_proven(self, promoted: MeanwhileStaging) -> None:
        proof = promoted.standing["proofs"][0]
        assert proof["digest"] == promoted.proven["digest"] != promoted.newer["digest"]
        assert [proof["workers"][name]["tag"] for name in WORKERS] == [promoted.proven["workers"][name]["tag"] for name in WORKERS]
        assert [proof["workers"][name]["version"] for name in WORKERS] == promoted.standing["answering"]
        assert "0102_next.sql" not in promoted.standing["ledger"]

    def test_does_not_disturb_staging(self, promoted: MeanwhileStaging) -> None:
        well(promoted.staging)


@dataclass(frozen=True)
class Overtaken:
    """A promotion that staging overtook between the gate and the traffic."""

    run: Result
    before: Json
    after: Json
    staging: Result
    next: Result


@pytest.fixture(scope="module")
def overtaken(world: World, promoted: MeanwhileStaging) -> Overtaken:
    """Both run. Production has passed the gate and uploads; staging goes to its end; production goes on."""
    well(promoted.staging)
    check_out(world)
    next_release(world, "0103", "CREATE TABLE most (text TEXT NOT NULL);")
    before = standing(world)
    with world.faults.fault(BOOKMARK, Hold()) as migrates, started(world, "staging") as staging:
        staging.reaches(migrates)
        staging.freeze()
        migrates.end()
        with world.faults.fault(UPLOAD, Hold()) as uploads, started(world, "production") as production:
            production.reaches(uploads)
            production.freeze()
            uploads.end()
            staging.thaw()
            ended = staging.end()
            production.thaw()
            run = production.end()
    after = standing(world)
    check_out(world)
    return Overtaken(run, before, after, ended, world.up("production"))


class TestAPromotionThatStagingOvertakes:
    def test_had_passed_the_gate(self, overtaken: Overtaken) -> None:
        assert "production gate open: " in overtaken.run.output

    def test_takes_exactly_what_was_proven(self, world: World, overtaken: Overtaken) -> None:
        """Staging's own later run does not undo a proof; see decision 15."""
        well(overtaken.run)
        assert overtaken.after["ledger"][-1] == "0102_next.sql"
        assert overtaken.after["proofs"][0]["digest"] == world.proofs("staging")[1]["digest"]

    def test_does_not_disturb_staging_and_the_next_promotion_takes_what_it_has_proven(self, world: World, overtaken: Overtaken) -> None:
        well(overtaken.staging)
        well(overtaken.next)
        assert world.proofs("production")[0]["digest"] == world.proofs("staging")[0]["digest"]
        assert ledger(world)[-2:] == ["0102_next.sql", "0103_next.sql"]


@dataclass(frozen=True)
class WentOn:
    """Updates of staging that go on after an error, in which an upload, then a migration failed."""

    upload: Result
    migration: Result
    before: Json
    after_upload: Json
    after_migration: Json
    production: Result


@pytest.fixture(scope="module")
def went_on(world: World, overtaken: Overtaken) -> WentOn:
    """A new release, and ``--continue-on-error``."""
    well(overtaken.next)
    next_release(world, "0104", "CREATE TABLE last (text TEXT NOT NULL);")
    check_out(world)
    before = staged(world)
    world.faults.reset()
    world.faults.fail(UPLOAD, status=403, message="injected: no upload")
    upload, after_upload = world.up("staging", "--continue-on-error"), staged(world)
    world.faults.reset()
    world.faults.fail(QUERY, saying=APPLIES, status=403, message="injected: no query")
    migration, after_migration = world.up("staging", "--continue-on-error"), staged(world)
    world.faults.reset()
    return WentOn(upload, migration, before, after_upload, after_migration, world.up("production"))


def staged(world: World) -> Json:
    """What staging is."""
    return {"answering": answering(world, "-staging"), "proofs": world.proofs("staging")}


class TestAnUpdateThatGoesOnAfterAnError:
    def test_deploys_and_proves_nothing_where_an_upload_fails(self, went_on: WentOn) -> None:
        assert went_on.upload.exit != 0
        assert "injected: no upload" in went_on.upload.output
        assert went_on.after_upload == went_on.before

    def test_deploys_and_proves_nothing_where_a_migration_fails(self, went_on: WentOn) -> None:
        assert went_on.migration.exit != 0
        assert "injected: no query" in went_on.migration.output
        assert went_on.after_migration == went_on.before

    def test_leaves_production_closed(self, went_on: WentOn) -> None:
        assert went_on.production.exit != 0
        assert went_on.production.errors[0].startswith("production gate closed: release ")

    def test_is_followed_by_one_that_converges(self, world: World, went_on: WentOn) -> None:
        assert went_on.migration.exit != 0
        well(world.up("staging"))
        assert world.proofs("staging")[0]["digest"] != went_on.before["proofs"][0]["digest"]


def test_seeds_run_in_staging_and_never_in_production(world: World, promoted: MeanwhileStaging) -> None:
    assert promoted.staging.exit == 0
    seeded = "SELECT name FROM smoke_writes WHERE name LIKE '%alone' ORDER BY name"
    names = [row["name"] for row in world.rows("crane-context-db-staging", seeded)]
    assert names[:2] == ["0101; in staging alone", "0102; in staging alone"]
    assert world.rows(DATABASE, "SELECT name FROM smoke_writes") == []
    assert world.rows(DATABASE, "SELECT name FROM sqlite_master WHERE name = 'crane_seeds'") == []


def test_staging_is_refreshed_from_production_by_a_command_that_takes_the_key_from_the_environment(
    world: World, promoted: MeanwhileStaging, tmp_path: Path
) -> None:
    assert promoted.staging.exit == 0
    key, clone = "a-planted-masking-key", bare_clone(tmp_path)
    environ = {**world.engine.environ, "PULUMI_OPTION_CWD": str(world.project.folder), "CRANE_MASKING_KEY": key}
    world.rows("crane-classifier-db", "INSERT INTO deliveries VALUES ('c3f1-77aa-12', 'push', '2026-01-01', 'corp/private')")
    ran = command_line.crane(*("data", "refresh", "-s", "staging", "-d", "crane-classifier-db", "--yes"), environ=environ, cwd=clone)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.splitlines()[-1] == "crane-classifier-db: crane-classifier-db-staging has 1 row of crane-classifier-db, scrubbed"
    ((row),) = world.rows("crane-classifier-db-staging", "SELECT * FROM deliveries")
    assert (row["event"], row["received_at"], len(row["id"]), row["id"] != "c3f1-77aa-12") == ("push", "2026-01-01", 12, True)
    assert "corp/private" not in str(row)
    refused = command_line.crane("data", "refresh", "-s", "staging", environ=environ, cwd=clone)
    assert "database crane-context-db, table more: has no rule for staging's rows" in refused.stderr
    assert key not in ran.stdout + ran.stderr + refused.stdout + refused.stderr
