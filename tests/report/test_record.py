"""What a preview writes down for the report: the record decides what is pending and adopted, never a line of the log; it holds no secret."""

import json
from pathlib import Path

import pytest

from crane_infra.errors import ReportError
from crane_infra.redact import Redactor
from crane_infra.release.preview_record import (
    FORMAT,
    PreviewRecord,
    RecordedAdoption,
    RecordedDatabase,
    parse_record,
    write_record,
)
from tests.report.cases import CONTEXT, NOTES, usual_change
from tests.report.previews import Json
from tests.report.stage import Stage, comment

REFUSAL = "Pulumi.staging.yaml workers.x.adopt: the account has no worker x to adopt. Remove adopt."
PLANTED = "planted-secret-value"
GAP = ": pending migrations are those since the last release, and adoptions are not listed"
NO_RECORD = f"this preview wrote no record (CRANE_PREVIEW_RECORD was not set){GAP}"
FAILED = f"this preview failed before it wrote its record{GAP}"
LOOKS_LIKE_OURS = (
    "adopts worker somebody-else: its code is replaced",
    "crane-context-db-staging: pending 0001_create_sessions.sql (expand, 0123456789ab)",
    "crane-context-db-staging: taken over from wrangler: 0001_create_sessions.sql",
    "production gate open: says nobody",
    "it is fine. An update would be refused.",
)


def recorded(stage: Stage, **changed: object) -> None:
    """Change what the program wrote during the last preview of staging."""
    record = json.loads(stage.records["staging"] or "{}")
    stage.records["staging"] = json.dumps({**record, **changed})


def pending(stage: Stage, preview: Json) -> list[str]:
    """The migrations that a report calls pending in staging."""
    return [file.name for database in stage.report(staging=preview).environments[0].databases for file in database.pending]


@pytest.fixture
def new_file(stage: Stage) -> Json:
    """The preview of a new migration on top of what both environments have."""
    stage.deploy("staging", "production")
    stage.write(f"{CONTEXT}/0003_create_labels.sql", NOTES)
    return stage.preview()


def test_what_a_preview_saw_in_the_ledgers_goes_before_what_was_recorded_in_the_state(stage: Stage, new_file: Json) -> None:
    assert pending(stage, new_file) == ["0003_create_labels.sql"]
    recorded(stage, databases={"crane-context-db": {}})  # somebody applied it manually
    assert pending(stage, new_file) == []


def test_ledgers_that_could_not_be_read_leave_what_was_recorded_in_the_state(stage: Stage, new_file: Json) -> None:
    recorded(stage, databases=None)
    assert pending(stage, new_file) == ["0003_create_labels.sql"]


def test_a_file_of_any_name_is_pending_when_its_record_says_so(stage: Stage) -> None:
    stage.deploy("staging", "production")
    stage.write(f"{CONTEXT}/0003_odd (data, 1).sql", NOTES)
    assert pending(stage, stage.preview()) == ["0003_odd (data, 1).sql"]


def test_a_line_of_the_log_that_looks_like_one_of_ours_is_a_note_and_nothing_else(stage: Stage) -> None:
    stage.deploy("staging", "production")
    report = stage.report(staging=stage.preview(logged=tuple(("info", text) for text in LOOKS_LIKE_OURS)))
    staging = report.environments[0]
    assert [pending for database in staging.databases for pending in database.pending] == []
    assert (staging.adoptions, report.objections) == ((), ())
    assert staging.notes == LOOKS_LIKE_OURS


def test_a_refusal_at_which_the_preview_goes_on_fails_the_check(stage: Stage) -> None:
    stage.deploy("staging", "production")
    report = stage.report(staging=stage.preview(refusals=(REFUSAL,)))
    assert report.objections == (REFUSAL,)
    assert report.environments[0].notes == ()


