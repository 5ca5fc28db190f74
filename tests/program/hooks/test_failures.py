"""A step that fails stops what comes after it, says why, proves nothing, and is taken up again by the next update.

One story on one local cloud: each fixture goes on from the one that it names.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from crane_infra.rehearsal import project
from tests.world.copies import fresh_world
from tests.world.engine import Json, Result
from tests.world.world import World, edit, edited
from tests.written import places_of

pytestmark = [pytest.mark.engine, pytest.mark.cloud]

SCRIPT, DATABASE = "crane-context-staging", "crane-context-db-staging"
QUERY = "POST /accounts/{a}/d1/database/{id}/query"
UPLOAD = "POST /accounts/{a}/workers/workers/{id}/versions"
# It says how often it ran: a statement that SQLite would take a second time.
TALLY = {"0005_make_tally.sql": "CREATE TABLE tally (ran TEXT NOT NULL);\n", "0006_tally.sql": "INSERT INTO tally VALUES ('0006');\n"}
MANY_WAYS = """(key) => {
  const hex = [...new TextEncoder().encode(key)].map((byte) => byte.toString(16).padStart(2, "0"));
  const half = key.length / 2;
  return [hex.join(""), key, hex.join(":").toUpperCase(), key.toUpperCase(), [...key].reverse().join(""), key.slice(half) + key.slice(0, half),
    JSON.stringify(JSON.stringify(key)), encodeURIComponent(key), btoa(key), btoa("b" + key), btoa("bb" + key), [...key].join("\\n")];
}"""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """An empty account, and two more migrations."""
    with fresh_world(tmp_path_factory) as made:
        for name, sql in TALLY.items():
            migration(made, name).write_text(sql, encoding="utf-8")
        yield made


def migration(world: World, name: str) -> Path:
    """A migration of crane-context."""
    return world.workers / "crane-context" / "migrations" / name


def source(world: World) -> Path:
    """The main module of crane-context."""
    return world.workers / "crane-context" / "dist" / "index.js"


def one_error(run: Result) -> str:
    """The one line that says why an update failed."""
    assert run.exit != 0
    assert "Traceback" not in run.output
    (line,) = run.errors
    return line


def is_closed(run: Result) -> bool:
    """Whether production refused a release that is not proven."""
    return run.exit != 0 and "production gate closed: release " in run.output and " is not proven by staging" in run.output


class TestBadInput:
    """Said in one line, before anything is changed."""

    @pytest.fixture
    def settings(self, world: World) -> Iterator[Json]:
        """The settings of staging, to be spoilt."""
        was = world.stack_file("staging")
        yield world.stack_file("staging")
        world.write_stack_file("staging", was)

    def refused(self, world: World, settings: Json, **variables: str) -> str:
        """The line with which an update with these settings ends; nothing was made."""
        world.write_stack_file("staging", settings)
        world.faults.reset()
        line = one_error(world.up("staging", **variables))
        assert world.changes() == []
        assert world.resources("staging") == set()
        return line

    def test_no_workers_dir(self, world: World, settings: Json) -> None:
        del settings["config"]["crane-infra:workers-dir"]
        assert self.refused(world, settings) == (
            "Pulumi.staging.yaml crane-infra:workers-dir: is missing. "
            "Set the folder of the built workers: pulumi config set workers-dir <folder>."
        )

    def test_an_unknown_setting(self, world: World, settings: Json) -> None:
        settings["config"]["crane-infra:worker-dir"] = "."
        output = self.refused(world, settings)
        assert output.startswith("Pulumi.staging.yaml crane-infra:worker-dir: is not known. Remove it, or correct its name. Known names: ")

    def test_a_missing_secret(self, world: World, settings: Json) -> None:
        del settings["config"]["crane-infra:secrets"]["GEMINI_API_KEY"]
        assert self.refused(world, settings) == (
            "Pulumi.staging.yaml secrets: GEMINI_API_KEY (missing). "
            "Run pulumi config set --stack staging --path --secret secrets.GEMINI_API_KEY."
        )

    def test_no_account(self, world: World, settings: Json) -> None:
        del settings["config"]["crane-infra:account-id"]
        assert self.refused(world, settings, CLOUDFLARE_ACCOUNT_ID="") == (
            "Pulumi.staging.yaml crane-infra:account-id: is missing. Run pulumi config set account-id <id>, or set CLOUDFLARE_ACCOUNT_ID."
        )


@pytest.fixture(scope="module")
def upload_refused(world: World) -> Result:
    """The first update ever, in which one upload is forbidden."""
    world.faults.reset()
    world.faults.fail(UPLOAD, status=403, message="injected: no upload")
    return world.up("staging")


@dataclass(frozen=True)
class Interrupted:
    """An update whose migrations were interrupted, and what served after it."""

    run: Result
    outputs: Json
    served: list[Json]


@pytest.fixture(scope="module")
def query_refused(world: World, upload_refused: Result) -> Interrupted:  # noqa: ARG001 - it has to come first
    """The next update, in which one request to a database is forbidden while migrations run."""
    world.faults.reset()
    world.faults.fail(QUERY, nth=3, saying="INSERT INTO crane_migrations", status=403, message="injected: no query")
    run = world.up("staging")
    served = world.api("GET", f"/workers/scripts/{SCRIPT}/deployments")["result"]["deployments"]
    return Interrupted(run, world.outputs("staging"), served)


@pytest.fixture(scope="module")
def proven(world: World, query_refused: Interrupted) -> Json:  # noqa: ARG001 - it has to come first
    """The next update, in which nothing is wrong: its proof."""
    world.faults.reset()
    run = world.up("staging")
    assert run.exit == 0, run.errors
    (proof,) = world.proofs("staging")
    return proof


class TestAnApiThatFails:
    def test_an_upload_that_is_refused_fails_the_update(self, upload_refused: Result) -> None:
        assert upload_refused.exit != 0
        assert "injected: no upload" in upload_refused.output

    def test_its_cause_is_one_plain_line_among_the_texts_of_the_provider(self, upload_refused: Result) -> None:
        """The engine prints its groups of diagnostics in no fixed order, so ours may come after the provider's."""
        cause = re.compile(
            r"new version of worker crane-c\w+: the API token may not do this \(403\), injected: no upload \(code \d+\)\. "
            r"Give it the permission Workers Scripts Write on account \w+\."
        )
        assert any(map(cause.fullmatch, upload_refused.errors)), upload_refused.output
        assert any("failed to make http request" in error for error in upload_refused.errors)

    def test_a_query_that_is_refused_fails_the_update_and_nothing_is_deployed(self, query_refused: Interrupted) -> None:
        assert "injected: no query" in one_error(query_refused.run)
        assert query_refused.outputs == {}
        assert query_refused.served == []

    def test_the_next_update_converges_and_proves(self, world: World, proven: Json) -> None:
        assert proven["workers"]["crane-context"]["version"] == world.answering(SCRIPT)
        assert proven["databases"]["crane-context-db"]["head"]["count"] == 6

    def test_no_migration_was_applied_twice(self, world: World, proven: Json) -> None:  # noqa: ARG002
        assert world.rows(DATABASE, "SELECT ran FROM tally") == [{"ran": "0006"}]
        applied = [row["name"] for row in world.rows(DATABASE, "SELECT name FROM d1_migrations ORDER BY id")]
        assert applied == sorted(file.name for file in migration(world, "").iterdir())


