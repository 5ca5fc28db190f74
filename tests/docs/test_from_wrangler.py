"""docs/adopting.md, step by step: what the real wrangler deployed is adopted, and no answer changes and no binding is lost.

Each command of the page runs, in its order, in a clone of its own beside the project.
"""

import json
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from crane_infra.rehearsal import engine
from crane_infra.rehearsal.asking_client import Answers, Question, asking
from crane_infra.rehearsal.project import Project
from local_cloud import daemon
from local_cloud.client import Account
from local_cloud.daemon import Running
from tests import cloud as clouds
from tests.docs import markdown
from tests.docs.shop import ENVIRONMENTS, SECRET, WORKERS, Shop
from tests.repository import ROOT
from tests.world import warm
from tests.world.engine import Engine, Result, clean_environment, require_engine
from tests.wrangler import Wrangler

pytestmark = [pytest.mark.engine, pytest.mark.cloud, pytest.mark.npm]

PAGE, HEADING = ROOT / "docs" / "adopting.md", "From wrangler in ten minutes"
VARIABLES = {"FINGERPRINT_KEY": "canary-fingerprint-key", "STAGING_API_KEY": f"{SECRET}-staging", "PRODUCTION_API_KEY": SECRET}
ALONE = {"id", "database_id", "namespace_id", "bucket_name", "queue_name", "service", "class_name", "text", "type"}


@dataclass
class Clone:
    """A clone of crane-infra beside the project, and what its commands said."""

    folder: Path
    shop: Shop
    environ: Mapping[str, str]
    said: dict[str, str] = field(default_factory=dict)
    bindings: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def run(self, line: str) -> str:
        """Run a command of the page, as a shell in the clone would, and give what it said."""
        words = [re.sub(r"\$(\w+)", lambda name: VARIABLES[name[1]], word) for word in shlex.split(line)]
        if words[0] == "pulumi":
            run: Result = Engine(self.folder, self.environ, warm=warm.variables(*warm.PACKAGES)).run(
                *words[1:], *(["--yes"] if words[1] == "up" else [])
            )
            assert run.exit == 0, f"{line}\n{run.output}"
            return run.output
        if words[:2] == ["npx", "wrangler"]:
            return self.shop.wrangler(*words[2:], cwd=self.folder).stdout
        assert words[0] == "crane", words
        ended = self.crane(*words[1:])
        assert ended.returncode == 0, f"{line}\n{ended.stdout}{ended.stderr}"
        return ended.stdout

    def crane(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run the ``crane`` of this clone."""
        command = [warm.python(*warm.PACKAGES), str(Path(sys.executable).with_name("crane")), *words]
        environ = {**self.environ, "PYTHONPATH": str(self.folder)}
        return subprocess.run(command, cwd=self.folder, env=environ, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def top(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that has the project and the clone."""
    return tmp_path_factory.mktemp("walk")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, top: Path) -> Iterator[Running]:
    """A local cloud whose account is empty."""
    require_engine()
    folder = tmp_path_factory.mktemp("cloud")
    yield daemon.start(folder, runtime_cache=clouds.CACHE, program=top / "crane-infra")
    daemon.stop(folder)


@pytest.fixture(scope="module")
def walked(running: Running, top: Path) -> Clone:
    """The page was walked through, while a client asked the workers of both environments all the while."""
    (top / "home").mkdir()
    shop = Shop(top / "shop", Wrangler(running, top / "home"), Account(running))
    shop.write()
    shop.deploy()
    clone = _clone(top / "crane-infra", running, shop)
    shown = markdown.section(PAGE, HEADING)
    (named,) = [json.loads(block.content) for block in shown if block.info == "json"]
    shop.add(named)
    lines = [line for block in shown if block.info == "sh" for line in block.content.splitlines()]
    questions = [Question(f"{running.edge_url}/shop-api{end}/{path}") for end in ENVIRONMENTS.values() for path in ("", "shop.txt")]
    before = {environment: shop.bindings(environment) for environment in ENVIRONMENTS}
    with asking(*questions, pause=0.5) as traffic:
        for line in lines:
            clone.said[line] = clone.run(line)
        assert traffic.asked_again(60.0)
        answers: Answers = traffic.phase()
    assert answers.count
    assert answers.faults == []
    clone.bindings = {environment: [before[environment], shop.bindings(environment)] for environment in ENVIRONMENTS}
    return clone


