"""actionlint and zizmor find nothing, and would find something."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.repository import ROOT

GITHUB = ROOT / ".github"
ACTIONLINT, SHELLCHECK, ZIZMOR = ROOT / ".crane/bin/actionlint", ROOT / ".venv/bin/shellcheck", ROOT / ".venv/bin/zizmor"


def actionlint(folder: Path) -> subprocess.CompletedProcess[str]:
    """Ask actionlint as `make workflows` does."""
    if not ACTIONLINT.exists():
        pytest.fail("actionlint: is not in .crane/bin. Run `make workflows`, which builds it.")
    files = sorted((folder / "workflows").glob("*.yml"))
    assert files
    command: list[str | Path] = [ACTIONLINT, "-config-file", folder / "actionlint.yaml", "-shellcheck", SHELLCHECK, *files]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def zizmor(folder: Path) -> subprocess.CompletedProcess[str]:
    """Ask zizmor as `make workflows` does; it asks nobody else."""
    command: list[str | Path] = [ZIZMOR, "--offline", "--quiet", "--persona=pedantic", "--strict-collection", folder]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.fixture
def spoilt(tmp_path: Path) -> Path:
    """A copy of .github that may be spoilt."""
    folder = tmp_path / ".github"
    shutil.copytree(GITHUB, folder)
    return folder


def replace(folder: Path, old: str, new: str) -> None:
    path = folder / "workflows" / "staging.yml"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def test_actionlint_finds_nothing() -> None:
    ended = actionlint(GITHUB)
    assert (ended.returncode, ended.stdout + ended.stderr) == (0, "")


def test_zizmor_finds_nothing() -> None:
    ended = zizmor(GITHUB)
    assert ended.returncode == 0, ended.stdout + ended.stderr


@pytest.mark.parametrize(
    ("old", "new", "shown"),
    [
        ("needs.build.outputs.digest", "needs.build.outputs.diggest", "diggest"),
        ("runs-on: ubuntu-24.04", "runs-on: ubuntu-99.04", "ubuntu-99.04"),
        ('--require "$DIGEST"', "--require $DIGEST", "SC2086"),
    ],
)
def test_actionlint_would_find_a_mistake(spoilt: Path, old: str, new: str, shown: str) -> None:
    replace(spoilt, old, new)
    ended = actionlint(spoilt)
    assert ended.returncode == 1
    assert shown in ended.stdout


@pytest.mark.parametrize(
    ("old", "new", "shown"),
    [
        ("persist-credentials: false", "fetch-depth: 0", "artipacked"),
        ("@3d3c42e5aac5ba805825da76410c181273ba90b1 # v7.0.1", "@v7", "unpinned-uses"),
        ("  workflow_dispatch:", "  pull_request_target:", "dangerous-triggers"),
        ("permissions: {}", "permissions: write-all", "excessive-permissions"),
        ('"$DIGEST"', '"${{ github.head_ref }}"', "template-injection"),
    ],
)
def test_zizmor_would_find_a_weakness(spoilt: Path, old: str, new: str, shown: str) -> None:
    replace(spoilt, old, new)
    ended = zizmor(spoilt)
    assert ended.returncode != 0
    assert shown in ended.stdout


def test_nothing_is_waved_through_but_what_is_explained() -> None:
    """One line of the set-up, one key that is newer than actionlint, one rule that asks for the opposite of what is meant."""
    texts = {path.relative_to(GITHUB): path.read_text(encoding="utf-8") for path in sorted(GITHUB.rglob("*.y*ml"))}
    assert [str(path) for path, text in texts.items() if "zizmor: ignore" in text] == ["actions/set-up/action.yml"]
    assert texts[Path("actionlint.yaml")].count("- ") == 1
    assert texts[Path("zizmor.yml")].count("disable: true") == 1