@dataclass(frozen=True)
class Broken:
    """An update that failed, how production answered to it, and what staging served and had proven afterwards."""

    staging: Result
    production: Result
    answered: str
    proofs: list[Json]


def broken(world: World) -> Broken:
    """Update staging, then try production."""
    run = world.up("staging")
    return Broken(run, world.up("production"), world.answering(SCRIPT), world.proofs("staging"))


@pytest.fixture(scope="module")
def bad_migration(world: World, proven: Json) -> Broken:  # noqa: ARG001 - it has to come first
    """A new version with three migrations, the second of which cannot be applied."""
    edit(source(world), "which agent sessions are alive.", "which sessions are alive.")
    migration(world, "0007_fine.sql").write_text("INSERT INTO tally VALUES ('0007');\n", encoding="utf-8")
    migration(world, "0008_bad.sql").write_text("INSERT INTO tally VALUES ('0008');\nSELECT abs(-9223372036854775808);\n", encoding="utf-8")
    migration(world, "0009_later.sql").write_text("INSERT INTO tally (ran) VALUES ('0009');\n", encoding="utf-8")
    return broken(world)


@pytest.fixture(scope="module")
def mended(world: World, bad_migration: Broken) -> Result:  # noqa: ARG001 - it has to come first
    """The file is mended."""
    edit(migration(world, "0008_bad.sql"), "abs(-9223372036854775808)", "1")
    return world.up("staging")


class TestAMigrationThatFails:
    def test_the_error_names_the_file_and_what_was_applied_and_is_pending(self, world: World, bad_migration: Broken) -> None:
        output = one_error(bad_migration.staging)
        path = f"{world.workers.name}/{migration(world, '0008_bad.sql').relative_to(world.workers)}"
        assert f"{path}: not applied to {DATABASE} at statement 2 of 2 " in output
        assert "integer overflow" in output
        assert "Applied in this run: 0007_fine.sql. Pending: 0008_bad.sql, 0009_later.sql." in output
        assert output.endswith("then run the same `pulumi up` again, which continues with this file.")

    def test_the_old_version_still_serves(self, world: World, proven: Json, bad_migration: Broken) -> None:
        assert bad_migration.answered == proven["workers"]["crane-context"]["version"]
        assert len(world.versions(SCRIPT)) > 1

    def test_nothing_is_proven_and_production_is_closed(self, proven: Json, bad_migration: Broken) -> None:
        assert bad_migration.proofs == [proven]
        assert is_closed(bad_migration.production)

    def test_the_next_update_with_a_mended_file_goes_on_and_proves(self, world: World, proven: Json, mended: Result) -> None:
        assert mended.exit == 0, mended.errors
        newest, older = world.proofs("staging")
        assert older == proven
        assert newest["workers"]["crane-context"]["version"] == world.answering(SCRIPT) != older["workers"]["crane-context"]["version"]
        assert world.rows(DATABASE, "SELECT ran FROM tally") == [{"ran": each} for each in ("0006", "0007", "0008", "0009")]