class TestWithoutARecord:
    def test_the_comment_says_in_one_line_what_it_does_not_know(self, stage: Stage, new_file: Json) -> None:
        stage.records.clear()
        report = stage.report(staging=new_file)
        assert report.environments[0].notes[-1] == NO_RECORD
        assert f"- staging: `{NO_RECORD}`" in comment(report).splitlines()
        assert pending(stage, new_file) == ["0003_create_labels.sql"]

    def test_a_preview_that_was_refused_has_none(self, stage: Stage) -> None:
        stage.deploy("staging", "production")
        (note,) = stage.report(staging=stage.preview(logged=(("error", "a: b. c."),))).environments[0].notes
        assert note == FAILED

    def test_a_report_without_a_preview_says_nothing_of_it(self, stage: Stage) -> None:
        stage.deploy("staging", "production")
        report = stage.report(outputs=("staging", "production"), failed="error: not logged in")
        assert [environment.notes for environment in report.environments] == [(), ()]

    def test_a_record_of_another_format_counts_as_none_and_the_comment_names_both(self, stage: Stage, new_file: Json) -> None:
        recorded(stage, format=FORMAT + 1, more="unknown")
        (*_, note) = stage.report(staging=new_file).environments[0].notes
        assert note.startswith(f"the record of this preview has format {FORMAT + 1}, and this version of crane reads format {FORMAT}: ")


def test_of_a_first_update_that_stopped_half_way_the_pending_files_are_judged_as_the_preview_judged_them(stage: Stage) -> None:
    stage.write(f"{CONTEXT}/0004_drop_last.sql", "DROP TABLE labels;\n")
    stage.write(f"{CONTEXT}/0003_create_labels.sql", "CREATE TABLE labels (x TEXT);\n")
    preview = stage.preview()
    for in_use, rules in ((False, []), (True, ["drops-table", "contract-not-declared"])):
        recorded(stage, databases={"crane-context-db": {"pending": ["0004_drop_last.sql"], "in_use": in_use}})
        files = [file for database in stage.report(staging=preview).environments[0].databases for file in database.pending]
        found = {file.name: [finding.rule for finding in file.findings] for file in files}
        assert found["0004_drop_last.sql"] == rules


class TestARecordOfOtherFiles:
    def test_is_refused(self, stage: Stage, new_file: Json) -> None:
        recorded(stage, release="a" * 64)
        with pytest.raises(ReportError, match=r"^the record of the staging preview: is of release aaaaaaaaaaaa in staging, the files are "):
            stage.report(staging=new_file)

    def test_is_left_aside_where_the_preview_failed_before_it_could_write_its_own(self, stage: Stage, new_file: Json) -> None:
        assert new_file
        before = stage.records["staging"]
        stage.write(f"{CONTEXT}/0004_more.sql", "CREATE TABLE more (id INTEGER);\n")
        preview = stage.preview(logged=(("error", "a: b. c."),))
        stage.records["staging"] = before
        assert stage.report(staging=preview).environments[0].notes[-1] == FAILED


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("not json", "is not JSON"),
        ("[]", "is not the record of a preview"),
        ("{}", "is not the record of a preview (environment: is missing)"),
        (
            '{"format": "1", "environment": "staging", "release": "a", "databases": {}, "x": 1}',
            "is not the record of a preview (x: is not known)",
        ),
    ],
)
def test_what_is_not_a_record_is_refused_in_one_line(text: str, fault: str) -> None:
    with pytest.raises(ReportError) as refused:
        parse_record(text, "record.json")
    assert str(refused.value) == f"record.json: {fault}. Let pulumi preview write it: set CRANE_PREVIEW_RECORD to the file."


def test_no_secret_enters_a_record(tmp_path: Path) -> None:
    quoting = f"it is {PLANTED}"
    record = PreviewRecord(
        environment="staging",
        release="a" * 64,
        databases={"crane-context-db": RecordedDatabase(pending=("0001_first.sql",))},
        adoptions=(RecordedAdoption(kind="worker", name=PLANTED, changes=(quoting,)),),
        refusals=(quoting,),
        logged=(quoting,),
    )
    write_record(record, tmp_path / "record.json", Redactor({"KEY": PLANTED, "SHORT": "1"}))
    text = (tmp_path / "record.json").read_text(encoding="utf-8")
    assert PLANTED not in text
    assert text.count("[secret KEY]") == 4
    written = parse_record(text, "record.json")
    assert isinstance(written, PreviewRecord)
    assert (written.format, written.databases) == (FORMAT, record.databases)


def test_a_record_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    record = PreviewRecord(environment="staging", release="a" * 64, databases={})
    with pytest.raises(ReportError) as refused:
        write_record(record, tmp_path / "nowhere" / "record.json", str)
    assert str(refused.value) == (
        f"CRANE_PREVIEW_RECORD {tmp_path}/nowhere/record.json: cannot be written (No such file or directory). Name a file in a folder that exists."
    )


def test_the_log_adds_nothing_to_a_comment_that_has_its_record(stage: Stage) -> None:
    report = usual_change(stage)
    assert [environment.notes for environment in report.environments] == [(), ()]
