"""What the workflows may do, and with which credentials: rules that a linter does not know, because they are ours."""

import re
from itertools import chain
from typing import Any

import pytest
import yaml

from crane_infra.config.environments import ENVIRONMENTS
from crane_infra.config.settings import Settings
from crane_infra.status.updates import Update
from tests.docs import markdown
from tests.docs.commands import commands, fault
from tests.repository import ROOT
from tests.workflows.expressions import holds
from tests.workflows.runner import WORKFLOWS, load, status_of

Json = dict[str, Any]
FILES = sorted(WORKFLOWS.glob("*.yml"))
LOADED = {path.stem: load(path) for path in FILES}
ACTION = load(ROOT / ".github" / "actions" / "set-up" / "action.yml")
JOBS = [(name, title, job) for name, workflow in LOADED.items() for title, job in workflow["jobs"].items()]
STEPS = [(f"{name}.{title}", step) for name, title, job in JOBS for step in job["steps"]]
STEPS += [("set-up", step) for step in ACTION["runs"]["steps"]]
READ = {"contents": "read"}
# What a job may do with GitHub beyond reading the repository, and why it is there.
MORE = {
    "preview.comment": {"pull-requests": "write"},
    "production.preview": {"actions": "read"},
    "production.rehearse": {"actions": "read"},
    "production.deploy": {"actions": "read"},
    "production.keep": {"contents": "write", "actions": "read"},
    "drift.look": {"actions": "read"},
    "drift.report": {"issues": "write"},
    "verify.report": {"issues": "write"},
    "backup.report": {"issues": "write"},
}
ENVIRONMENT_OF = {
    "preview.preview": "staging-preview",
    "staging.deploy": "staging",
    "production.choose": "production-preview",
    "production.preview": "production-preview",
    "production.rehearse": "production-preview",
    "backup.back-up": "production-preview",
    "production.deploy": "production",
    "drift.look": "${{ matrix.stack }}-preview",
}
WRITES = {"staging.deploy": "staging", "production.deploy": "production"}


def triggers(workflow: Json) -> set[str]:
    return set(workflow["on"])


def runs(job: Json) -> str:
    return "\n".join(step.get("run", "") for step in job["steps"])


# What it may do


def test_there_are_the_six_workflows() -> None:
    assert set(LOADED) == {"verify", "preview", "staging", "production", "drift", "backup"}


def test_each_begins_with_no_permission_and_each_job_has_only_what_it_needs() -> None:
    assert {str(workflow["permissions"]) for workflow in LOADED.values()} == {"{}"}
    assert {f"{name}.{title}": job["permissions"] for name, title, job in JOBS} == {
        f"{name}.{title}": READ | MORE.get(f"{name}.{title}", {}) for name, title, _ in JOBS
    }


def test_no_workflow_runs_a_strangers_code_with_the_rights_of_the_base() -> None:
    assert not {"pull_request_target", "workflow_run", "issue_comment"} & set(chain.from_iterable(map(triggers, LOADED.values())))


@pytest.mark.parametrize(("where", "step"), [(where, step) for where, step in STEPS if "uses" in step], ids=lambda value: str(value)[:40])
def test_an_action_is_one_of_ours_or_pinned_to_a_commit_with_its_version_beside(where: str, step: Json) -> None:
    if step["uses"] == "./.github/actions/set-up":
        return
    files = [*FILES, ROOT / ".github" / "actions" / "set-up" / "action.yml"]
    lines = [line for path in files for line in path.read_text(encoding="utf-8").splitlines() if step["uses"] in line]
    assert lines, where
    assert all(re.search(r"uses: actions/[a-z-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$", line) for line in lines)


def test_one_action_has_one_version_everywhere() -> None:
    pins = {step["uses"] for _, step in STEPS if "@" in step.get("uses", "")}
    assert len(pins) == len({pin.partition("@")[0] for pin in pins})


def test_no_checkout_leaves_its_token_behind() -> None:
    checkouts = [step for _, step in STEPS if step.get("uses", "").startswith("actions/checkout")]
    assert checkouts
    assert {step["with"]["persist-credentials"] for step in checkouts} == {False}


def test_nothing_of_an_event_stands_in_a_command() -> None:
    assert [step["run"] for _, step in STEPS if "${{" in step.get("run", "")] == []


# With which credentials


