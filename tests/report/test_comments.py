"""The comments as people read them, kept as files: ``python -m tests.report.cases`` writes them again."""

import re

import pytest

from crane_infra.config.catalog import Catalog
from crane_infra.config.class_migrations import ClassMigration
from crane_infra.report.model import DatabaseChanges, EnvironmentChanges, Report
from crane_infra.report.render import LONGEST, MARKER, render
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
    "promotion_of_an_older_release",
}


def golden(name: str) -> str:
    return (GOLDEN / f"{name}.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", CASES)
def test_a_comment_reads_as_it_did(name: str, stage: Stage) -> None:
    assert comment(CASES[name](stage)) == golden(name)


@pytest.mark.parametrize("name", ["usual_change", "promotion", "rollback"])
def test_a_comment_is_the_same_where_a_version_before_exported_the_outputs(name: str, stage: Stage) -> None:
    stage.packs = False
    assert comment(CASES[name](stage)) == golden(name)


@pytest.mark.parametrize("name", CASES)
def test_the_check_fails_exactly_for_what_must_not_be_merged(name: str, stage: Stage) -> None:
    assert bool(CASES[name](stage).objections) == (name in FAILING)


@pytest.mark.parametrize("name", CASES)
def test_what_fails_stands_before_everything_else(name: str) -> None:
    text = golden(name)
    assert text.startswith(MARKER)
    if name in FAILING:
        assert text.index("**This check fails.**") < text.index("**Production gate:**") < 4000


@pytest.mark.parametrize("name", CASES)
def test_a_comment_holds_no_secret_and_no_fingerprint_key(name: str, stage: Stage) -> None:
    text = comment(CASES[name](stage))
    assert [value for value in (*SECRETS.values(), *stage.secrets.values(), KEY, "ciphertext") if value in text] == []


def test_a_usual_change_fits_one_screen() -> None:
    text = golden("usual_change")
    folded = re.sub(r"(?s)<details>.*?</details>", "folded", text)
    assert len(folded.splitlines()) < 40


def test_a_first_release_fits_one_screen_and_lists_its_settings_in_a_fold() -> None:
    text = golden("first_release")
    folded = re.sub(r"(?s)<details>.*?</details>", "folded", text)
    assert len(folded.splitlines()) < 40
    assert [line for line in folded.splitlines() if line.startswith("| `crane-context` |")] == [
        "| `crane-context` | worker | **new** | **new** |"
    ]
    assert "| `crane-context` | variable `STALE_MINUTES` | new: `45` | new: `45` |" in text


def test_what_changes_in_a_running_worker_is_never_folded(stage: Stage) -> None:
    """It is new in production, and staging runs it already."""
    stage.deploy("staging")
    stage.write("crane-context/dist/index.js", "export default { fetch: () => new Response('changed') };\n")
    text = comment(stage.report(staging=stage.preview(), outputs=("staging", "production")))
    folded = re.sub(r"(?s)<details>.*?</details>", "folded", text)
    assert "| `crane-context` | worker | unchanged | **new** |" in folded
    assert re.search(r"\| `crane-context` \| worker digest \| `\w{12}` → `\w{12}` \| new: `\w{12}` \|", folded)
    assert "STALE_MINUTES" in text
    assert "STALE_MINUTES" not in folded


def test_steps_of_classes_and_other_entrypoints_are_named_and_steps_of_before_are_not(stage: Stage) -> None:
    first = ClassMigration(tag="v1", new_sqlite_classes=("Room",))
    stage.catalog = _with_steps(stage, first)
    stage.deploy("staging", "production")
    stage.catalog = _with_steps(stage, first, ClassMigration(tag="v2", deleted_classes=("Room",), loses_objects=True))
    workers = stage.config["staging"]["crane-infra:workers"]
    called = {"services": {"CLASSIFIER": {"worker": "crane-classifier", "entrypoint": "Admin"}}}
    workers = {**workers, "crane-context": {**workers["crane-context"], **called}}
    stage.configure("staging", {**stage.config["staging"], "crane-infra:workers": workers})
    text = comment(stage.report(staging=stage.preview()))
    (row,) = [line for line in text.splitlines() if "Durable Object migration" in line]
    assert "v2" in row
    assert "deletes all objects of Room; at once, no way back" in row
    assert "crane-classifier-staging (entrypoint Admin)" in text


def _with_steps(stage: Stage, *steps: ClassMigration) -> Catalog:
    worker = stage.catalog.workers["crane-context"].model_copy(update={"class_migrations": steps})
    return stage.catalog.model_copy(update={"workers": {**stage.catalog.workers, "crane-context": worker}})


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
    text = comment(stage.report(staging=stage.preview()))
    assert len(text.encode()) <= LONGEST < 65_536
    assert "more rows" in text
    assert "left out here: the comment would be too long" in text


def test_no_list_of_a_comment_is_endless(stage: Stage) -> None:
    stage.deploy("staging", "production")
    output = tuple(("error", f"refusal {number} {'x' * 690}") for number in range(400))
    text = comment(stage.report(staging=stage.preview(logged=output), failed=f"{'y' * 90_000}\n" * 90))
    assert len(text.encode()) <= LONGEST
    assert "- … and 340 more" in text
    assert "**Production gate:**" in text


def test_what_is_too_long_all_the_same_is_cut_and_says_so() -> None:
    databases = tuple(DatabaseChanges(f"db-{number}", f"{'ö' * 50}-{number}", "new") for number in range(1000))
    text = render(
        Report("a" * 64, None, (EnvironmentChanges("staging", databases=databases), EnvironmentChanges("production", notes=("x",))))
    )
    assert len(text.encode()) <= LONGEST
    assert text.rstrip().endswith("run `crane preview-report` on these files.*")


def test_a_proof_that_does_not_hold_is_not_called_normal(stage: Stage) -> None:
    stage.deploy("staging", "production")
    stage.configure("production", {**stage.config["production"], "crane-infra:proof-max-age-days": 1})
    text = comment(stage.report(staging=stage.preview()))
    assert "**Production gate:** closed, although staging has proven this release." in text
    assert "is older than 1 day" in text
