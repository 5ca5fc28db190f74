"""What a run takes in: secrets that are not there, bundles that change, an API that echoes what it was sent.

Cases 30, 31 and 32. One story on one local cloud: each fixture goes on from the one that it names.
"""

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from crane_infra.rehearsal import project
from local_cloud.faults.model import Error, Hold
from tests.world.copies import fresh_world
from tests.world.engine import Json, Result
from tests.world.started import started
from tests.world.world import SETTINGS, World

pytestmark = [pytest.mark.engine, pytest.mark.cloud]

SCRIPT = "crane-context"
CREATE_DATABASE = "POST /accounts/{a}/d1/database"
QUERY = "POST /accounts/{a}/d1/database/{id}/query"
UPLOAD = "POST /accounts/{a}/workers/workers/{id}/versions"
DEPLOYMENTS = "GET /accounts/{a}/workers/scripts/{name}/deployments"
PLANTED = "canary-planted-91c5"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """An empty account."""
    with fresh_world(tmp_path_factory) as made:
        yield made


def well(run: Result) -> Result:
    """A run that has to succeed."""
    assert run.exit == 0, run.output
    return run


def refused(world: World, **variables: str) -> str:
    """The one line with which an update of staging ends; nothing was made."""
    world.faults.reset()
    run = world.up("staging", **variables)
    assert run.exit != 0
    assert "Traceback" not in run.output
    assert world.changes() == []
    assert world.resources("staging") == set()
    (line,) = run.errors
    return line


class TestASourceOfSecretsThatDoesNotGiveThem:
    """Refused before anything is changed, by the name of the key; the values that were there are not shown."""

    @pytest.fixture
    def environment(self, world: World) -> Iterator[dict[str, str]]:
        """Staging takes its secrets from these variables."""
        was, values = world.stack_file("staging"), world.secrets("staging")
        content = world.stack_file("staging")
        content["config"][f"{SETTINGS}:secret-source"] = "environment"
        del content["config"][f"{SETTINGS}:secrets"]
        world.write_stack_file("staging", content)
        yield {name: value for name, value in values.items() if name != "fingerprint-key"}
        world.write_stack_file("staging", was)

    def test_one_is_missing(self, world: World, environment: dict[str, str]) -> None:
        del environment["GEMINI_API_KEY"]
        output = refused(world, **environment)
        assert output == "environment variables: GEMINI_API_KEY (missing). Set the environment variable GEMINI_API_KEY."

    def test_one_is_empty(self, world: World, environment: dict[str, str]) -> None:
        output = refused(world, **{**environment, "CRANE_CONTEXT_KEY": " ", "GH_WEBHOOK_SECRET": ""})
        assert output == (
            "environment variables: CRANE_CONTEXT_KEY (empty), GH_WEBHOOK_SECRET (empty). Set the environment variable CRANE_CONTEXT_KEY."
        )

    def test_the_source_gives_none(self, world: World, environment: dict[str, str]) -> None:
        output = refused(world)
        assert all(f"{name} (missing)" in output for name in environment)

    def test_an_encrypted_one_is_empty(self, world: World) -> None:
        was = world.stack_file("staging")
        project.pulumi(
            world.project, world.engine.environ, "config", "set", "-s", "staging", "--path", "--secret", "secrets.GEMINI_API_KEY", ""
        )
        output = refused(world)
        world.write_stack_file("staging", was)
        assert output == (
            "Pulumi.staging.yaml secrets: GEMINI_API_KEY (empty). Run pulumi config set --stack staging --path --secret secrets.GEMINI_API_KEY."
        )

    def test_the_encrypted_ones_cannot_be_decrypted(self, world: World) -> None:
        """The engine itself refuses, before the program runs."""
        world.take_passphrase("staging")
        world.faults.reset()
        run = world.up("staging", PULUMI_CONFIG_PASSPHRASE="another")
        assert run.exit != 0
        assert "incorrect passphrase" in run.output
        assert world.changes() == []


def values(world: World) -> dict[str, str]:
    """The secret values of staging, and the token: what it sends to the API."""
    return {**world.secrets("staging"), "token": world.cloud.token}


@dataclass(frozen=True)
class Echoed:
    """Runs that were refused with all that is secret: by the upload, by a hook's query, and by the looks at the start."""

    upload: Result
    query: Result
    look: Result
    ledger: Result


@pytest.fixture(scope="module")
def echoed(world: World) -> Echoed:
    """The API echoes; between the second and the third run, staging proves its release."""
    echo = Error(403, 10000, f"{PLANTED} {' '.join(values(world).values())}")
    with world.faults.fault(UPLOAD, echo, times=100):
        upload = world.up("staging")
    with world.faults.fault(QUERY, echo, times=100):
        query = world.up("staging")
    well(world.up("staging"))
    with world.faults.fault(DEPLOYMENTS, echo, times=100):
        look = world.up("staging")
    with world.faults.fault(QUERY, echo, times=100):
        ledger = world.up("staging")
    return Echoed(upload, query, look, ledger)