def test_secrets_are_those_of_an_environment_and_stand_beside_the_one_step_that_needs_them() -> None:
    for name, title, job in JOBS:
        where = f"{name}.{title}"
        assert job.get("environment") == ENVIRONMENT_OF.get(where)
        assert "secrets." not in str({key: value for key, value in job.items() if key != "steps"})
        has = [step for step in job["steps"] if "secrets." in str(step)]
        assert bool(has) == (where in ENVIRONMENT_OF)
        assert all(re.match(r"(exec )?(mkdir|pulumi|crane) ", step["run"]) for step in has)
    assert all("secrets" not in str({key: value for key, value in workflow.items() if key != "jobs"}) for workflow in LOADED.values())


def test_the_page_on_secrets_names_each_job_that_reads_them_with_its_environment() -> None:
    reading = {f"{name}.{title}" for name, title, job in JOBS if re.search(r"pulumi (preview|up) ", runs(job))}
    listed = {
        (f"{file}.{job}", environment.replace(stack, "${{ matrix.stack }}") if "matrix" in ENVIRONMENT_OF[f"{file}.{job}"] else environment)
        for stack, jobs, subject in (cells for cells in markdown.rows(ROOT / "docs" / "secrets.md") if len(cells) == 3)
        for environment in re.findall(r"repo:<owner>/<repo>:environment:([a-z-]+)", subject)
        for job, file in re.findall(r"`(\w+)` in `(\w+)\.yml`", jobs)
    }
    assert listed == {(where, ENVIRONMENT_OF[where]) for where in reading}


def test_what_a_pull_request_can_start_has_no_environment_of_production() -> None:
    """Nor one that may write to staging. Other workflows start on main, on tags, at night or by hand; environments hold them to these refs."""
    for name, title, _ in JOBS:
        if "pull_request" in triggers(LOADED[name]):
            assert ENVIRONMENT_OF.get(f"{name}.{title}") in (None, "staging-preview")


def test_a_pull_request_of_a_fork_starts_no_job_with_an_environment() -> None:
    job = LOADED["preview"]["jobs"]["preview"]
    assert "github.event.pull_request.head.repo.full_name == github.repository" in job["if"]


def test_only_two_jobs_change_a_stack_each_in_the_environment_of_its_name() -> None:
    changing = {f"{name}.{title}": job for name, title, job in JOBS if re.search(r"pulumi (up|destroy|refresh|import|cancel)", runs(job))}
    assert {where: job["environment"] for where, job in changing.items()} == WRITES


def test_the_job_that_may_write_a_comment_runs_the_code_of_the_base() -> None:
    job = LOADED["preview"]["jobs"]["comment"]
    (checkout,) = [step for step in job["steps"] if step.get("uses", "").startswith("actions/checkout")]
    assert checkout["with"]["ref"] == "${{ github.event.pull_request.base.sha }}"
    assert "environment" not in job


def test_what_builds_never_has_a_credential_of_a_stack_that_it_could_change() -> None:
    building = {f"{name}.{title}" for name, title, job in JOBS if "BUILD_COMMAND" in runs(job)}
    assert building == {"verify.migrations", "preview.preview", "staging.build"}
    assert not building & set(WRITES)


def test_production_gets_the_bytes_that_staging_stored_and_builds_nothing() -> None:
    for title in ("preview", "deploy"):
        job = LOADED["production"]["jobs"][title]
        assert "BUILD_COMMAND" not in str(job)
        assert 'crane release unpack release.tar --workers-dir bundles --require "$DIGEST"' in runs(job)
        assert job["steps"][0]["with"]["ref"] == "${{ needs.choose.outputs.commit }}"


def test_the_pipeline_page_lists_every_workflow_and_every_environment_and_argues_for_each_workflow() -> None:
    cells = list(markdown.rows(markdown.PIPELINE))
    assert {row[0].strip("`") for row in cells if row[0].endswith(".yml`")} == {path.name for path in FILES}
    named = {row[0].strip("`") for row in cells if not row[0].endswith(".yml`")}
    assert named == {one.replace("${{ matrix.stack }}", stack) for one in ENVIRONMENT_OF.values() for stack in ENVIRONMENTS}
    argued = markdown.PIPELINE.read_text(encoding="utf-8").partition("## Who gets which credential")[2]
    assert [path.name for path in FILES if f"\n- `{path.name}` " not in argued] == []


# For how long, and beside what