def _clone(folder: Path, running: Running, shop: Shop) -> Clone:
    """The files of a clone, of which an import may replace the catalog; its stack files name this cloud and nothing of the project."""
    (folder / "crane_infra").mkdir(parents=True)
    for path in (ROOT / "crane_infra").iterdir():
        if path.name not in ("catalog.py", "__pycache__"):
            (folder / "crane_infra" / path.name).symlink_to(path)
    for name in ("catalog.py", "__main__.py"):
        shutil.copy(ROOT / ("crane_infra" if name == "catalog.py" else "") / name, folder / ("crane_infra" if name == "catalog.py" else ""))
    (folder / ".crane").mkdir()
    (folder / ".crane" / "engine").symlink_to(ROOT / ".crane" / "engine")
    here = Project(folder, folder, program=folder, home=folder.parent / "own")
    here.backend.mkdir(parents=True)
    runtime = {"name": "python", "options": {"virtualenv": sys.prefix} if sys.prefix != sys.base_prefix else {}}
    (folder / "Pulumi.yaml").write_text(yaml.safe_dump({"name": "crane-infra", "runtime": runtime, "main": "."}), encoding="utf-8")
    for environment, end in ENVIRONMENTS.items():
        config = {
            "cloudflare:baseUrl": running.api_url,
            "crane-infra:account-id": running.account_id,
            "crane-infra:workers-subdomain": "automation-ab6",
            "crane-infra:workers": {name: {"url": f"{running.edge_url}/{name}{end}"} for name in WORKERS},
        }
        (folder / f"Pulumi.{environment}.yaml").write_text(yaml.safe_dump({"config": config}), encoding="utf-8")
    return Clone(folder, shop, engine.environment(here, running, clean_environment()))


def _alone(binding: Mapping[str, Any]) -> dict[str, Any]:
    """Which kind a binding is, and what it leads to."""
    return {"id" if key == "database_id" else key: value for key, value in binding.items() if key in ALONE}


def test_a_preview_imports_and_replaces_nothing(walked: Clone) -> None:
    said = walked.said["pulumi preview -s staging"]
    assert "= 3 to import" in said
    assert not re.search("to (replace|delete|update)", said)


@pytest.mark.parametrize("stack", ["staging", "production"])
def test_the_second_preview_is_empty(walked: Clone, stack: str) -> None:
    assert "unchanged" in walked.said[f"pulumi preview -s {stack} --expect-no-changes"]


def test_no_binding_is_lost_and_each_is_still_the_same(walked: Clone) -> None:
    for before, after in walked.bindings.values():
        told = [{name: _alone(each) for name, each in side.items()} for side in (before, after)]
        assert {name: told[1].get(name) for name in told[0]} == told[0]
        assert set(told[1]) - set(told[0]) <= {"CF_VERSION_METADATA"}


def test_static_assets_come_from_this_release_and_their_rules_too(walked: Clone, running: Running) -> None:
    for end in ENVIRONMENTS.values():
        reply = httpx.get(f"{running.edge_url}/shop-api{end}/shop.txt", trust_env=False, timeout=60)
        assert (reply.text, reply.headers["x-shop"]) == ("the shop", "open")
    versions = walked.shop.account.ask("GET", "/workers/workers/shop-api/versions")
    assert [versions[number]["assets"]["config"]["run_worker_first"] for number in (0, -1)] == [["/orders/*"]] * 2
    assert "_headers" in {module["name"] for module in _modules(walked, versions[0]["id"])}


