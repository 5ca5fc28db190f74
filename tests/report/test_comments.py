"""The comments as people read them, kept as files: ``python -m tests.report.cases`` writes them anew."""

import re

import pytest

from crane_infra.report.render import LONGEST, MARKER
from tests.report.cases import CASES, DOCUMENT, EXAMPLES, GOLDEN
from tests.report.stage import KEY, SECRETS, Stage, comment

FAILING = {
    "database_replaced",
    "number_taken",
    "migration_edited",
    "referenced_table_dropped",
    "database_renamed",
    "worker_removed",
    "bundle_missing",
    "preview_failed",
    "promotion_unproven",
}


def golden(name: str) -> str:
    return (GOLDEN / f"{name}.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", CASES)
def test_a_comment_reads_as_it_did(name: str, stage: Stage) -> None:
    assert comment(CASES[name](stage)) == golden(name)


@pytest.mark.parametrize("name", CASES)
def test_the_check_fails_exactly_for_what_must_not_be_merged(name: str, stage: Stage) -> None:
    assert bool(CASES[name](stage).objections) == (name in FAILING)


@pytest.mark.parametrize("name", CASES)
def test_what_fails_stands_before_everything_else(name: str) -> None:
    told = golden(name)
    assert told.startswith(MARKER)
    if name in FAILING:
        assert told.index("**This check fails.**") < told.index("**Production gate:**") < 4000


@pytest.mark.parametrize("name", CASES)
def test_a_comment_holds_no_secret_and_no_fingerprint_key(name: str, stage: Stage) -> None:
    told = comment(CASES[name](stage))
    assert [value for value in (*SECRETS.values(), *stage.secrets.values(), KEY, "ciphertext") if value in told] == []


def test_a_usual_change_fits_one_screen() -> None:
    told = golden("usual_change")
    folded = re.sub(r"(?s)<details>.*?</details>", "folded", told)
    assert len(folded.splitlines()) < 40


def test_every_kept_comment_belongs_to_a_case() -> None:
    assert {path.stem for path in GOLDEN.glob("*.md")} == set(CASES)


def test_the_examples_in_the_documents_are_what_the_command_prints() -> None:
    shown = re.findall(r"(?ms)^````text\n(.*?)^````$", DOCUMENT.read_text(encoding="utf-8"))
    assert shown == [golden(name) for name in EXAMPLES]


def test_a_comment_stays_below_what_github_takes(stage: Stage) -> None:
    stage.deploy("staging", "production")
    for number in range(3, 80):
        stage.write(f"crane-context/migrations/{number:04}_{'long_name_' * 12}.sql", "SELECT 1;\n")
    columns = ", ".join(f"column_{one} TEXT DEFAULT '{'x' * 300}'" for one in range(40))
    for number in range(80, 88):
        stage.write(f"crane-context/migrations/{number:04}_table.sql", f"CREATE TABLE table_{number} ({columns});\n")
    told = comment(stage.report(staging=stage.preview()))
    assert len(told.encode()) <= LONGEST < 65_536
    assert "rows more" in told
    assert "left out here: the comment would be too long" in told


def test_what_is_cut_in_the_end_says_so(stage: Stage) -> None:
    stage.deploy("staging", "production")
    said = tuple(("error", f"refusal {number} {'x' * 690}") for number in range(400))
    messages = tuple(("warning", f"warning {number} {'y' * 690}") for number in range(400))
    told = comment(stage.report(staging=stage.preview(said=said + messages)))
    assert len(told.encode()) <= LONGEST
    assert "more" in told
