"""A commit that a build wrote into a bundle is found, however git shortens it."""

import pytest

from crane_infra.release.build_info import modules_with
from crane_infra.release.bundle import Bundle, Module

COMMIT = "1a2b3c4d5e6f70819203a4b5c6d7e8f901234567"


def holding(*texts: str) -> Bundle:
    """A bundle with a module for each text."""
    modules = (Module(f"{number}.js", "application/javascript+module", text.encode()) for number, text in enumerate(texts))
    return Bundle("0.js", tuple(modules))


@pytest.mark.parametrize("length", [7, 8, 12, 40])
def test_in_each_length(length: int) -> None:
    assert modules_with(holding("nothing", f'const v="{COMMIT[:length]}";'), COMMIT) == ["1.js"]


@pytest.mark.parametrize("text", [COMMIT[:6], f"{COMMIT[:7]}0", f"a{COMMIT[:7]}", f"{COMMIT}0", "", COMMIT.upper(), f"{COMMIT[:8]}ff"])
def test_another_number_is_no_commit(text: str) -> None:
    assert modules_with(holding(f"x={text};"), COMMIT) == []


@pytest.mark.parametrize("commit", ["", "main", f"{COMMIT}+changes"])
def test_without_a_commit_nothing_is_looked_for(commit: str) -> None:
    assert modules_with(holding("main +changes"), commit) == []
