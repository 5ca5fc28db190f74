"""`crane rehearse --all` ends 0 with every step told; whatever it started ends with it."""

import hashlib
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from crane_infra import catalog
from crane_infra.rehearsal.stage import Stage
from crane_infra.rehearsal.step import StoryStep
from crane_infra.rehearsal.stories import adoption, empty
from local_cloud import daemon
from tests.clone import Run
from tests.world import warm

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
def played(run: Run, clone: Path, tmp_path_factory: pytest.TempPathFactory) -> Played:
    """With credentials of a real account at hand. The runs that are killed have a Python of their own: what is killed has to end at once."""
    killed = 'ls "$PULUMI_OPTION_CWD"/workers/*/migrations/*_killed.sql > /dev/null 2>&1'
    workers, python = digest(clone / "workers"), warm.environment(tmp_path_factory.mktemp("environment"), own=killed)
    crane = (python, "-c", "from crane_infra.cli.main import main; main()")
    ended = run(*crane, "rehearse", "--all", COLUMNS="200", CLOUDFLARE_API_TOKEN="canary-real-token", PULUMI_ACCESS_TOKEN="canary-access")
    return Played(ended, workers)


class TestBothAccounts:
    def test_every_step_holds_and_is_told(self, played: Played, clone: Path) -> None:
        output = played.ended
        assert output.returncode == 0, output.stdout + output.stderr
        shown, stage = output.stdout.splitlines(), stage_of(clone, "nowhere")
        assert [title for title in [*titles(empty.story(stage)), *titles(adoption.story(stage))] if title not in shown] == []
        assert output.stdout.count("Rehearsal: every step held") == 2

    def test_each_ends_with_the_page_of_what_it_played(self, played: Played, clone: Path) -> None:
        for name in FOLDERS:
            path = clone / ".crane" / name / "status.html"
            assert f"What was just played, as a page: {path}" in played.ended.stdout
            page = path.read_text(encoding="utf-8")
            assert "canary-" not in page
            assert all(f"<td>{kind}</td>" in page for kind in ("release", "promotion"))
            assert "Not seen:" not in page

    @pytest.mark.parametrize(
        "words",
        [
            "production gate closed: staging has not proven any release.",
            "0006_broken.sql: not applied to crane-context-db-staging at statement 2 of 2",
            "this run returns it to its release",
            "still serves everybody, alone",
            "the rollout holds with",
            "the rollout failed with",
            "an update would undo the rollback",
            "the ledger still stands at 0005_newer.sql",
            "0006_killed.sql ran once",
            "staging: 12 comparisons, no difference; production: 11 comparisons, no difference",
            "staging: 4 to import, 16 to create, 4 adoptions listed; production: 4 to import, 16 to create, 4 adoptions listed",
            "adopt: was removed",
            "nothing is missing of 1,210 rows",
        ],
    )
    def test_what_was_seen_is_told(self, played: Played, words: str) -> None:
        assert words in played.ended.stdout

    def test_nothing_is_left_running_and_the_clone_is_as_it_was(self, played: Played, clone: Path) -> None:
        assert [name for name in FOLDERS if daemon.status(clone / ".crane" / name / "cloud")] == []
        assert digest(clone / "workers") == played.workers

    def test_other_users_of_the_machine_cannot_enter_its_folders(self, played: Played, clone: Path) -> None:
        assert played.ended.returncode == 0
        assert [name for name in FOLDERS if (clone / ".crane" / name).stat().st_mode & 0o077] == []

    def test_no_credential_of_the_environment_is_in_any_file(self, played: Played, clone: Path) -> None:
        assert played.ended.returncode == 0
        files = [path for name in FOLDERS for path in (clone / ".crane" / name).rglob("*") if path.is_file() and not path.is_symlink()]
        assert len(files) > 100
        assert [path for path in files if b"canary-" in path.read_bytes()] == []