def deadline() -> int:
    """The longest that the hooks of a run may take: the migrations of a database, then all checks; in minutes."""
    default = Settings.model_fields["hook_deadline_minutes"].default
    files = [yaml.safe_load((ROOT / f"Pulumi.{name}.yaml").read_text(encoding="utf-8"))["config"] for name in ENVIRONMENTS]
    return 2 * max(int(config.get("crane-infra:hook-deadline-minutes", default)) for config in files)


def test_a_job_that_changes_a_stack_outlives_the_deadlines_of_its_hooks() -> None:
    for name, title, job in JOBS:
        assert job["timeout-minutes"] <= 120
        if f"{name}.{title}" in WRITES:
            assert job["timeout-minutes"] >= 2 * deadline()


def test_runs_on_one_stack_wait_for_each_other_and_none_is_cancelled() -> None:
    for stack in ENVIRONMENTS:
        assert LOADED[stack]["concurrency"] == {"group": f"stack-{stack}", "cancel-in-progress": False, "queue": "max"}
    assert LOADED["drift"]["concurrency"]["cancel-in-progress"] is False


ENGINE = re.compile(r"pulumi (up|preview|refresh|destroy|import)\b")


@pytest.mark.parametrize(("where", "step"), [(where, step) for where, step in STEPS if ENGINE.search(step.get("run", ""))], ids=str)
def test_a_step_that_runs_the_engine_becomes_the_engine(where: str, step: Json) -> None:
    """GitHub signals the step's own process when a job is cancelled. A shell would keep the signal, and leave the engine running and the stack locked."""
    assert re.fullmatch(r"exec pulumi [^\n;&|]*(2>&1)?", step["run"]), where


@pytest.mark.parametrize(("name", "title"), [where.split(".") for where in WRITES])
def test_a_job_that_changes_a_stack_says_what_is_locked_where_its_update_failed_or_was_cancelled(name: str, title: str) -> None:
    steps = LOADED[name]["jobs"][title]["steps"]
    (update,) = [place for place, step in enumerate(steps) if "pulumi up" in step.get("run", "")]
    after = steps[update + 1]
    assert after["run"] == f'crane lock -s {WRITES[f"{name}.{title}"]} >> "$GITHUB_STEP_SUMMARY"'
    for outcome, ends in {"success": False, "failure": True, "cancelled": True, "skipped": False}.items():
        context = {"steps": {steps[update]["id"]: {"outcome": outcome}}}
        for result in ("success", "failure", "cancelled"):
            assert holds(after["if"], {**context, "status": status_of(result)}) is ends


@pytest.mark.parametrize("where", WRITES)
@pytest.mark.parametrize("actor", ["octocat", "dependabot[bot]"])
def test_a_job_that_changes_a_stack_tells_pulumi_which_release_it_deploys_and_who_started_it(where: str, actor: str) -> None:
    name, title = where.split(".")
    (update,) = [step for step in LOADED[name]["jobs"][title]["steps"] if "pulumi up" in step.get("run", "")]
    assert update["run"].endswith(' --message "$MESSAGE"')
    message = update["env"]["MESSAGE"].replace("${{ github.actor }}", actor)
    filled = re.sub(r"\$\{\{ needs\.\w+\.outputs\.digest \}\}", "a" * 64, message)
    read = Update.model_validate({"kind": "update", "result": "succeeded", "startTime": "2026-11-28T21:30:00Z", "message": filled})
    assert read.said == ("a" * 64, actor)


def test_staging_takes_the_newest_commit_of_main_alone_and_looks_again_just_before_it_changes_anything() -> None:
    steps = LOADED["staging"]["jobs"]["deploy"]["steps"]
    asks = [place for place, step in enumerate(steps) if step.get("run", "").startswith("crane github require-head")]
    (update,) = [place for place, step in enumerate(steps) if "pulumi up" in step.get("run", "")]
    assert len(asks) == 2
    assert asks[-1] == update - 1
    assert [step["run"] for step in steps[: asks[0]] if "run" in step] == []
    assert all(steps[place]["run"].endswith('"$COMMIT" --branch main') for place in asks)
    assert all(steps[place]["env"]["COMMIT"] == "${{ github.sha }}" for place in asks)


def test_a_refresh_reads_no_files_of_versions_which_no_checkout_may_have_after_a_failed_update() -> None:
    refreshing = [step for _, step in STEPS if "--refresh" in step.get("run", "")]
    assert refreshing
    assert {step["env"]["PULUMI_ENABLE_LEGACY_REFRESH_DIFF"] for step in refreshing} == {"true"}


