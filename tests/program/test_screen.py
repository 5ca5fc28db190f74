"""What people see of a run fits a screen, however many releases a stack has proven; docs/pipeline.md shows what this test saw.

One story on one local cloud: each fixture goes on from the one that it names. ``CRANE_GOLDEN=write`` writes the page anew.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from crane_infra.rehearsal.engine import NO_LOG
from crane_infra.rehearsal.project import configure
from crane_infra.traffic.series import ENOUGH
from local_cloud.faults.model import Hold
from tests.repository import ROOT
from tests.world.copies import proven_world
from tests.world.engine import SURE, Result
from tests.world.history import add_history, as_the_version_before_wrote_it
from tests.world.started import started, until
from tests.world.world import World, edit

pytestmark = [pytest.mark.engine, pytest.mark.cloud]

PAGE = ROOT / "docs" / "pipeline.md"
PROOFS = 20
WAITING = ": waiting, "
"""In lines that only a slow machine gets."""
QUERY = "POST /accounts/{a}/d1/database/{id}/query"
HISTORY = re.compile(r"proofs|manifest|sha256|sha-256|1:eN")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Staging has proven twenty releases."""
    with proven_world(tmp_path_factory) as made:
        made.take_passphrase("staging")
        add_history(made, "staging", PROOFS)
        yield made


def lines(run: Result) -> int:
    """How many lines a run printed; it has to succeed, and shows nothing of the history."""
    assert run.exit == 0, run.output
    assert "@ updating." not in run.output
    assert not HISTORY.search(re.sub(r"input.proofs \(hidden\)", "", run.output)), run.output
    return len([line for line in run.output.splitlines() if WAITING not in line])


def update(world: World) -> Result:
    """Update staging as a person does, with the environment of the project: the engine's dots, one for a second, are left out by a variable."""
    return world.engine.run("up", "--stack", "staging", *SURE)


@dataclass(frozen=True)
class Unchanged:
    """Runs in which nothing changes."""

    preview: Result
    diff: Result
    up: Result


@pytest.fixture(scope="module")
def unchanged(world: World) -> Unchanged:
    """With twenty proofs, nothing is changed."""
    return Unchanged(
        world.engine.run("preview", "--stack", "staging", "--expect-no-changes"),
        world.engine.run("preview", "--stack", "staging", "--diff"),
        update(world),
    )


@dataclass(frozen=True)
class Changed:
    """Runs of a usual change: one worker, one migration."""

    preview: Result
    diff: Result
    up: Result
    again: Result
    proofs: list[str]


@pytest.fixture(scope="module")
def changed(world: World, unchanged: Unchanged) -> Changed:
    """One worker is changed, a column is added, and a seed writes something else; candidates pass as they do without a setting."""
    assert unchanged.up.exit == 0
    code = world.workers / "crane-context" / "dist" / "index.js"
    code.write_text(f"{code.read_text(encoding='utf-8')}// changed\n", encoding="utf-8")
    migration = world.workers / "crane-context" / "migrations" / "0005_add_note_to_sessions.sql"
    migration.write_text("-- crane: expand\nALTER TABLE sessions ADD COLUMN note TEXT;\n", encoding="utf-8")
    configure(world.project, "staging", {"candidate-rounds": ENOUGH})
    edit(world.workers / "crane-context" / "seeds" / "0001_a_row_to_begin_with.sql", "2026-01-01", "2026-02-02")
    preview = world.engine.run("preview", "--stack", "staging")
    diff = world.engine.run("preview", "--stack", "staging", "--diff")
    up = update(world)
    again = world.engine.run("preview", "--stack", "staging", "--expect-no-changes")
    return Changed(preview, diff, up, again, [proof["digest"] for proof in world.proofs("staging")])


class TestWhereNothingChanged:
    def test_a_preview_is_a_few_lines(self, unchanged: Unchanged) -> None:
        assert lines(unchanged.preview) <= 15
        assert lines(unchanged.diff) <= 15

    def test_an_update_too_with_the_outputs_that_people_read(self, unchanged: Unchanged) -> None:
        assert lines(unchanged.up) <= 15
        assert re.search(r"environment +: \"staging; for more: crane proof -s staging --list\"", unchanged.up.output)

    def test_the_engine_writes_no_logs_of_it_and_says_nothing_of_that(self, world: World, unchanged: Unchanged) -> None:
        home = world.project.own / "home"
        assert (home / "logs").read_text(encoding="utf-8") == f"{NO_LOG}\n"
        assert list(home.rglob("*.log")) == []
        assert [run.output for run in (unchanged.preview, unchanged.diff, unchanged.up) if re.search(r"\blogs?\b", run.output)] == []


