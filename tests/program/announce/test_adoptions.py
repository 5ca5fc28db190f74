"""An account that exists is adopted with its data and settings, after saying what will change; an adoption that cannot go well is refused.

One story on one local cloud: each fixture goes on from the one that it names.
"""

import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from crane_infra.rehearsal.existing_account import SCHEDULE, UNDECLARED
from crane_infra.rehearsal.snapshot import Snapshot, lost, take
from local_cloud.client import Account
from tests.world.copies import existing_world
from tests.world.engine import Result
from tests.world.existing import adopt, let_adopt
from tests.world.world import World, edited

pytestmark = [pytest.mark.engine, pytest.mark.cloud]

CONTEXT, CLASSIFIER = "crane-context-db", "crane-classifier-db"
GIVEN_UP = [word for name in ("SET_BY_HAND", "limits", "placement") for word in ("--give-up", name)]
Command = subprocess.CompletedProcess[str]
OWN = "tables of crane are added: crane_accepted, crane_migrations, crane_rows"
NOWHERE = "10ca1000-0000-4000-8000-000000000000"


def well(run: Result) -> Result:
    """A run that has to succeed."""
    assert run.exit == 0, run.output
    return run


def refused(run: Result) -> str:
    """The one line with which an update was refused."""
    assert run.exit != 0
    assert "Traceback" not in run.output
    (line,) = run.errors
    return line


@contextmanager
def setting(world: World, kind: str, of: str, **changed: object) -> Iterator[None]:
    """Change what staging says of one database or worker for a while; None takes a key away."""
    before = world.stack_file("staging")
    content = world.stack_file("staging")
    own = {**content["config"][f"crane-infra:{kind}"][of], **changed}
    content["config"][f"crane-infra:{kind}"][of] = {key: value for key, value in own.items() if value is not None}
    world.write_stack_file("staging", content)
    try:
        yield
    finally:
        world.write_stack_file("staging", before)


def live_id(world: World, name: str) -> str:
    """The id of a database at Cloudflare."""
    return next(str(one["uuid"]) for one in world.api("GET", "/d1/database")["result"] if one["name"] == name)


def adopted_id(world: World, name: str) -> str:
    """The id that staging's file adopts."""
    return str(world.stack_file("staging")["config"]["crane-infra:databases"][name]["adopt"])


@dataclass(frozen=True)
class Existing:
    """A world whose account exists, and what was in it; what ``crane adopt`` said of staging, first alone, then as it was told what to give up."""

    world: World
    before: Snapshot
    looked: Command
    wrote: Command
    stack_file: Mapping[str, Any]
    """Staging's file before it was written."""


@pytest.fixture(scope="module")
def existing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Existing]:
    """Deployed without Pulumi; both stacks are to adopt it, and neither ever ran."""
    with existing_world(tmp_path_factory) as world:
        world.api("PATCH", "/workers/scripts/crane-classifier-staging/settings", {"placement": {"mode": "smart"}, "limits": {"cpu_ms": 50}})
        world.api("PUT", f"/d1/database/{live_id(world, f'{CLASSIFIER}-staging')}", {"read_replication": {"mode": "auto"}})
        world.faults.reset()
        before, stack_file, looked = take(Account(world.cloud)), world.stack_file("staging"), adopt(world, "staging")
        unwritten = world.stack_file("staging")
        wrote = adopt(world, "staging", *GIVEN_UP, "--write")
        let_adopt(world, "production")
        assert unwritten == stack_file
        yield Existing(world, before, looked, wrote, stack_file)


@pytest.fixture(scope="module")
def preview(existing: Existing) -> Result:
    """A preview before anything is adopted."""
    return well(existing.world.engine.run("preview", "--stack", "staging"))


