"""A rehearsal names the step that failed, finds out a program that does not keep its word, and leaves nothing running."""

import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from crane_infra import catalog
from crane_infra.errors import RehearsalError
from crane_infra.rehearsal.existing_account import deploy_manually
from crane_infra.rehearsal.process import descendants, happens
from crane_infra.rehearsal.stage import Stage
from crane_infra.rehearsal.stories import adoption, empty, releases
from local_cloud import daemon
from tests.clone import CRANE, Run
from tests.repository import ROOT
from tests.world import warm

pytestmark = [pytest.mark.engine, pytest.mark.cloud]

FOLDERS = ("rehearsal", "rehearsal-existing")


def stage_of(clone: Path, name: str) -> Stage:
    """The place of a rehearsal in a clone."""
    return Stage(clone, clone / ".crane" / name, catalog.crane())


def test_ctrl_c_ends_the_engine_and_the_cloud_too(clone: Path) -> None:
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    begun = subprocess.Popen(
        [CRANE, "rehearse", "--all"], cwd=clone, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert begun.stdout
    assert any("preview production" in line for line in begun.stdout)
    assert happens(lambda: any("pulumi" in command(pid) for pid in descendants(begun.pid)), 600)
    started = descendants(begun.pid)
    begun.send_signal(signal.SIGINT)
    begun.communicate(timeout=600)
    assert begun.returncode != 0
    assert happens(lambda: not any(map(is_alive, started)), 600)
    assert [name for name in FOLDERS if daemon.status(clone / ".crane" / name / "cloud")] == []


def command(pid: int) -> str:
    """What a process was started as."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text(encoding="utf-8")
    except OSError:
        return ""


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that only waits to be looked at does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.fixture(scope="module")
def existing(clone: Path) -> Iterator[tuple[Stage, adoption.Adoption]]:
    """The account as it is, a client that asks, and nothing adopted: what the last step compares has not changed."""
    stage = stage_of(clone, "rehearsal-spoilt")
    story = adoption.Adoption(stage)
    try:
        story.start()
        story.ask()
        yield stage, story
    finally:
        stage.end()


class TestAnAccountThatIsSpoilt:
    """Makes the last step fail, each in its own way; the client stops at the first look."""

    def test_a_row_that_is_gone(self, existing: tuple[Stage, adoption.Adoption]) -> None:
        stage, story = existing
        stage.account.rows("crane-context-db-prod", "DELETE FROM sessions WHERE id = 'session-250'")
        with pytest.raises(RehearsalError, match=r"^rehearsal: crane-context-db-prod: sessions lost 1 row"):
            story.compare()

    def test_a_setting_that_is_reset(self, existing: tuple[Stage, adoption.Adoption]) -> None:
        stage, story = existing
        stage.account.ask("PATCH", "/workers/scripts/crane-classifier/script-settings", {"tags": []})
        story.ask()
        with pytest.raises(RehearsalError, match=r"crane-classifier: its tags changed"):
            story.compare()

    def test_an_answer_that_changes(self, existing: tuple[Stage, adoption.Adoption]) -> None:
        stage, story = existing
        story.ask()
        deploy_manually(stage.account, "crane-classifier", "export default { fetch: () => new Response('by hand') };")
        with pytest.raises(RehearsalError, match=r"answers are wrong: .*/crane-classifier/health: answered with another body"):
            story.compare()

    def test_an_account_that_should_be_empty(self, existing: tuple[Stage, adoption.Adoption]) -> None:
        with pytest.raises(RehearsalError, match=r"^rehearsal: the account is not empty"):
            empty.Empty(existing[0]).require_empty()


def test_a_step_that_fails_is_named_and_nothing_is_left_running(run: Run, clone: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    python = warm.environment(tmp_path_factory.mktemp("environment"))
    broken = clone / "workers" / "crane-context" / "migrations" / "0005_broken.sql"
    broken.write_text("SELECT abs(-9223372036854775808);\n", encoding="utf-8")
    output = run(python, "-c", "from crane_infra.cli.main import main; main()", "rehearse", COLUMNS="200")
    broken.unlink()
    assert output.returncode == 1
    assert output.stderr.startswith("error: step 4, update staging: deployed, migrated, checked, proven: ")
    assert "0005_broken.sql" in output.stderr
    assert "Read " in output.stderr
    assert "Traceback" not in output.stderr
    assert daemon.status(clone / ".crane" / "rehearsal" / "cloud") is None


class ChangedProgram(Stage):
    """A stage whose engine runs a changed copy of the program, which is imported anew by a Python that has imported the libraries."""

    @property
    def environ(self) -> Mapping[str, str]:
        """What the engine runs with."""
        return {**super().environ, "PULUMI_PYTHON_CMD": warm.python(*warm.LIBRARIES)}


@pytest.fixture
def spoil(tmp_path: Path) -> Iterator[Callable[[str, str, str], Stage]]:
    """Give a stage whose engine runs a copy of the program with one line replaced; the rehearsal itself is this repository's."""
    program = tmp_path / "program"
    stage = ChangedProgram(ROOT, tmp_path / "rehearsal", catalog.crane(), program)

    def spoilt(file: str, line: str, instead: str) -> Stage:
        shutil.copytree(ROOT / "crane_infra", program / "crane_infra")  # with what is compiled
        shutil.copy(ROOT / "__main__.py", program)
        path = program / "crane_infra" / file
        text = path.read_text(encoding="utf-8")
        assert text.count(line) == 1
        path.write_text(text.replace(line, instead), encoding="utf-8")
        return stage

    yield spoilt
    stage.end()


class TestAProgramThatDoesNotKeepItsWord:
    """Is found out by the step that looks at it."""

    def test_a_gate_that_goes_on(self, spoil: Callable[[str, str, str], Stage]) -> None:
        stage = spoil("live/promotion.py", "        raise (await with_clocks(settings, verdict)).error()\n", "        return []\n")
        story = empty.Empty(stage)
        story.start()
        with pytest.raises(RehearsalError, match="the account is not empty"):  # a later look still stops the traffic
            story.refuse_production()

    def test_a_release_that_is_not_checked(self, spoil: Callable[[str, str, str], Stage]) -> None:
        stage = spoil("program/hooks/steps.py", "    due = select(worker.checks, settings.environment)\n", "    due = ()\n")
        stage.begin()
        story = releases.Releases(stage)
        story.next_release()
        with pytest.raises(RehearsalError, match="pulumi up succeeded, but should have been refused"):
            story.bad_in_staging()

    def test_an_adoption_that_resets_what_is_not_declared(self, spoil: Callable[[str, str, str], Stage]) -> None:
        stage = spoil(
            "program/components/worker.py",
            '                **camel(config.settings or {"subdomain": config.addresses}),\n',
            '                "subdomain": camel(config.addresses),\n',
        )
        story = adoption.Adoption(stage)
        story.start()
        story.find()
        story.ask()
        story.adopt("staging")
        with pytest.raises(
            RehearsalError, match=r"its observability changed.* its tags changed|its tags changed.* its observability changed"
        ) as caught:
            story.compare()
        assert "its logpush changed" in str(caught.value)


@pytest.mark.parametrize("missing", ["pulumi"])
def test_without_an_engine_the_way_to_get_one_is_said(run: Run, clone: Path, missing: str) -> None:
    (clone / ".crane" / "engine").unlink()
    path = os.pathsep.join(one for one in os.environ["PATH"].split(os.pathsep) if not (Path(one) / missing).exists())
    output = run(CRANE, "rehearse", PATH=path)
    (clone / ".crane" / "engine").symlink_to(ROOT / ".crane" / "engine")
    assert output.returncode == 1
    assert output.stderr.endswith("pulumi: is neither on PATH nor in .crane/engine. Run make engine.\n")