class TestAUsualChange:
    def test_its_preview_fits_a_screen(self, changed: Changed) -> None:
        assert lines(changed.preview) <= 40
        assert lines(changed.diff) <= 100

    def test_its_update_fits_a_screen(self, changed: Changed) -> None:
        assert lines(changed.up) <= 41

    def test_is_named_with_its_release_and_its_pending_file(self, changed: Changed) -> None:
        for run in (changed.preview, changed.diff):
            assert re.search(r"release +: \"[0-9a-f]{12}\" => \"[0-9a-f]{12}\"", run.output)
            assert "pending 0005_add_note_to_sessions.sql (expand, " in run.output
        assert "0005_add_note_to_sessions.sql" in changed.up.output

    def test_its_changed_seed_is_announced_and_runs_again(self, world: World, changed: Changed) -> None:
        assert "crane-context-db-staging: seeds that will run: 0001_a_row_to_begin_with.sql (changed)" in changed.preview.output
        assert "seeds that will run" not in changed.again.output
        seeded = world.rows("crane-context-db-staging", "SELECT written_at FROM smoke_writes WHERE name = 'seed'")
        assert seeded == [{"written_at": "2026-02-02T00:00:00Z"}]

    def test_is_proven_in_front_of_the_history_and_then_nothing_changes(self, changed: Changed) -> None:
        assert len(set(changed.proofs)) == PROOFS
        assert changed.proofs[1][:2] != changed.proofs[-1][:2]
        assert changed.again.exit == 0, changed.again.output

    def test_reads_as_the_page_shows_it(self, changed: Changed) -> None:
        page = PAGE.read_text(encoding="utf-8")
        shown = page
        for name, run in (("preview", changed.preview), ("up", changed.up)):
            assert page.count(f"<!-- {name} -->\n\n```text\n") == 1
            start, end = shown.index(f"<!-- {name} -->"), shown.index("\n```\n", shown.index(f"<!-- {name} -->"))
            shown = f"{shown[:start]}<!-- {name} -->\n\n```text\n{as_shown(run.output)}{shown[end:]}"
        if os.environ.get("CRANE_GOLDEN") == "write":
            PAGE.write_text(shown, encoding="utf-8")
            page = shown
        assert shown == page


def as_shown(output: str) -> str:
    """The output without what differs from run to run."""
    text = re.sub(r"http://127\.0\.0\.1:\d+/edge/([a-z-]+)", r"https://\1.example.workers.dev", output)
    text = re.sub(r"--bookmark=\S+", "--bookmark=00000006-…", text)
    text = re.sub(r"\b[0-9a-f]{40}(\+changes)?\b", "8d1f0c…", text)
    text = re.sub(r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", "<version>", text)
    text = re.sub(r"\b(?=[0-9a-f]*[0-9])[0-9a-f]{12}\b", "<digest>", text)
    text = re.sub(r"\((\d+m)?[\d.]+s\)", "(1s)", text)
    text = re.sub(r"Duration: \w+", "Duration: 5s", text)
    return "\n".join(line.rstrip() for line in text.strip().splitlines() if WAITING not in line)


@dataclass(frozen=True)
class Upgraded:
    """A stack that the version before wrote: its outputs then, and after an update of this version; and runs of crane."""

    before: dict[str, object]
    preview: Result
    update: Result
    again: Result
    after: dict[str, object]


@pytest.fixture(scope="module")
def upgraded(world: World, changed: Changed) -> Upgraded:
    """The state of staging gets the form that the version before wrote."""
    assert changed.up.exit == 0
    before = as_the_version_before_wrote_it(world, "staging")
    preview = world.engine.run("preview", "--stack", "staging", "--suppress-outputs")
    update = world.up("staging")
    again = world.engine.run("preview", "--stack", "staging", "--expect-no-changes")
    return Upgraded(before, preview, update, again, world.outputs("staging"))


class TestAStackOfTheVersionBefore:
    def test_is_written_anew_by_the_first_update_and_then_nothing_changes(self, upgraded: Upgraded) -> None:
        assert upgraded.update.exit == 0, upgraded.update.output
        assert upgraded.again.exit == 0, upgraded.again.output

    def test_keeps_every_proof_and_the_order_of_its_releases(self, upgraded: Upgraded) -> None:
        assert upgraded.after == upgraded.before

    def test_shows_only_that_its_record_is_updated(self, upgraded: Upgraded) -> None:
        assert lines(upgraded.preview) <= 15
        assert "Stash release update" in upgraded.preview.output


class TestCraneProof:
    def crane(self, world: World, *words: str) -> str:
        """What ``crane proof`` prints about staging."""
        command = [sys.executable, "-c", "from crane_infra.cli.main import main; main()", "proof", "-s", "staging", *words]
        environ = {**world.engine.environ, "PULUMI_CONFIG_PASSPHRASE": ""}
        ended = subprocess.run(command, cwd=world.engine.folder, env=environ, capture_output=True, text=True, check=False)
        assert ended.returncode == 0, ended.stderr
        return ended.stdout

    def test_tells_the_proofs_apart_without_a_passphrase(self, world: World, changed: Changed) -> None:
        listed = self.crane(world, "--list").splitlines()
        assert [line.split()[4] for line in listed] == changed.proofs
        assert listed[0].split()[0] == str(PROOFS + 1)

    def test_prints_one_whole(self, world: World, changed: Changed) -> None:
        proof = json.loads(self.crane(world, "--digest", changed.proofs[0], "--whole", "--with-changes"))
        assert [migration["name"] for migration in proof["manifest"]["databases"]["crane-context-db"]["migrations"]][-1].startswith("0005_")


@pytest.fixture(scope="module")
def waited(world: World, upgraded: Upgraded) -> Result:
    """The database takes its time with a migration."""
    assert upgraded.update.exit == 0
    migration = world.workers / "crane-context" / "migrations" / "0006_add_color_to_sessions.sql"
    migration.write_text("-- crane: expand\nALTER TABLE sessions ADD COLUMN color TEXT;\n", encoding="utf-8")
    with world.faults.fault(QUERY, Hold(), saying="ADD COLUMN color") as fault, started(world, "staging") as run:
        run.reaches(fault)
        until(lambda: f"{migration.name}{WAITING}" in run.output, "a line about the file that takes long")
        fault.end()
        return run.end()


def test_a_file_that_takes_long_is_named_while_it_runs_and_no_more_at_the_end(waited: Result) -> None:
    assert waited.exit == 0, waited.output
    live, _, summary = waited.output.partition("Diagnostics:")
    assert re.search(r"crane-context-db-staging: 0006_add_color_to_sessions\.sql: waiting, \d+ s so far$", live, re.MULTILINE)
    assert WAITING not in summary
    assert "0006_add_color_to_sessions.sql" in live
