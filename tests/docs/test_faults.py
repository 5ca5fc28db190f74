"""Each case of docs/faults.md names tests that exist, and none of the required cases is missing.

This reads the test files and runs none of them.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs import markdown
from tests.repository import ROOT

FAULTS = ROOT / "docs" / "faults.md"
REQUIRED = set(range(1, 34))
CASES = [(int(number), re.findall(r"`([^`]+)`", shown)) for number, _, _, shown in markdown.rows(FAULTS)]
NAMED = sorted({name for _, names in CASES for name in names})


def collected(path: Path) -> set[str]:
    """What pytest collects from a file: its tests, and its classes that have tests."""
    return set(names(ast.parse(path.read_text(encoding="utf-8")).body))


def names(body: list[ast.stmt]) -> Iterator[str]:
    """The names of the tests among these statements, and of the classes that have some."""
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
            yield node.name
        if isinstance(node, ast.ClassDef) and node.name.startswith("Test") and any(names(node.body)):
            yield node.name


@pytest.mark.parametrize("name", NAMED)
def test_a_test_that_is_named_exists(name: str) -> None:
    file, _, test = name.partition("::")
    assert file.startswith("tests/")
    assert test in collected(ROOT / file)


def test_every_case_names_a_test_and_no_required_case_is_missing() -> None:
    assert [number for number, names in CASES if not names] == []
    assert {number for number, _ in CASES} >= REQUIRED


def test_a_name_that_no_file_has_would_be_noticed() -> None:
    assert collected(Path(__file__)) == {
        "test_a_test_that_is_named_exists",
        "test_every_case_names_a_test_and_no_required_case_is_missing",
        "test_a_name_that_no_file_has_would_be_noticed",
    }
