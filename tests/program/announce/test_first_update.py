"""A first update that fails leaves a database with a part of its migrations: previews, commands and the next update read its ledger.

One story on one local cloud. The last of the five files takes away what an earlier one made, without saying so: nothing used it yet, so the
first update allows that, and so must the next one.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from tests import command_line
from tests.repository import ROOT
from tests.world.copies import fresh_world
from tests.world.engine import Result
from tests.world.world import IMPATIENT, World, edited

pytestmark = [pytest.mark.engine, pytest.mark.cloud]

SHOWN = "crane-context-db-staging"
FILES = (
    "0001_create_sessions.sql",
    "0002_index_sessions_by_heartbeat.sql",
    "0003_add_host_to_sessions.sql",
    "0004_create_smoke_writes.sql",
    "0005_drop_old.sql",
)
UNDECLARED = "it does not declare that it drops"


@dataclass(frozen=True)
class Standing:
    """What is said of the stack after an update, in the order in which somebody would ask."""

    preview: Result
    status: CompletedProcess[str]
    plan: CompletedProcess[str]
    schema: CompletedProcess[str]
    live: CompletedProcess[str]


def migration(world: World, name: str) -> Path:
    return world.workers / "crane-context" / "migrations" / name


def standing(world: World) -> Standing:
    environ = {**world.engine.environ, "PULUMI_OPTION_CWD": str(world.project.folder)}

    def crane(*words: str) -> CompletedProcess[str]:
        return command_line.crane(*words, "-s", "staging", environ=environ, cwd=ROOT)

    preview = world.engine.run("preview", "--stack", "staging")
    return Standing(preview, crane("migrations", "status"), crane("migrations", "plan"), crane("migrations", "verify"), crane("verify"))


def pending(preview: Result) -> list[str]:
    """The files of the context database that a preview calls pending."""
    lines = (line.partition(f"{SHOWN}: pending ")[2] for line in preview.output.splitlines())
    return list(dict.fromkeys(line.split()[0] for line in lines if line))


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Nothing is deployed. Five migrations, of which the third cannot be applied."""
    with fresh_world(tmp_path_factory) as made:
        with migration(made, FILES[1]).open("a", encoding="utf-8") as file:
            file.write("CREATE TABLE old (x TEXT);\n")
        migration(made, FILES[4]).write_text("DROP TABLE old;\n", encoding="utf-8")
        yield made


@dataclass(frozen=True)
class Stopped:
    """An update that failed, and what is said after it."""

    run: Result
    after: Standing


@pytest.fixture(scope="module")
def at_a_migration(world: World) -> Stopped:
    """The first update: its third migration fails."""
    with edited(migration(world, FILES[2]), "COLUMN host TEXT;\n", "COLUMN host TEXT;\nSELECT abs(-9223372036854775808);\n"):
        run = world.up("staging")
    return Stopped(run, standing(world))


@dataclass(frozen=True)
class StoppedAtACheck(Stopped):
    """Besides: a preview with one more file, which takes something from the version that serves now."""

    takes_away: Result


@pytest.fixture(scope="module")
def at_a_check(world: World, at_a_migration: Stopped) -> StoppedAtACheck:  # noqa: ARG001 - it has to come first
    """The next update: the file is mended, and a check fails."""
    index = world.workers / "crane-context" / "dist" / "index.js"
    with world.impatient("staging"), edited(index, "return json(200, { sessions: results", "return json(500, { sessions: results"):
        run = world.up("staging")
    after, more = standing(world), migration(world, "0006_drop_host.sql")
    more.write_text("ALTER TABLE sessions DROP COLUMN host;\n", encoding="utf-8")
    takes_away = world.engine.run("preview", "--stack", "staging")
    more.unlink()
    return StoppedAtACheck(run, after, takes_away)


@pytest.fixture(scope="module")
def passed(world: World, at_a_check: StoppedAtACheck) -> Result:  # noqa: ARG001 - it has to come first
    """The update after that: nothing is wrong."""
    return world.up("staging")


class TestAFirstUpdateThatFailsInAMigration:
    def test_stops_at_the_third_of_five_files(self, at_a_migration: Stopped) -> None:
        (line,) = at_a_migration.run.errors
        assert f"{FILES[2]}: not applied to {SHOWN} at statement 2 of 2" in line
        assert f"Applied in this run: {', '.join(FILES[:2])}. Pending: {', '.join(FILES[2:])}." in line

    def test_is_followed_by_a_preview_that_lists_only_what_is_pending_and_finds_nothing_in_it(self, at_a_migration: Stopped) -> None:
        preview = at_a_migration.after.preview
        assert preview.exit == 0, preview.output
        assert pending(preview) == list(FILES[2:])
        assert UNDECLARED not in preview.output

    def test_is_followed_by_a_status_and_a_plan_that_say_the_same(self, at_a_migration: Stopped) -> None:
        status, plan = at_a_migration.after.status, at_a_migration.after.plan
        head = f"{SHOWN}: 2 applied, up to {FILES[1]}; 3 pending"
        assert (status.returncode, status.stdout.splitlines()[:4]) == (3, [head, *(f"  pending  {name}" for name in FILES[2:])]), (
            status.stderr
        )
        assert (plan.returncode, plan.stdout.splitlines()[0]) == (0, head), plan.stderr
        assert [line.split()[1] for line in plan.stdout.splitlines() if line.startswith("  apply ")][:3] == list(FILES[2:])

    def test_leaves_the_schema_that_its_applied_files_make(self, at_a_migration: Stopped) -> None:
        schema = at_a_migration.after.schema
        assert (schema.returncode, f"{SHOWN}: its schema matches its migrations" in schema.stdout) == (0, True), schema.stderr

    def test_has_no_release_that_could_be_verified(self, at_a_migration: Stopped) -> None:
        live = at_a_migration.after.live
        more = "crane migrations status -s staging shows what an update that failed has applied"
        assert (live.returncode, live.stderr) == (1, f"error: stack staging: has no release yet. Run pulumi up -s staging. {more}.\n")


class TestAFirstUpdateThatFailsInACheck:
    def test_has_applied_all_files_also_the_one_that_takes_away_what_nothing_used(self, at_a_check: StoppedAtACheck) -> None:
        assert at_a_check.run.exit != 0
        assert f"expected 200 within {IMPATIENT} s; after " in at_a_check.run.output, at_a_check.run.output
        head = f"{SHOWN}: 5 applied, up to {FILES[4]}; 0 pending"
        assert (at_a_check.after.status.returncode, at_a_check.after.status.stdout.splitlines()[0]) == (0, head)

    def test_is_followed_by_looks_that_say_so(self, at_a_check: StoppedAtACheck) -> None:
        after = at_a_check.after
        assert (after.preview.exit, pending(after.preview)) == (0, []), after.preview.output
        assert (after.plan.returncode, after.schema.returncode, after.live.returncode) == (0, 0, 1)
        assert "has no release yet" in after.live.stderr

    def test_lets_no_later_file_take_something_from_the_version_that_serves_since(self, at_a_check: StoppedAtACheck) -> None:
        assert at_a_check.takes_away.exit != 0
        assert (
            "0006_drop_host.sql, statement 1: it does not declare that it drops the column host of sessions" in at_a_check.takes_away.output
        )

    def test_is_followed_by_an_update_that_passes(self, world: World, passed: Result) -> None:
        assert passed.exit == 0, passed.output
        assert len(world.proofs("staging")) == 1
        assert [row["name"] for row in world.rows(SHOWN, "SELECT name FROM d1_migrations ORDER BY id")] == list(FILES)