class TestCraneAdopt:
    """It may only read, says what a run would say, and writes what the stack file lacks."""

    def test_it_names_all_that_stops_the_adoption(self, existing: Existing) -> None:
        assert existing.looked.returncode == 3, existing.looked.stderr
        dropped = "would drop what no file declares: the plain_text binding SET_BY_HAND"
        assert f"Pulumi.staging.yaml workers.crane-context: adopting crane-context-staging {dropped}. " in existing.looked.stdout
        assert f"{dropped}, limits (cpu_ms 50), placement (mode smart). " in existing.looked.stdout
        assert "Nothing is written." in existing.looked.stdout

    def test_it_names_what_stays(self, existing: Existing) -> None:
        logs = "logpush (on); observability.enabled (on); observability.head_sampling_rate (0.25); tags (team:crane)"
        assert f"  stays as it is: the schedules {SCHEDULE}; {logs}" in existing.looked.stdout

    def test_it_writes_ids_and_what_the_file_lacks_and_nothing_else(self, existing: Existing) -> None:
        assert existing.wrote.returncode == 0, existing.wrote.stdout + existing.wrote.stderr
        config, file = existing.stack_file["config"], existing.world.stack_file("staging")["config"]
        assert {key: value for key, value in file.items() if config.get(key) != value} == {
            "crane-infra:databases": {
                name: {**given, "adopt": live_id(existing.world, given["name"])} for name, given in config["crane-infra:databases"].items()
            },
            "crane-infra:workers": {
                name: {**given, "adopt": True, "preview-urls": True, "give-up": given_up}
                for (name, given), given_up in zip(
                    sorted(config["crane-infra:workers"].items()), (["SET_BY_HAND", "limits", "placement"], ["SET_BY_HAND"]), strict=True
                )
            },
        }

    def test_it_says_of_the_changes_what_a_preview_says(self, existing: Existing, preview: Result) -> None:
        lines = [line for line in existing.wrote.stdout.splitlines() if line.startswith("adopts ")]
        assert len(lines) == 4
        assert [line for line in lines if line not in preview.output] == []

    def test_a_second_time_it_writes_nothing(self, existing: Existing) -> None:
        again = adopt(existing.world, "staging", "--write")
        assert again.returncode == 0
        assert "Pulumi.staging.yaml says all of this already." in again.stdout

    @pytest.mark.parametrize(
        ("changed", "said"),
        [
            ({"adopt": NOWHERE}, f".adopt: crane-context-staging binds …, and not {NOWHERE}. Write adopt: …, unless"),
            (
                {"adopt": None, "name": "another"},
                f".name: crane-context-staging binds {CONTEXT}-staging (…), and not another. Write name: ",
            ),
        ],
        ids=["id", "name"],
    )
    def test_another_database_than_the_one_that_is_bound_stops(self, existing: Existing, changed: dict[str, object], said: str) -> None:
        with setting(existing.world, "databases", CONTEXT, **changed):
            stopped = adopt(existing.world, "staging", "--write")
            assert existing.world.stack_file("staging")["config"]["crane-infra:databases"][CONTEXT].get("adopt") == changed["adopt"]
        assert stopped.returncode == 3
        known = live_id(existing.world, f"{CONTEXT}-staging")
        assert f"Pulumi.staging.yaml databases.{CONTEXT}{said.replace('…', known)}" in stopped.stdout

    def test_a_name_that_nobody_would_lose_is_refused(self, existing: Existing) -> None:
        refused = adopt(existing.world, "staging", "--give-up", "SET_BY_NOBODY")
        assert refused.stderr == "error: --give-up SET_BY_NOBODY: no worker has this and would lose it. Remove it, or correct its name.\n"


class TestAnnouncement:
    def test_it_says_what_becomes_of_each_worker(self, preview: Result) -> None:
        replaced, stray = "its code is replaced by this release", "the plain_text binding SET_BY_HAND goes away"
        previews = "are set from this stack"
        assert preview.line("adopts worker crane-context-staging").endswith(
            f"adopts worker crane-context-staging: {replaced}; {stray}; the secrets CONTEXT_ADMIN_KEY, CONTEXT_RELAY_KEY {previews}"
        )
        assert preview.line("adopts worker crane-classifier-staging").endswith(
            f"adopts worker crane-classifier-staging: {replaced}; {stray}; limits (cpu_ms 50) goes away; "
            f"placement (mode smart) goes away; the secrets GEMINI_API_KEY, GH_PRIVATE_KEY_PEM, GH_WEBHOOK_SECRET {previews}"
        )

    def test_it_says_what_becomes_of_each_database(self, preview: Result) -> None:
        assert preview.line(f"adopts database {CONTEXT}").endswith(f"adopts database {CONTEXT}-staging: its data stays; {OWN}")
        assert preview.line(f"adopts database {CLASSIFIER}").endswith(f"adopts database {CLASSIFIER}-staging: its data stays; {OWN}")

    def test_it_says_once_which_migrations_are_imported_and_which_are_pending(self, preview: Result) -> None:
        listed = "imports from wrangler: 0001_create_deliveries.sql, 0002_index_deliveries_by_time.sql"
        assert f"{CLASSIFIER}-staging: {listed}" in preview.output
        for name in ("0004_create_smoke_writes.sql", "0003_add_repository_to_deliveries.sql"):
            assert [line.strip().partition(" (")[0] for line in preview.output.splitlines() if name in line] == [
                f"{CONTEXT if name.startswith('0004') else CLASSIFIER}-staging: pending {name}"
            ]

    def test_nothing_is_replaced_or_deleted(self, preview: Result) -> None:
        assert preview.line("to import") == "= 4 to import"
        assert preview.line("to create") == "+ 16 to create"
        assert "to replace" not in preview.output
        assert "to delete" not in preview.output

    def test_a_preview_changes_nothing(self, existing: Existing, preview: Result) -> None:  # noqa: ARG002 - it has to come first
        assert lost(existing.before, take(Account(existing.world.cloud))) == []
        assert not [change for change in existing.world.changes() if "/query" not in change]