def test_a_static_asset_that_changed_since_the_proof_is_counted_and_refused(walked: Clone) -> None:
    page = walked.shop.folder / "api" / "public" / "shop.txt"
    page.write_text("another shop", encoding="utf-8")
    said = walked.run("pulumi preview -s production")
    assert "worker shop-api: static assets: 1 changed (1 file in all)" in said
    assert re.search("production gate closed: release .* is not proven by staging|has not proven", said), said
    assert [name for name in WORKERS if re.search(rf"WorkerVersion {name}\s.*replace", said)] == ["shop-api"]
    page.write_text("the shop", encoding="utf-8")


def _modules(walked: Clone, version: str) -> list[dict[str, Any]]:
    shown: dict[str, Any] = walked.shop.account.ask("GET", f"/workers/workers/shop-api/versions/{version}?include=modules")
    return list(shown["modules"])


def test_no_command_shows_a_secret(walked: Clone) -> None:
    said = json.dumps(walked.said) + "".join(path.read_text(encoding="utf-8") for path in walked.folder.glob("Pulumi.*.yaml"))
    assert "canary" not in said


FIRST = 'ClassMigration(tag="v1", new_sqlite_classes=("Room",)),'
SECOND = 'ClassMigration(tag="v2", renamed_classes={"Room": "Hall"}),'


@pytest.fixture(scope="module")
def renamed(walked: Clone) -> Clone:
    """After the walk the class of the Durable Object got another name: proven in staging, then in production."""
    catalog, code = walked.folder / "crane_infra" / "catalog.py", walked.shop.folder / "api" / "dist" / "index.js"
    text = catalog.read_text(encoding="utf-8")
    assert FIRST in text
    catalog.write_text(text.replace(FIRST, f"{FIRST} {SECOND}").replace('class_name="Room"', 'class_name="Hall"'), encoding="utf-8")
    code.write_text(re.sub(r"\bRoom\b", "Hall", code.read_text(encoding="utf-8")), encoding="utf-8")
    for environment in ("staging", "production"):
        for line in (f"pulumi up -s {environment}", f"pulumi preview -s {environment} --expect-no-changes"):
            walked.said[f"renamed: {line}"] = walked.run(line)
    return walked


def test_an_adoption_sends_no_migration_that_wrangler_applied(walked: Clone) -> None:
    assert not [line for line, said in walked.said.items() if not line.startswith("renamed: ") and "Durable Object migration" in said]


@pytest.mark.parametrize("stack", ["staging", "production"])
def test_a_migration_goes_out_at_once_once_and_is_said(renamed: Clone, stack: str) -> None:
    script = f"shop-api{ENVIRONMENTS[stack]}"
    assert renamed.shop.account.ask("GET", f"/workers/services/{script}")["default_environment"]["script"]["migration_tag"] == "v2"
    said = renamed.said[f"renamed: pulumi up -s {stack}"]
    assert f"worker {script}: Durable Object migration v2 renames Room to Hall. The version gets all traffic at once" in said
    assert "its Durable Object migration goes to all traffic at once, so" in said
    again = renamed.said[f"renamed: pulumi preview -s {stack} --expect-no-changes"]
    assert "unchanged" in again
    assert "Durable Object" not in again


def test_no_rollback_goes_back_past_a_migration(renamed: Clone) -> None:
    ended = renamed.crane("rollback", "-s", "production", "--yes")
    assert ended.returncode == 1, ended.stdout
    assert "worker shop-api: the Durable Object migration v2 came after the version of that release" in ended.stderr
    assert renamed.bindings["production"][1]["ROOM"]["class_name"] == "Room"
    assert renamed.shop.bindings("production")["ROOM"]["class_name"] == "Hall"


def test_the_page_says_what_the_commands_say(walked: Clone) -> None:
    shown = markdown.section(PAGE, HEADING)
    said = "\n".join(walked.said.values())
    for line in (line for block in shown if block.info == "text" for line in block.content.splitlines()):
        assert re.search(".*".join(map(re.escape, line.split("…"))), said), f"{line}\nis not in\n{said}"
