"""What the report is made from: malformed input is refused in one line, missing input is named, and no secret passes."""

import base64
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from crane_infra.cli.app import make_app
from crane_infra.config.assets import Assets
from crane_infra.config.catalog import Catalog
from crane_infra.errors import CraneError, ReportError
from crane_infra.migrations.files.read import MigrationFile
from crane_infra.release.outputs import read_outputs
from crane_infra.report.engine import parse_preview
from tests.report.cases import NOTES, usual_change
from tests.report.stage import ACCOUNT, Stage, comment
from tests.repository import ROOT


@pytest.mark.parametrize("text", ["not json", "[]", "1", "{}", '{"steps": [1]}', '{"steps": [{}]}', '{"steps": {}, "diagnostics": [1]}'])
def test_a_text_that_is_not_a_preview_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(ReportError) as refused:
        parse_preview(text, "preview.json", str)
    assert str(refused.value).startswith("preview.json: is not ")
    assert str(refused.value).endswith("Write it with pulumi preview --json.")


def test_a_preview_of_other_files_is_refused(stage: Stage) -> None:
    stage.deploy("staging", "production")
    stage.write("crane-context/dist/index.js", "export default 1;\n")
    before = stage.preview()
    stage.write("crane-context/dist/index.js", "export default 2;\n")
    with pytest.raises(ReportError, match=r"worker crane-context: the preview is of .*, the files are .* in the same checkout"):
        stage.report(staging=before)


def test_an_environment_without_outputs_is_named_as_not_compared(stage: Stage) -> None:
    stage.deploy("staging", "production")
    told = comment(stage.report(staging=stage.preview(), outputs=()))
    assert "production: not compared, because this report was not given its last outputs." in told


def test_after_a_failed_preview_staging_is_compared_with_its_last_outputs(stage: Stage) -> None:
    stage.deploy("staging", "production")
    stage.write("crane-context/migrations/0003_create_labels.sql", NOTES)
    report = stage.report(failed="error: incorrect passphrase", outputs=("staging", "production"))
    assert [one.environment for one in report.environments if one.databases] == ["staging", "production"]
    assert report.objections == ("incorrect passphrase",)


def test_a_failed_preview_without_a_message_still_fails_the_check(stage: Stage) -> None:
    assert stage.report(failed="").objections == ("the preview failed without a message",)


def test_an_error_that_the_json_names_is_listed_once(stage: Stage) -> None:
    assert stage.report(staging=stage.preview(logged=(("error", "a: b. c."),)), failed="").objections == ("a: b. c.",)


def test_warnings_beside_a_failed_preview_add_nothing_to_the_error_that_it_names(stage: Stage) -> None:
    preview = stage.preview(logged=(("error", "secrets: X (missing). Set it."),))
    assert stage.report(staging=preview, failed="WARN Response has no supported checksum.").objections == ("secrets: X (missing). Set it.",)
    assert len(stage.report(staging=preview, failed="error: another").objections) == 2


def test_the_secrets_of_this_process_are_redacted_in_everything_that_it_reads(stage: Stage) -> None:
    stage.deploy("staging", "production")
    environ = {"PULUMI_CONFIG_PASSPHRASE": "canary-passphrase", "CLOUDFLARE_API_TOKEN": "canary-token", "WEBHOOK_SECRET": "canary-value"}
    preview = stage.preview(logged=(("warning", "a note with canary-passphrase"),))
    told = comment(stage.report(staging=preview, failed="no canary-token\nnor canary-value", environ=environ))
    assert "canary" not in told
    assert "[secret CLOUDFLARE_API_TOKEN]" in told


@pytest.mark.parametrize("in_state", ["as a path", "as a content, by a program of before"])
def test_the_modules_that_go_are_measured_however_the_state_has_them(stage: Stage, in_state: str) -> None:
    stage.deploy("staging")
    stage.write("crane-context/dist/index.js", "export default 1;\n")
    old = stage.files["staging"].bundles["crane-context"].modules[0]
    content, preview = base64.b64encode(old.content).decode(), stage.preview()
    if in_state != "as a path":
        (version,) = [step for step in preview["steps"] if step["op"] == "replace" and step["urn"].endswith("::crane-context")]
        version["oldState"]["inputs"]["modules"] = [{"name": old.name, "contentBase64": content}]
    told = comment(stage.report(staging=preview, environ={"SOME_TOKEN": content[4:40]}))
    assert f"{len(old.content)} bytes, sha256 {old.sha256[:12]}" in told


def test_changed_static_assets_are_counted_and_a_folder_that_is_missing_is_refused(stage: Stage) -> None:
    worker = stage.catalog.workers["crane-context"].model_copy(update={"assets": Assets(directory="site", not_found_handling="404-page")})
    stage.catalog = Catalog(workers={**stage.catalog.workers, "crane-context": worker}, databases=stage.catalog.databases)
    for number in range(3):
        stage.write(f"site/{number}.txt", str(number))
    stage.deploy("staging", "production")
    stage.write("site/0.txt", "other")
    stage.write("site/3.txt", "3")
    told = comment(stage.report(staging=stage.preview()))
    assert "1 new, 1 changed (4 files in all)" in told
    assert "3.txt" not in told
    stage.remove("site")
    refused = stage.report(failed="", outputs=("staging", "production"))
    assert any("assets of crane-context (workers/site): the folder does not exist" in text for text in refused.objections)


