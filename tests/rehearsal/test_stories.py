"""A rehearsal ends 0 with every step told, or names the step that failed; whatever it started ends with it."""

import hashlib
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from crane_infra import catalog
from crane_infra.errors import RehearsalError
from crane_infra.rehearsal.existing_account import deploy_manually
from crane_infra.rehearsal.process import descendants, happens
from crane_infra.rehearsal.stage import Stage
from crane_infra.rehearsal.step import StoryStep
from crane_infra.rehearsal.stories import adoption, empty
from local_cloud import daemon
from tests.clone import CRANE, Run
from tests.repository import ROOT

pytestmark = [pytest.mark.engine, pytest.mark.cloud]

FOLDERS = ("rehearsal", "rehearsal-existing")


def titles(story: list[StoryStep]) -> list[str]:
    """How the command tells each step."""
    return [f"{number}/{len(story)} {step.title} …" for number, step in enumerate(story, start=1)]


def digest(folder: Path) -> str:
    """What the files of a folder are."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return hashlib.sha256(b"".join(str(path.relative_to(folder)).encode() + path.read_bytes() for path in files)).hexdigest()


def stage_of(clone: Path, name: str) -> Stage:
    """The place of a rehearsal in a clone."""
    return Stage(clone, clone / ".crane" / name, catalog.crane())


@dataclass(frozen=True)
class Played:
    """Both rehearsals, and the workers of the clone before them."""

    ended: subprocess.CompletedProcess[str]
    workers: str


@pytest.fixture(scope="module")
def played(run: Run, clone: Path) -> Played:
    """With credentials of a real account at hand."""
    workers = digest(clone / "workers")
    ended = run(CRANE, "rehearse", "--all", COLUMNS="200", CLOUDFLARE_API_TOKEN="canary-real-token", PULUMI_ACCESS_TOKEN="canary-access")
    return Played(ended, workers)


class TestBothAccounts:
    def test_every_step_holds_and_is_told(self, played: Played, clone: Path) -> None:
        said = played.ended
        assert said.returncode == 0, said.stdout + said.stderr
        told, stage = said.stdout.splitlines(), stage_of(clone, "nowhere")
        assert [title for title in [*titles(empty.story(stage)), *titles(adoption.story(stage))] if title not in told] == []
        assert said.stdout.count("Rehearsal: every step held") == 2

    @pytest.mark.parametrize(
        "words",
        [
            "production gate closed: staging has not proven any release.",
            "0006_broken.sql: not applied to crane-context-db-staging at statement 2 of 2",
            "this run returns it to its release",
            "wrangler rollback ",
            "the ledger still stands at 0005_newer.sql",
            "0006_killed.sql ran once",
            "staging: 8 comparisons, no difference; production: 7 comparisons, no difference",
            "staging: 4 to import, 14 to create, 4 adoptions listed; production: 4 to import, 14 to create, 4 adoptions listed",
            "adopt: was removed",
            "all 1210 rows are there",
        ],
    )
    def test_what_was_seen_is_told(self, played: Played, words: str) -> None:
        assert words in played.ended.stdout

    def test_nothing_is_left_running_and_the_clone_is_as_it_was(self, played: Played, clone: Path) -> None:
        assert [name for name in FOLDERS if daemon.status(clone / ".crane" / name / "cloud")] == []
        assert digest(clone / "workers") == played.workers

    def test_no_credential_of_the_environment_is_in_any_file(self, played: Played, clone: Path) -> None:
        assert played.ended.returncode == 0
        files = [path for name in FOLDERS for path in (clone / ".crane" / name).rglob("*") if path.is_file() and not path.is_symlink()]
        assert len(files) > 100
        assert [path for path in files if b"canary-" in path.read_bytes()] == []


def test_ctrl_c_ends_the_engine_and_the_cloud_too(clone: Path) -> None:
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    begun = subprocess.Popen(
        [CRANE, "rehearse", "--all"], cwd=clone, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert begun.stdout
    assert any("preview production" in line for line in begun.stdout)
    assert happens(lambda: any("pulumi" in command(pid) for pid in descendants(begun.pid)), 60)
    started = descendants(begun.pid)
    begun.send_signal(signal.SIGINT)
    begun.communicate(timeout=180)
    assert begun.returncode != 0
    assert happens(lambda: not any(map(is_alive, started)), 60)
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
        with pytest.raises(RehearsalError, match=r"^rehearsal: crane-context-db-prod: 1 rows of sessions are gone"):
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


def test_a_step_that_fails_is_named_and_nothing_is_left_running(run: Run, clone: Path) -> None:
    broken = clone / "workers" / "crane-context" / "migrations" / "0005_broken.sql"
    broken.write_text("SELECT abs(-9223372036854775808);\n", encoding="utf-8")
    said = run(CRANE, "rehearse", COLUMNS="200")
    broken.unlink()
    assert said.returncode == 1
    assert said.stderr.startswith("error: step 4, update staging: deployed, migrated, checked, proven: ")
    assert "0005_broken.sql" in said.stderr
    assert "Read " in said.stderr
    assert "Traceback" not in said.stderr
    assert daemon.status(clone / ".crane" / "rehearsal" / "cloud") is None


@dataclass(frozen=True)
class Lie:
    """One line of the program that is another one, and what the rehearsal then says."""

    file: str
    line: str
    instead: str
    said: tuple[str, ...]
    words: tuple[str, ...] = ()


@pytest.mark.parametrize(
    "lie",
    [
        Lie(
            "promotion.py",
            "        raise verdict.error()\n",
            "        return\n",
            ("step 3, update production: refused, nothing created: ", "pulumi up succeeded, but should have been refused"),
        ),
        Lie(
            "steps.py",
            "        await _check(step, name, proof)\n",
            "        step.log(name)\n",
            ("a release whose checks fail in staging: production refuses it: ", "pulumi up succeeded, but should have been refused"),
        ),
        Lie(
            "components/worker.py",
            "                ignore_changes=UNDECLARED,\n",
            "",
            ("no row was lost, no setting was reset: ", "its observability changed", "its tags changed", "its logpush changed"),
            ("--existing",),
        ),
    ],
    ids=["a gate that goes on", "a release that is not checked", "an adoption that resets what is not declared"],
)
def test_a_program_that_does_not_keep_its_word_is_found_out(run: Run, clone: Path, lie: Lie) -> None:
    """The rehearsal is this repository's; the program that the engine runs is the clone's."""
    text = (ROOT / "crane_infra" / lie.file).read_text(encoding="utf-8")
    assert text.count(lie.line) == 1
    program = clone / "crane_infra"
    program.unlink()
    shutil.copytree(ROOT / "crane_infra", program)
    (program / lie.file).write_text(text.replace(lie.line, lie.instead), encoding="utf-8")
    ended = run(CRANE, "rehearse", *lie.words, COLUMNS="200")
    shutil.rmtree(program)
    program.symlink_to(ROOT / "crane_infra")
    assert ended.returncode == 1, ended.stdout
    assert [words for words in lie.said if words not in ended.stderr] == [], ended.stderr


@pytest.mark.parametrize("missing", ["pulumi"])
def test_without_an_engine_the_way_to_get_one_is_said(run: Run, clone: Path, missing: str) -> None:
    (clone / ".crane" / "engine").unlink()
    path = os.pathsep.join(one for one in os.environ["PATH"].split(os.pathsep) if not (Path(one) / missing).exists())
    said = run(CRANE, "rehearse", PATH=path)
    (clone / ".crane" / "engine").symlink_to(ROOT / ".crane" / "engine")
    assert said.returncode == 1
    assert said.stderr.endswith("pulumi: is neither on PATH nor in .crane/engine. Run make engine.\n")
