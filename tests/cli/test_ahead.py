"""What a command asks Pulumi is asked while it is imported: the same questions, each once, and nothing that it would not ask."""

import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import psutil
import pytest

from crane_infra.cli.ahead import OF_BOTH, OF_PRODUCTION, OF_STACK, ask_ahead, questions
from tests import command_line
from tests.pulumi_reads import ask_once
from tests.repository import ROOT
from tests.world.copies import promoted_world
from tests.world.world import World

LISTED = sorted(OF_BOTH | OF_STACK)
NEEDS = {"baseline": ("-d", "crane-context-db"), "accept-edit": ("-d", "crane-context-db")}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Both environments run the same release."""
    with promoted_world(tmp_path_factory) as made:
        yield made


@pytest.mark.engine
@pytest.mark.cloud
@pytest.mark.parametrize("stack", ["staging", "production"])
@pytest.mark.parametrize("command", LISTED, ids=" ".join)
def test_what_is_asked_ahead_is_asked_by_the_command_once(world: World, command: tuple[str, ...], stack: str) -> None:
    words = (*command, *(() if command in OF_BOTH else ("-s", stack)), *NEEDS.get(command[-1], ()))
    asked: Counter[tuple[str, tuple[str, ...]]] = Counter()

    def ask(stack: str, *question: str, **options: Path | float | None) -> subprocess.CompletedProcess[str]:
        asked[stack, question] += 1
        return ask_once(stack, *question, **options)  # type: ignore[arg-type]

    environ = {**world.engine.environ, "PULUMI_OPTION_CWD": str(world.project.folder)}
    with mock.patch.object(command_line, "ask_once", ask):
        command_line.crane(*words, environ=environ, cwd=ROOT)
    ahead = list(questions(words))
    assert ahead
    assert {question: asked[question] for question in ahead} == dict.fromkeys(ahead, 1)


def test_each_command_for_production_is_one_that_is_asked_ahead() -> None:
    assert OF_PRODUCTION.keys() <= OF_STACK.keys()


@pytest.mark.parametrize(
    "words",
    [
        ("verify",),
        ("verify", "-s"),
        ("verify", "-s", "staging", "--help"),
        ("proof", "-s", "staging"),
        ("migrations", "lint", "-s", "staging"),
        (),
    ],
    ids=" ".join,
)
def test_nothing_is_asked_ahead_for_other_words(words: tuple[str, ...]) -> None:
    assert list(questions(words)) == []


def test_nothing_is_asked_ahead_outside_of_a_clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = psutil.Process().children()
    monkeypatch.chdir(tmp_path)
    ask_ahead(["verify", "-s", "staging"])
    assert psutil.Process().children() == before


@pytest.mark.engine  # a stand-in that bears its name
def test_what_a_command_does_not_ask_after_all_ends_with_it(tmp_path: Path) -> None:
    (tmp_path / "pulumi").write_text("#!/bin/sh\nexec sleep 600\n", encoding="utf-8")
    (tmp_path / "pulumi").chmod(0o755)
    code = (
        "import psutil; from crane_infra.cli.ahead import ask_ahead\n"
        "ask_ahead(['verify', '-s', 'staging']); print(*[child.pid for child in psutil.Process().children()])"
    )
    environ = {"PATH": f"{tmp_path}:/usr/bin:/bin"}
    ended = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environ, capture_output=True, text=True, check=True)
    children = ended.stdout.split()
    assert len(children) == len(OF_STACK["verify",])
    assert [child for child in children if psutil.pid_exists(int(child))] == []