def test_a_short_value_in_a_variable_named_like_a_secret_spoils_nothing(stage: Stage) -> None:
    environ = {"HAS_TOKEN": "true", "SOME_SECRET": "staging"}
    assert comment(usual_change(stage)) == comment(stage.report(staging=stage.preview(), environ=environ))


def test_a_secret_in_a_packed_proof_is_hidden(stage: Stage) -> None:
    stage.deploy("staging", "production")
    for environment in ("staging", "production"):
        stage.outputs[environment]["proofs"][0]["manifest"]["workers"]["crane-context"]["compatibility"]["date"] = "canary-token"
    told = comment(stage.report(staging=stage.preview(), environ={"CLOUDFLARE_API_TOKEN": "canary-token"}))
    assert "compatibility date" in told
    assert "canary" not in told


@pytest.mark.parametrize("outputs", [None, {}, {"proofs": []}, {"environment": {}}])
def test_without_outputs_a_stack_has_no_release(outputs: dict[str, object] | None) -> None:
    last = read_outputs(outputs)
    assert (dict(last.workers), dict(last.databases), last.proofs, dict(last.manifest)) == ({}, {}, (), {})


def test_after_a_rollback_the_ledger_is_what_older_proofs_list(stage: Stage) -> None:
    stage.deploy("production")
    old = stage.files["production"]
    stage.write("crane-context/migrations/0003_create_labels.sql", NOTES)
    stage.deploy("production")
    newest = stage.outputs["production"]["proofs"][0]
    rolled_back = {**newest, "manifest": old.manifest, "digest": "b" * 64}
    last = read_outputs({"proofs": [rolled_back, *stage.outputs["production"]["proofs"]]})
    names = [entry.name for entry in last.ledger("crane-context-db").entries]
    assert names == [*map(_name, old.migrations["crane-context-db"]), "0003_create_labels.sql"]


def _name(file: MigrationFile) -> str:
    return file.name


def test_a_refused_stack_file_is_reported_in_the_words_of_a_run(stage: Stage) -> None:
    stage.deploy("staging", "production")
    stage.configure("staging", {**stage.config["staging"], "crane-infra:colour": "red"})
    with pytest.raises(CraneError) as refused:
        stage.now("staging")
    assert stage.report(staging=stage.preview(logged=(("error", str(refused.value)),))).objections == (str(refused.value),)


# The command


def run(*words: str) -> tuple[int, str]:
    """Run the command as a shell would."""
    ended = CliRunner().invoke(make_app("preview-report"), ["preview-report", *words])
    if isinstance(ended.exception, CraneError):
        return 1, f"error: {ended.exception}"
    return ended.exit_code, ended.output


def clone(stage: Stage) -> tuple[str, ...]:
    """What points the command at a stage."""
    return ("--stack-files", str(stage.folder))


def test_the_command_writes_a_file_and_ends_with_3_where_the_check_fails(stage: Stage, tmp_path: Path) -> None:
    out = tmp_path / "comment.md"
    (stage.folder / "said").write_text("error: not logged in", encoding="utf-8")
    code, printed = run(*clone(stage), "--failed", str(stage.folder / "said"), "--out", str(out))
    assert (code, printed) == (3, "")
    assert "**This check fails.**" in out.read_text(encoding="utf-8")


def test_the_command_prints_one_object_for_machines(stage: Stage) -> None:
    (stage.folder / "preview.json").write_text(json.dumps({"config": {}}), encoding="utf-8")
    code, printed = run(*clone(stage), "--preview", str(stage.folder / "preview.json"), "--json")
    assert code == 0
    assert {"digest", "gate", "environments", "failed", "objections"} == json.loads(printed).keys()


def test_the_command_says_in_one_line_what_it_cannot_read(stage: Stage) -> None:
    assert run(*clone(stage), "--preview", "/nowhere.json") == (
        1,
        "error: /nowhere.json: cannot be read (No such file or directory). Name a file that exists.",
    )
    (stage.folder / "said").write_text("x", encoding="utf-8")
    assert run("--stack-files", "/nowhere", "--failed", str(stage.folder / "said")) == (
        1,
        "error: /nowhere: has no Pulumi.yaml that can be read. Name the folder of the stack files.",
    )


def test_the_committed_files_can_be_reported_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLOUDFLARE_ACCOUNT_ID", ACCOUNT)
    said = tmp_path / "said"
    said.write_text("error: not logged in\n", encoding="utf-8")
    code, printed = run("--stack-files", str(ROOT), "--failed", str(said))
    assert code == 3
    assert "crane-infra:workers-dir: is missing" in printed


def test_the_command_refuses_to_report_from_nothing(stage: Stage) -> None:
    assert run(*clone(stage)) == (
        1,
        "error: preview-report: there is no preview to report on. Add --preview or --production-preview, or --failed if the preview failed.",
    )