def test_a_summary_is_written_by_a_command_that_keeps_it_short() -> None:
    written = {step["run"].split(" >> ")[0] for _, step in STEPS if "GITHUB_STEP_SUMMARY" in step.get("run", "")}
    short = r"crane (lock|proof|verify) -s (staging|production)|crane github summary .*|crane migrations rehearse .*|cat comment\.md"
    assert [command for command in written if not re.fullmatch(short, command)] == []


def test_the_engine_finds_a_file_in_place_of_its_logs_before_it_runs_for_the_first_time() -> None:
    """``make engine`` asks it for its version, and that makes the folder."""
    commands = [step.get("run", "") for step in ACTION["runs"]["steps"]]
    (first,) = [place for place, run in enumerate(commands) if "touch ~/.pulumi/logs" in run]
    assert first < commands.index("make engine PINNED=1")


def test_what_is_installed_is_what_the_lock_file_and_the_pins_say() -> None:
    assert {str(workflow["env"]) for workflow in LOADED.values()} == {"{'UV_LOCKED': '1', 'GOGC': '400'}"}
    assert "make engine PINNED=1" in str(ACTION)
    assert {job["runs-on"] for _, _, job in JOBS} == {"ubuntu-24.04"}


# Once a week


def test_the_newest_sdks_are_tried_once_a_week_and_a_pull_request_only_gets_the_checks() -> None:
    verify = LOADED["verify"]
    assert triggers(verify) == {"pull_request", "push", "schedule", "workflow_dispatch"}
    conditions = {title: job["if"] for title, job in verify["jobs"].items()}
    assert conditions.pop("report") == "${{ !cancelled() && needs.newest.result != 'skipped' }}"
    assert conditions.pop("newest") == "github.event_name == 'schedule' || github.event_name == 'workflow_dispatch'"
    assert set(conditions.values()) == {"github.event_name == 'pull_request' || github.event_name == 'push'"}


def test_what_runs_the_newest_packages_can_write_nothing_and_the_issue_is_written_by_what_is_locked() -> None:
    newest, report = (LOADED["verify"]["jobs"][title] for title in ("newest", "report"))
    assert "make newest" in runs(newest)
    assert newest["permissions"] == READ
    assert not any(word in str(newest) for word in ("github.token", "secrets."))
    assert not any(word in runs(report) for word in ("make newest", "pulumi"))
    assert report["permissions"] == READ | {"issues": "write"}


# Thin


SHELL = {"echo", "printf", "mkdir", "touch", "cat", "sed", "git", "bash", "exit", "digest"}


def lines(step: Json) -> list[str]:
    text = re.sub(r"\s*\\?\n\s+", " ", step["run"].strip()) if step["run"].strip().startswith("crane preview-report") else step["run"]
    return [line.strip() for line in text.splitlines() if line.strip() and line.strip() not in ("}", "exit 1")]


@pytest.mark.engine
@pytest.mark.parametrize(("where", "step"), [(where, step) for where, step in STEPS if "run" in step], ids=lambda value: str(value)[:40])
def test_a_step_is_a_make_target_or_a_few_commands_that_exist(where: str, step: Json) -> None:
    assert len(lines(step)) <= 4, where
    for line in lines(step):
        plain = re.sub(r"\s+(2>|>>?)\s+\S+|\s2>&1|\$\{[A-Z]+:\+[^}]*\}|\s\|\|\s\{$", "", line)
        plain = plain.removeprefix("exec ")
        for words in commands(re.sub(r'"\$\(|\)"$|^digest=', "", plain) if line.startswith("digest=") else plain):
            if words[0] in ("make", "crane", "pulumi"):
                assert fault([word for word in words if word not in (">", ">>", "2>", "2>&1")]) is None
            else:
                assert words[0].partition("=")[0] in SHELL


def test_updates_come_as_pull_requests_and_only_after_a_while() -> None:
    updates = yaml.safe_load((ROOT / ".github" / "dependabot.yml").read_text(encoding="utf-8"))["updates"]
    assert {one["package-ecosystem"] for one in updates} == {"github-actions", "uv", "npm", "gomod"}
    assert all(one["cooldown"]["default-days"] >= 7 for one in updates)
    folders = [folder for one in updates for folder in one.get("directories", [one.get("directory")])]
    assert [folder for folder in folders if not (ROOT / folder.lstrip("/")).is_dir()] == []