@pytest.fixture(scope="module")
def bad_check(world: World, mended: Result) -> Broken:  # noqa: ARG001 - it has to come first
    """For a while, a worker that answers a check with 500 and its key, written in many ways."""
    spoilt = f"return json(500, {{ key: ({MANY_WAYS})(env.CONTEXT_RELAY_KEY), sessions: results"
    with world.impatient("staging"), edited(source(world), "return json(200, { sessions: results", spoilt):
        return broken(world)


class TestACheckThatFails:
    def test_the_error_names_the_check_and_the_answer_without_the_key(self, world: World, bad_check: Broken) -> None:
        output = one_error(bad_check.staging)
        assert output.startswith(f'before hook "crane-context-traffic" failed: {SCRIPT}')
        assert "did not pass: expected 200; after " in output
        assert "the last wrong answer to reads D1 with its key was 500" in output
        assert "[secret CONTEXT_RELAY_KEY]" in output
        assert world.secrets("staging")["CRANE_CONTEXT_KEY"] not in bad_check.staging.output

    def test_the_version_before_still_serves(self, bad_check: Broken) -> None:
        assert bad_check.answered == bad_check.proofs[0]["workers"]["crane-context"]["version"]

    def test_nothing_is_proven_and_production_is_closed(self, world: World, mended: Result, bad_check: Broken) -> None:
        assert mended.exit == 0, mended.errors
        assert len(bad_check.proofs) == 2
        assert bad_check.proofs == world.proofs("staging")
        assert is_closed(bad_check.production)

    def test_the_proven_files_again_are_deployed_and_proven_again(self, world: World, bad_check: Broken) -> None:
        before = bad_check.proofs[0]
        again = world.up("staging")
        assert again.exit == 0, again.errors
        after = world.proofs("staging")[0]
        assert after["digest"] == before["digest"]
        assert after["workers"]["crane-context"]["version"] == world.answering(SCRIPT) != bad_check.answered


class TestSecrets:
    """After all that went well and wrong above, no secret stands anywhere where it can be read."""

    @pytest.fixture
    def planted(self, world: World, bad_check: Broken) -> dict[str, str]:  # noqa: ARG002 - it has to come first
        """The secret values of both stacks, and the token; all of them are where they have to be, in the encrypted state."""
        values = {f"{stack} {name}": value for stack in ("staging", "production") for name, value in world.secrets(stack).items()}
        assert len(set(values.values())) == 8
        decrypted = project.pulumi(world.project, world.engine.environ, "stack", "export", "--stack", "staging", "--show-secrets")
        assert all(value in decrypted for name, value in values.items() if name in ("staging CRANE_CONTEXT_KEY", "staging GEMINI_API_KEY"))
        return {**values, "token": world.cloud.token}

    def test_not_in_what_the_engine_printed(self, world: World, planted: dict[str, str]) -> None:
        output = "".join(world.engine.output)
        assert "[secret CONTEXT_RELAY_KEY]" in output
        assert shown(planted, output) == []

    def test_not_in_the_state_nor_in_the_outputs(self, world: World, planted: dict[str, str]) -> None:
        printed = world.state("staging") + world.printed("staging") + json.dumps(world.outputs("staging"))
        assert shown(planted, printed) == []

    def test_not_in_any_file_but_those_of_the_cloud_itself(self, world: World, planted: dict[str, str]) -> None:
        """The local cloud is Cloudflare: it has to know the workers' secrets."""
        files = [path for path in world.project.folder.rglob("*") if path.is_file() and world.project.cloud not in path.parents]
        assert any(path.name.startswith("staging.json") for path in files)
        assert [path for path in files if shown(planted, path.read_text(encoding="utf-8", errors="replace"))] == []

    def test_not_in_the_calls_of_the_api(self, world: World, planted: dict[str, str]) -> None:
        calls = str(world.faults.calls())
        assert UPLOAD in calls
        assert shown(planted, calls) == []


def shown(planted: dict[str, str], text: str) -> list[str]:
    """The names of the secrets whose values are in the text, with the ways in which they are written there."""
    return [
        f"{name} {way}" for name, value in planted.items() for way in ("plain", *places_of(value, text)) if way != "plain" or value in text
    ]