class TestAnAdoptionThatCannotGoWell:
    """Refused before anything is changed."""

    def refusal(self, existing: Existing) -> str:
        """The line with which an update of staging ends; nothing was adopted."""
        line = refused(existing.world.up("staging"))
        assert existing.world.resources("staging") == set()
        return line

    def test_a_database_id_that_does_not_exist(self, existing: Existing) -> None:
        with setting(existing.world, "databases", CONTEXT, adopt=NOWHERE):
            assert self.refusal(existing) == (
                f"Pulumi.staging.yaml databases.{CONTEXT}.adopt: the account has no database {NOWHERE}. "
                "Correct the id: wrangler d1 list shows them."
            )

    def test_a_database_that_is_called_otherwise(self, existing: Existing) -> None:
        with setting(existing.world, "databases", CONTEXT, name="another"):
            assert self.refusal(existing) == (
                f"Pulumi.staging.yaml databases.{CONTEXT}.name: the database {adopted_id(existing.world, CONTEXT)} "
                f"is called {CONTEXT}-staging, not another. Write name: {CONTEXT}-staging."
            )

    def test_settings_and_variables_that_no_file_declares(self, existing: Existing) -> None:
        with setting(existing.world, "workers", "crane-classifier", **{"give-up": ["SET_BY_HAND"]}):
            assert self.refusal(existing) == (
                "Pulumi.staging.yaml workers.crane-classifier: adopting crane-classifier-staging would drop what no file declares: "
                "limits (cpu_ms 50), placement (mode smart). Declare it (docs/adopting.md says where), or give it up in "
                "Pulumi.staging.yaml: give-up: [SET_BY_HAND, limits, placement]."
            )

    def test_a_ledger_of_wrangler_with_a_file_that_is_missing(self, existing: Existing) -> None:
        existing.world.rows(f"{CONTEXT}-staging", "INSERT INTO d1_migrations (name) VALUES ('0002_other.sql')")
        try:
            assert self.refusal(existing).startswith(f"0002_other.sql: applied to {CONTEXT}-staging, but the file is missing. ")
        finally:
            existing.world.rows(f"{CONTEXT}-staging", "DELETE FROM d1_migrations WHERE name = '0002_other.sql'")

    def test_a_worker_that_does_not_exist_is_told_in_a_preview(self, existing: Existing) -> None:
        existing.world.api("DELETE", "/workers/workers/crane-classifier")
        preview = existing.world.engine.run("preview", "--stack", "production")
        assert (
            "Pulumi.production.yaml workers.crane-classifier.adopt: the account has no worker crane-classifier to adopt. "
            "Remove adopt, and this stack creates it. An update would be refused."
        ) in preview.output


@pytest.fixture(scope="module")
def adopted(existing: Existing) -> Result:
    """Staging adopts."""
    return existing.world.up("staging")


