"""``crane proof`` of outputs that cannot be read, or that hold texts which a terminal obeys: it says so, and shows them as escapes."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from crane_infra.cli import proof as command
from crane_infra.errors import ReportError
from crane_infra.release.outputs import read_outputs
from tests import command_line
from tests.release import before
from tests.repository import ROOT

HOSTILE = "\x1b[2J\x1b]0;title\x07\u202e`x`"
Spoil = Callable[[dict[str, Any]], None]
Crane = Callable[..., tuple[int, str, str]]


@pytest.fixture
def crane(monkeypatch: pytest.MonkeyPatch) -> Crane:
    """Run the command on the outputs of staging, of which something was changed."""

    def run(spoil: Spoil, *words: str) -> tuple[int, str, str]:
        outputs = before.outputs("staging")
        spoil(outputs)
        monkeypatch.setattr(command, "outputs_of", lambda stack: read_outputs(outputs, stack))
        ended = command_line.crane("proof", *words, environ={}, cwd=ROOT)
        return ended.returncode, ended.stdout, ended.stderr

    return run


def of_the_newest(key: str, value: object) -> Spoil:
    return lambda outputs: outputs["proofs"][0].update({key: value})


def inert(text: str) -> bool:
    return all(char.isprintable() or char == "\n" for char in text)


@pytest.mark.parametrize("words", [["--list"], ["--list", "--json"], ["--list", "--whole"], []])
def test_what_a_terminal_would_obey_is_shown_as_escapes(crane: Crane, words: list[str]) -> None:
    _, out, err = crane(of_the_newest("commit", HOSTILE), *words)
    assert inert(out + err)


@pytest.mark.parametrize("words", [["--list"], ["--list", "--json"]])
def test_a_list_says_how_many_proofs_it_lacks(crane: Crane, words: list[str]) -> None:
    code, out, err = crane(of_the_newest("proven_at", HOSTILE), *words)
    listed = json.loads(out) if "--json" in words else out.splitlines()
    assert (code, len(listed)) == (1, 19)
    assert err == "not listed: 1 proof of stack staging cannot be read. Use the version of crane-infra that wrote it.\n"


def test_a_newest_proof_that_cannot_be_read_is_one_inert_line(crane: Crane) -> None:
    code, out, err = crane(of_the_newest("proven_at", HOSTILE))
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert err.startswith("error: stack staging: its newest proof cannot be read (proven_at: ")
    assert inert(err)


def test_an_error_with_texts_of_others_is_inert(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: str) -> None:
        raise ReportError(f"stack {HOSTILE}", HOSTILE, "Try again")

    monkeypatch.setattr(command, "outputs_of", fail)
    ended = command_line.crane("proof", environ={}, cwd=ROOT)
    assert ended.returncode == 1
    assert inert(ended.stderr)
    assert "\\x1b[2J" in ended.stderr
