"""Where both environments stand and what happened to them, as a person asks it: one story on one local cloud, each look in its turn.

What cannot be seen is named in one line, and the rest is shown.
"""

import json
import shutil
import subprocess
from dataclasses import dataclass, field
from typing import Any

import pytest

from local_cloud.faults.model import Error
from tests import command_line
from tests.repository import ROOT
from tests.world.copies import promoted_world
from tests.world.world import World, edit, edited

pytestmark = [pytest.mark.engine, pytest.mark.cloud]

QUERY = "POST /accounts/{a}/d1/database/{id}/query"
WORKER, DATABASE, CONTRACT = "crane-context", "crane-context-db", "0005_drop_host.sql"
PLANTED = "planted-secret-value-0123456789"
BY_A_WORKFLOW = "release {digest} by octocat"
MANY = 1200
"""More runs than any page of a backend has."""
Seen = dict[str, Any]


@dataclass
class Story:
    """What each look said, by its name; ``out`` is what was printed, as text."""

    seen: dict[str, Seen] = field(default_factory=dict)
    exit: dict[str, int] = field(default_factory=dict)
    out: dict[str, str] = field(default_factory=dict)
    history: dict[str, list[Seen]] = field(default_factory=dict)
    changes: list[str] = field(default_factory=list)
    secrets: list[str] = field(default_factory=list)
    audits: dict[str, Seen] = field(default_factory=dict)

    def environment(self, look: str, stack: str) -> Seen:
        """One environment, as a look saw it."""
        return dict(next(one for one in self.seen[look]["environments"] if one["name"] == stack))

    def part(self, look: str, stack: str, kind: str, name: str) -> Seen:
        """One worker or database of it."""
        return dict(next(one for one in self.environment(look, stack)[kind] if one["name"] == name))