class TestAdoption:
    def test_databases_and_workers_are_the_same_with_every_row_and_undeclared_setting(self, existing: Existing, adopted: Result) -> None:
        well(adopted)
        now = take(Account(existing.world.cloud))
        assert [one for one in lost(existing.before, now) if "crane-classifier is" not in one and "crane-classifier:" not in one] == []
        settings = now.workers["crane-context-staging"][1]
        assert settings["tags"] == UNDECLARED["tags"]
        assert settings["logpush"] is True
        assert settings["observability"]["head_sampling_rate"] == UNDECLARED["observability"]["head_sampling_rate"]
        assert settings["schedules"] == [SCHEDULE]

    def test_read_replication_that_no_file_declares_stays(self, existing: Existing, adopted: Result) -> None:
        well(adopted)
        database = existing.world.api("GET", f"/d1/database/{adopted_id(existing.world, CLASSIFIER)}")["result"]
        assert database["read_replication"] == {"mode": "auto"}

    def test_what_serves_is_this_release(self, existing: Existing, adopted: Result) -> None:
        well(adopted)
        proof = existing.world.proofs("staging")[0]
        for worker in proof["workers"].values():
            assert existing.world.answering(worker["script"]) == worker["version"]

    def test_the_rows_of_wrangler_are_taken_over_and_the_rest_is_applied_once(self, existing: Existing, adopted: Result) -> None:
        well(adopted)
        rows = existing.world.rows(f"{CONTEXT}-staging", "SELECT name, origin FROM crane_migrations ORDER BY name")
        assert [row["origin"] for row in rows] == ["adopted", "adopted", "adopted", "applied"]
        listed = existing.world.rows(f"{CONTEXT}-staging", "SELECT name FROM d1_migrations ORDER BY id")
        assert [row["name"] for row in listed] == [row["name"] for row in rows]

    def test_the_announcement_is_made_once(self, existing: Existing, adopted: Result) -> None:
        assert "adopts database" in well(adopted).output
        again = well(existing.world.up("staging", "--expect-no-changes"))
        assert "adopts " not in again.output


class TestAfterTheAdoption:
    def test_crane_adopt_leaves_alone_what_belongs_to_the_stack(self, existing: Existing, adopted: Result) -> None:
        well(adopted)
        said = adopt(existing.world, "staging").stdout
        assert said.count(": belongs to the stack already") == 4
        assert "Pulumi.staging.yaml says all of this already." in said

    @pytest.mark.parametrize(
        ("kind", "name", "back"), [("databases", CONTEXT, "adopt: 10ca1"), ("workers", "crane-context", "adopt: true")]
    )
    def test_an_adopt_that_was_taken_away_is_refused(self, existing: Existing, adopted: Result, kind: str, name: str, back: str) -> None:
        well(adopted)
        with setting(existing.world, kind, name, adopt=None):
            output = refused(existing.world.up("staging"))
        assert output.startswith(f"Pulumi.staging.yaml {kind}.{name}.adopt: was removed, but this stack adopted")
        assert f"Restore {back}" in output

    def test_put_back_it_changes_nothing(self, existing: Existing, adopted: Result) -> None:
        well(adopted)
        well(existing.world.engine.run("preview", "--stack", "staging", "--expect-no-changes"))

    def test_a_file_that_wrangler_applied_cannot_be_edited_any_more(self, existing: Existing, adopted: Result) -> None:
        well(adopted)
        path = existing.world.workers / "crane-context" / "migrations" / "0001_create_sessions.sql"
        with edited(path, "CREATE TABLE sessions", "CREATE  TABLE sessions"):
            output = refused(existing.world.up("staging"))
        assert f"edited after it was applied to {CONTEXT}-staging (recorded " in output


class TestAnAdoptedWorkerAndDatabaseThatSomebodyDeleted:
    """Comes last: it leaves other ones behind."""

    def test_come_back_by_settings_and_a_refresh_as_the_errors_say(self, existing: Existing, adopted: Result) -> None:
        assert adopted.exit == 0
        world = existing.world
        was = next(one["uuid"] for one in world.api("GET", "/d1/database")["result"] if one["name"] == f"{CONTEXT}-staging")
        world.api("DELETE", "/workers/scripts/crane-classifier-staging?force=true")
        world.api("DELETE", f"/d1/database/{was}")
        refused = world.up("staging")
        assert refused.exit != 0
        assert f"database {CONTEXT}-staging: {was} was deleted at Cloudflare, with all its rows" in refused.output
        world.engine.well("config", "set", "-s", "staging", "--path", f"databases.{CONTEXT}.recreate", was)
        preview = world.engine.run("preview", "--stack", "staging")
        assert (
            "If it was deleted, set workers.crane-classifier.recreate to true, since this stack adopted it, and run pulumi refresh"
            in preview.output
        )
        world.engine.well("config", "set", "-s", "staging", "--path", "workers.crane-classifier.recreate", "true")
        world.engine.well("refresh", "--stack", "staging", "--yes")
        back = world.up("staging")
        assert back.exit == 0, back.output
        newest = world.proofs("staging")[0]
        assert newest["databases"][CONTEXT]["id"] != was
        assert world.answering("crane-classifier-staging") == newest["workers"]["crane-classifier"]["version"]
        assert world.up("staging").exit == 0