class TestAnApiThatEchoesSecrets:
    def test_each_refusal_fails_its_run(self, echoed: Echoed) -> None:
        assert 0 not in {echoed.upload.exit, echoed.query.exit, echoed.look.exit, echoed.ledger.exit}

    def test_what_it_says_besides_is_shown(self, echoed: Echoed) -> None:
        """Else there would be nothing to take a secret out of."""
        assert PLANTED in echoed.upload.output
        assert PLANTED in echoed.query.output
        assert PLANTED in echoed.ledger.output

    def test_a_hook_says_which_secrets_it_has_taken_out(self, echoed: Echoed) -> None:
        assert "[secret CRANE_CONTEXT_KEY]" in echoed.query.output

    def test_no_log_state_output_or_file_has_them(self, world: World, echoed: Echoed) -> None:
        assert echoed.upload.exit != 0
        planted = values(world)
        assert len(set(planted.values())) == 7
        printed = "".join(world.engine.output) + world.state("staging") + world.printed("staging") + json.dumps(world.outputs("staging"))
        assert [name for name, value in planted.items() if value in printed] == []
        for path in _files(world):
            text = path.read_text(encoding="utf-8", errors="replace")
            assert [name for name, value in planted.items() if value in text] == [], path


def _files(world: World) -> list[Path]:
    """All files of the project but those of the cloud itself, which is Cloudflare and has to know."""
    found = [path for path in world.project.folder.rglob("*") if path.is_file() and world.project.cloud not in path.parents]
    assert any(path.name.startswith("staging.json") for path in found)
    return found


@dataclass(frozen=True)
class Meanwhile:
    """A promotion during which a bundle and a secret changed: how it and a preview after it ended, what was uploaded, what it says."""

    run: Result
    was: bytes
    uploaded: bytes
    environment: Json
    preview: Result


@pytest.fixture(scope="module")
def meanwhile(world: World, echoed: Echoed) -> Meanwhile:
    """Production is held while it makes its first database: the files are read and hashed, and nothing is uploaded."""
    assert echoed.look.exit != 0
    main = world.workers / SCRIPT / "dist" / "index.js"
    was, settings = main.read_bytes(), world.stack_file("production")
    with world.faults.fault(CREATE_DATABASE, Hold()) as fault, started(world, "production") as production:
        production.reaches(fault)
        main.write_bytes(was + b"\n// changed meanwhile\n")
        words = ("config", "set", "-s", "production", "--path", "--secret", "secrets.GEMINI_API_KEY", "another value")
        project.pulumi(world.project, world.engine.environ, *words)
        fault.end()
        run = production.end()
    main.write_bytes(was)
    preview = world.engine.run("preview", "--stack", "production", "--diff")
    world.write_stack_file("production", settings)
    version = world.proofs("production")[0]["workers"][SCRIPT]["version"]
    path = f"/workers/workers/{SCRIPT}/versions/{version}?include=modules"
    (module,) = [one for one in world.api("GET", path)["result"]["modules"] if one["name"] == "index.js"]
    return Meanwhile(run, was, base64.b64decode(module["content_base64"]), world.outputs("production")["environment"], preview)


class TestWhatChangesDuringARun:
    def test_a_bundle_is_uploaded_as_it_was_hashed(self, world: World, meanwhile: Meanwhile) -> None:
        well(meanwhile.run)
        assert meanwhile.uploaded == meanwhile.was
        assert world.proofs("production")[0]["digest"] == world.proofs("staging")[0]["digest"]

    def test_a_secret_is_the_one_that_was_read_and_the_next_run_takes_the_new_one(self, world: World, meanwhile: Meanwhile) -> None:
        fingerprints = meanwhile.environment["secrets"]
        assert fingerprints["GEMINI_API_KEY"] == world.outputs("staging")["environment"]["secrets"]["GEMINI_API_KEY"]
        assert fingerprints["GEMINI_API_KEY"] in meanwhile.preview.line("GEMINI_API_KEY")
        assert "another value" not in meanwhile.run.output + meanwhile.preview.output


class TestABundleThatIsRebuiltToOtherBytes:
    def test_production_refuses_it_and_says_both_digests(self, world: World, meanwhile: Meanwhile) -> None:
        well(meanwhile.run)
        proven, main = world.proofs("staging")[0]["digest"], world.workers / SCRIPT / "dist" / "index.js"
        world.faults.reset()
        main.write_bytes(meanwhile.was + b"\n")
        run = world.up("production")
        main.write_bytes(meanwhile.was)
        assert run.exit != 0
        (line,) = run.errors
        assert line.startswith("production gate closed: release ")
        assert f" is not proven by staging, whose newest proof is {proven[:12]}." in line
        assert world.changes() == []