def crane(world: World, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a command of crane in the clone, with these variables besides those of the local project."""
    environ = {**world.engine.environ, "PULUMI_OPTION_CWD": str(world.project.folder), **variables}
    return command_line.crane(*words, environ=environ, cwd=ROOT)


def look(story: Story, world: World, name: str, *, text: bool = False, **variables: str) -> None:
    """Ask where both stand as JSON, and maybe as ``text``, which has to end alike."""
    as_json = crane(world, "status", "--json", **variables)
    story.seen[name], story.exit[name] = json.loads(as_json.stdout), as_json.returncode
    if text:
        as_text = crane(world, "status", **variables)
        assert as_json.returncode == as_text.returncode, as_json.stderr + as_text.stderr
        story.out[name] = as_text.stdout


def audit(story: Story, world: World, name: str, *words: str) -> None:
    """Audit the secrets, as JSON and as text, with a token that may only read."""
    token = world.faults.token("D1 Read", "Workers Scripts Read")
    variables = {"CLOUDFLARE_API_TOKEN": token, "PULUMI_CONFIG_PASSPHRASE": "wrong"}
    as_json, as_text = (crane(world, "secrets", "audit", *words, *more, **variables) for more in (["--json"], []))
    assert as_json.returncode == as_text.returncode, as_json.stderr + as_text.stderr
    story.audits[name], story.exit[f"audit {name}"] = json.loads(as_json.stdout), as_json.returncode
    story.out[f"audit {name}"] = as_text.stdout


def add_contract(world: World) -> None:
    """A migration that takes a column away, and a worker that does not need it."""
    code = world.workers / WORKER / "dist" / "index.js"
    edit(code, "agent, host, started_at, last_heartbeat_at FROM", "agent, started_at, last_heartbeat_at FROM")
    edit(code, "agent, host, started_at, last_heartbeat_at) VALUES (?1, ?2, ?3,", "agent, started_at, last_heartbeat_at) VALUES (?1, ?2,")
    edit(code, "SET host = excluded.host, last", "SET last")
    path = world.workers / WORKER / "migrations" / CONTRACT
    path.write_text("-- crane: contract\nALTER TABLE sessions DROP COLUMN host;\n", encoding="utf-8")


def go_back_to(world: World, digest: str) -> None:
    """Set production's rollback-to."""
    content = world.stack_file("production")
    content["config"]["crane-infra:rollback-to"] = digest
    world.write_stack_file("production", content)


def add_runs(world: World, count: int) -> None:
    """Give production so many older runs: copies of its first one, with a message that a terminal must not see."""
    first = min(world.project.backend.glob(".pulumi/history/*/production/*.history.json"))
    entry = json.loads(first.read_text(encoding="utf-8"))
    for number in range(count):
        began = entry["startTime"] - 600 * (number + 1)
        older = {**entry, "startTime": began, "endTime": began + 30, "message": f"\x1b[2J{number}"}
        name = f"production-{began * 10**9}.history.json"
        first.with_name(name).write_text(json.dumps(older), encoding="utf-8")


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Story:
    """Everything that is looked at, in order."""
    told = Story()
    with promoted_world(tmp_path_factory) as world:
        for stack in ("staging", "production"):
            world.take_passphrase(stack)
        old = tmp_path_factory.mktemp("old")
        shutil.copytree(world.workers, old / "workers")
        world.faults.reset()
        look(told, world, "all well", text=True)
        reads = world.faults.token("D1 Read", "Workers Scripts Read")
        look(told, world, "read only", CLOUDFLARE_API_TOKEN=reads, PULUMI_CONFIG_PASSPHRASE="wrong")
        look(told, world, "no token", text=True, CLOUDFLARE_API_TOKEN="")
        with world.faults.fault(QUERY, Error(403, 10000, "injected"), times=1000):
            look(told, world, "one part fails", text=True)
            told.out["history of a part"] = crane(world, "history", "-s", "production").stdout
        look(told, world, "no backend", PULUMI_BACKEND_URL="file:///nowhere/at/all")
        audit(told, world, "all well")
        told.changes = world.changes()
        first = world.proofs("production")[0]["digest"]
        add_contract(world)
        look(told, world, "files ahead", text=True)
        ahead = world.up("staging", "-m", BY_A_WORKFLOW.format(digest="f" * 64))
        assert ahead.exit == 0, ahead.output
        look(told, world, "staging ahead")
        world.deploy(WORKER, world.upload(WORKER, "export default { fetch() { return new Response('manual'); } };"))
        with world.impatient("production"):
            look(told, world, "manual deployment", text=True)
        with edited(world.workers / WORKER / "dist" / "index.js", "SET last", "SET  last"):
            assert world.up("production").exit != 0, "staging has not proven these bytes"
            look(told, world, "refused")
        promoted = world.up("production", "-m", f"token {PLANTED}")
        assert promoted.exit == 0, promoted.output
        shutil.rmtree(world.workers)
        shutil.copytree(old / "workers", world.workers)
        go_back_to(world, first)
        with world.impatient("production"):
            assert world.up("production").exit != 0, "the old worker needs the column that is gone"
        for stack in ("staging", "production"):
            ended = crane(world, "history", "-s", stack, "--json", AWS_SECRET_ACCESS_KEY=PLANTED)
            assert ended.returncode == 0, ended.stderr + ended.stdout
            told.history[stack] = json.loads(ended.stdout)["events"]
            told.out[f"history {stack}"] = crane(world, "history", "-s", stack, AWS_SECRET_ACCESS_KEY=PLANTED).stdout
        page = tmp_path_factory.mktemp("page") / "status.html"
        crane(world, "status", "--html", str(page), AWS_SECRET_ACCESS_KEY=PLANTED)
        told.out["page"] = page.read_text(encoding="utf-8")
        world.api("PUT", f"/workers/scripts/{WORKER}-staging/secrets", {"name": "FORGOTTEN", "type": "secret_text", "text": PLANTED})
        audit(told, world, "forgotten", "-s", "staging")
        told.secrets = [*world.secrets("staging").values(), *world.secrets("production").values(), world.cloud.token]
        told.out["since"] = crane(world, "history", "-s", "production", "--since", "2100-01-01").stdout
        add_runs(world, MANY)
        told.out["many"] = crane(world, "history", "-s", "production", AWS_SECRET_ACCESS_KEY=PLANTED).stdout
    return told


def test_all_well_is_exit_code_zero_with_every_part_seen(story: Story) -> None:
    assert (story.exit["all well"], story.seen["all well"]["has_problems"], story.seen["all well"]["is_partial"]) == (0, False, False)
    for stack in ("staging", "production"):
        environment = story.environment("all well", stack)
        assert (environment["state"], environment["problems"], environment["unseen"]) == ("runs a release", [], [])
        for worker in environment["workers"]:
            assert (worker["as_expected"], worker["health"], worker["traffic"]) == (True, "ok", {worker["version"]: 100.0})
        for database in environment["databases"]:
            assert (database["as_expected"], database["pending"], database["drift"]) == (True, [], [])
    assert story.seen["all well"]["promotion"]["is_open"] is True
    assert "a promotion would change nothing" in story.out["all well"]


def test_a_look_changes_nothing_and_needs_only_a_token_that_reads_and_no_passphrase(story: Story) -> None:
    assert story.changes == []
    assert story.exit["read only"] == 0
    for stack in ("staging", "production"):
        assert story.environment("read only", stack) == story.environment("all well", stack)


def test_without_a_token_what_pulumi_knows_is_shown_and_one_line_says_what_is_missing(story: Story) -> None:
    for stack in ("staging", "production"):
        environment = story.environment("no token", stack)
        assert environment["release"]["digest"] == story.environment("all well", stack)["release"]["digest"]
        assert environment["unseen"] == [
            f"Pulumi.{stack}.yaml crane-infra:api-token: is missing. Set CLOUDFLARE_API_TOKEN; docs/real-account.md lists the permissions it needs."
        ]
        assert all(worker["traffic"] is None for worker in environment["workers"])
    assert (story.exit["no token"], story.seen["no token"]["promotion"]["is_open"]) == (1, None)


def test_one_part_that_fails_is_named_and_the_rest_is_shown(story: Story) -> None:
    environment = story.environment("one part fails", "production")
    assert [line.partition(":")[0] for line in environment["unseen"]] == [f"D1 database {DATABASE}-prod", "D1 database crane-classifier-db"]
    assert (environment["databases"][0]["applied"], environment["databases"][0]["pending"]) == (None, None)
    assert story.part("one part fails", "production", "workers", WORKER)["as_expected"] is True
    assert (story.exit["one part fails"], environment["problems"]) == (1, [])


def test_a_history_of_which_one_part_cannot_be_read_has_the_rest(story: Story) -> None:
    events, _, unseen = story.out["history of a part"].partition("not seen:")
    assert "promotion  succeeded" in events
    named = sorted(line.strip().partition(":")[0] for line in unseen.strip().splitlines())
    assert named == ["D1 database crane-classifier-db", f"D1 database {DATABASE}-prod"]


def test_a_backend_that_cannot_be_read_is_one_line_for_each_stack(story: Story) -> None:
    for stack in ("staging", "production"):
        environment = story.environment("no backend", stack)
        assert (environment["state"], environment["release"]) == ("unknown", None)
        assert all(line.startswith(f"stack {stack}: Pulumi failed (") and "\n" not in line for line in environment["unseen"])
    assert story.exit["no backend"] == 1


def test_the_files_at_hand_are_pending_with_their_class(story: Story) -> None:
    pending = [{"name": CONTRACT, "kind": "contract"}]
    assert story.part("files ahead", "staging", "databases", DATABASE)["pending"] == pending
    assert f"staging: {DATABASE}-staging: {CONTRACT} (contract)" in story.out["files ahead"]
    assert story.exit["files ahead"] == 0


def test_staging_ahead_shows_what_a_promotion_would_change(story: Story) -> None:
    assert story.part("staging ahead", "staging", "databases", DATABASE)["pending"] == []
    assert story.part("staging ahead", "production", "databases", DATABASE)["pending"] == [{"name": CONTRACT, "kind": "contract"}]
    promotion = story.seen["staging ahead"]["promotion"]
    assert (promotion["is_open"], promotion["changes"]) == (
        True,
        [f"worker {WORKER}: a new version", f"database {DATABASE}: applies {CONTRACT} (contract)"],
    )
    assert story.environment("staging ahead", "staging")["release"]["by"] == "octocat"
    assert story.exit["staging ahead"] == 0


def test_a_manual_deployment_is_a_problem_of_its_environment_alone(story: Story) -> None:
    line, *_ = story.environment("manual deployment", "production")["problems"]
    assert line.startswith(f"worker {WORKER}: serves ")
    assert story.part("manual deployment", "production", "workers", WORKER)["health"] == "fails"
    assert story.environment("manual deployment", "staging")["problems"] == []
    assert "DIFFERS" in story.out["manual deployment"]
    assert story.exit["manual deployment"] == 3


def test_a_refused_run_is_the_last_run_and_a_problem(story: Story) -> None:
    assert any(
        "the last run, a promotion at " in line and "refused" in line for line in story.environment("refused", "production")["problems"]
    )


def test_the_history_of_production_tells_each_event_with_who_and_what(story: Story) -> None:
    told = [(event["kind"], event["outcome"]) for event in story.history["production"]]
    assert told == [
        ("rollback", "failed"),
        ("promotion", "succeeded"),
        ("promotion", "refused"),
        ("manual deployment", "seen"),
        ("promotion", "succeeded"),
    ]
    back, promoted, refused, manual, first = story.history["production"]
    assert (back["digest"], promoted["migrations"]) == (first["digest"], [f"{DATABASE}-prod: {CONTRACT}"])
    assert set(first["versions"]) == {WORKER, "crane-classifier"}
    assert (manual["by_source"], refused["versions"]) == ("cloudflare", None)


def test_a_message_of_a_workflow_says_who_started_a_release(story: Story) -> None:
    newest, first = story.history["staging"]
    assert (newest["kind"], newest["by"], newest["by_source"]) == ("release", "octocat", "message")
    assert newest["migrations"] == [f"{DATABASE}-staging: {CONTRACT}"]
    assert first["by_source"] in ("cloudflare", "commit")


def test_since_leaves_out_what_was_before(story: Story) -> None:
    assert story.out["since"] == "production: nothing has happened yet\n"


def test_a_long_history_is_told_to_its_end_and_its_messages_are_inert(story: Story) -> None:
    lines = story.out["many"].splitlines()
    assert sum("  promotion  " in line for line in lines) == MANY + 3
    assert lines[-1].strip() == f"\\x1b[2J{MANY - 1}"


def test_an_audit_shows_each_secret_in_both_environments_and_needs_neither_passphrase_nor_a_token_that_writes(story: Story) -> None:
    audit = story.audits["all well"]
    assert (story.exit["audit all well"], audit["findings"], audit["notes"], audit["unseen"]) == (0, [], [], [])
    by_key = {row["key"]: row for row in audit["secrets"]}
    there = {"in_source": True, "on_worker": True, "changed_on": None, "age_days": None}
    assert by_key["CRANE_ADMIN_KEY"]["places"] == {"staging": there, "production": there}
    assert by_key["CLASSIFIER_API_KEY"]["places"]["staging"] == there | {"in_source": False, "on_worker": False}
    assert {key: row["values"] for key, row in by_key.items() if row["rule"] == "distinct"} == {
        "CRANE_ADMIN_KEY": "different",
        "CRANE_CONTEXT_KEY": "different",
    }
    assert "nothing to fix" in story.out["audit all well"]


def test_an_audit_names_a_secret_that_nobody_declared(story: Story) -> None:
    audit = story.audits["forgotten"]
    assert [(finding["where"], finding["what"]) for finding in audit["findings"]] == [
        (f"worker {WORKER}-staging", "has secrets that nobody declared: FORGOTTEN")
    ]
    assert story.exit["audit forgotten"] == 3
    assert {place for row in audit["secrets"] for place in row["places"]} == {"staging"}


def test_no_credential_is_shown(story: Story) -> None:
    shown = "".join([*story.out.values(), json.dumps(story.seen), json.dumps(story.history), json.dumps(story.audits)])
    assert "[secret AWS_SECRET_ACCESS_KEY]" in story.out["history production"]
    assert PLANTED not in shown
    assert "[secret AWS_SECRET_ACCESS_KEY]" in story.out["page"]
    assert [number for number, value in enumerate(story.secrets) if value in shown] == []
    assert len(story.secrets) > 5
