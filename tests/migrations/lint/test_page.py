"""docs/lint.md describes every rule, and lint judges each of its examples as the page says."""

import re
from itertools import pairwise
from pathlib import Path

import pytest

from crane_infra.migrations.lint.finding import Finding
from tests.docs import markdown
from tests.migrations.builders import write_files
from tests.migrations.lint.linting import errors, findings, rules
from tests.repository import ROOT

PAGE = ROOT / "docs" / "lint.md"
SOURCES = sorted((ROOT / "crane_infra" / "migrations" / "lint").glob("*.py"))


def shown() -> dict[str, str]:
    """The rules that the table of docs/lint.md names, with their levels."""
    return {row[0].strip("`"): row[1] for row in markdown.rows(PAGE)}


def examples() -> list[tuple[str, str]]:
    """The examples of docs/lint.md, each with the rule of the heading above it."""
    rule, found = "", []
    tokens = markdown.tokens(PAGE)
    for before, token in pairwise(tokens):
        if before.type == "heading_open":
            rule = token.content.strip("`")
        elif token.type == "fence" and token.info.strip() == "sql":
            found.append((rule, token.content))
    return found


def lint_example(folder: Path, text: str) -> tuple[Finding, ...]:
    parts = [part.partition("\n") for part in text.split("-- file ")[1:]]
    files = write_files(folder, {name.removesuffix(", applied").strip(): content for name, _, content in parts})
    applied = {name.removesuffix(", applied") for name, _, _ in parts if name.endswith(", applied")}
    return findings(files, [file for file in files if file.name not in applied])


@pytest.mark.parametrize(("rule", "text"), examples())
def test_an_example_of_the_page_breaks_the_rule_and_what_to_write_instead_does_not(tmp_path: Path, rule: str, text: str) -> None:
    found = lint_example(tmp_path / "files", text)
    if text.startswith("-- instead"):
        assert errors(found) == []
        assert rule not in dict(rules(found))
    else:
        levels = {finding.level for finding in found if finding.rule == rule}
        assert levels == {shown()[rule]}
        assert set(dict(errors(found))) <= {rule}


def test_the_page_has_an_example_of_each_rule_that_the_code_has() -> None:
    source = "".join(path.read_text(encoding="utf-8") for path in SOURCES)
    broken = [rule for rule, text in examples() if not text.startswith("-- instead")]
    assert sorted(broken) == sorted(shown())
    assert set(shown()) == set(re.findall(r'"((?!loses-rows|cannot-run)[a-z]+(?:-[a-z0-9]+)+)"', source))
