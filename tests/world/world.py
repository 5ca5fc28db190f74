"""A whole local project in a folder of its own: local cloud, engine, both stacks, and a copy of workers/ that may be edited."""

import base64
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import yaml

from crane_infra import catalog
from crane_infra.config.environments import ENVIRONMENTS
from crane_infra.rehearsal import local_project
from crane_infra.rehearsal.local_project import LocalProject
from crane_infra.rehearsal.project import Project, configure, exported_by, resources_of
from crane_infra.release.exported import plain_outputs
from local_cloud.daemon import Running
from local_cloud.faults.client import Faults
from tests.ports import free_port
from tests.repository import ROOT
from tests.world import warm
from tests.world.engine import SURE, Engine, Json, Result, managed_environment, require_engine

SETTINGS = "crane-infra"
WRITES = ("INSERT", "UPDATE", "DELETE", "REPLACE", "CREATE", "ALTER", "DROP")
IMPATIENT, FEWEST_ROUNDS = 8, 6


@dataclass
class World:
    """One local project, and ways to look at its cloud and its stacks."""

    local: LocalProject
    engine: Engine

    @property
    def project(self) -> Project:
        """Its files."""
        return self.local.project

    @property
    def cloud(self) -> Running:
        """Its cloud."""
        return self.local.cloud

    @property
    def workers(self) -> Path:
        """The copy of workers/ that this project deploys."""
        return self.project.workers_dir

    @property
    def faults(self) -> Faults:
        """The injector of the local cloud."""
        return self.local.faults

    def up(self, stack: str, *words: str, **variables: str) -> Result:
        """Update a stack."""
        return self.engine.run("up", "--stack", stack, *SURE, "--suppress-progress", *words, **variables)

    def preview_and_up(self, stack: str) -> tuple[Result, Result]:
        """Update a stack after a preview that fails nothing, in one run of the engine; what each of both said."""
        run = self.engine.run("up", "--stack", stack, "--yes", "--suppress-progress")
        preview, begins, update = run.output.partition(f"Updating ({stack}):")
        assert begins, f"the preview failed\n{run.output}"
        return Result(0, preview, preview), Result(run.exit, begins + update, begins + update)

    def outputs(self, stack: str) -> Json:
        """What a stack exports for machines, in plain form: proofs, releases, environment."""
        return plain_outputs(self.exported(stack), stack)

    def exported(self, stack: str) -> Json:
        """What a stack exports."""
        return exported_by(self.project.backend, stack)

    def printed(self, stack: str) -> str:
        """What a stack exports, as the engine prints it to anybody."""
        return self.engine.well("stack", "output", "--stack", stack, "--json")

    def proofs(self, stack: str) -> list[Json]:
        """The proofs that a stack exports, newest first."""
        return list(self.outputs(stack).get("proofs", []))

    def state(self, stack: str) -> str:
        """The state of a stack as the engine gives it to anybody."""
        return self.engine.well("stack", "export", "--stack", stack)

    def state_file(self, stack: str) -> Path:
        """Where the engine keeps the state of a stack."""
        return self.project.backend / ".pulumi" / "stacks" / SETTINGS / f"{stack}.json"

    def resources(self, stack: str, backend: Path | None = None) -> set[str]:
        """The types of the resources in a stack's state, but for the stack itself and providers; ``backend`` where it is not the project's."""
        kept = resources_of(backend or self.project.backend, stack)
        return {one["type"] for one in kept if not one["type"].startswith(("pulumi:pulumi:", "pulumi:providers:"))}

    def folders_named(self, stack: str) -> set[str]:
        """The types of the resources whose state names a folder of this machine: where they were declared. The SDK declares the stack itself."""
        told = {one["type"] for one in resources_of(self.project.backend, stack) if {"stackTrace", "sourcePosition"} & one.keys()}
        return told - {"pulumi:pulumi:Stack"}

    def changes(self) -> list[str]:
        """The calls since the last reset of the injector that change something: all but reads, and queries without a verb that writes."""
        found = (sighting for verb in WRITES for sighting in self.faults.seen(verb))
        wrote = {sighting.number for sighting in found if sighting.part == "request body"}
        calls = (call for call in self.faults.calls() if call["method"] != "GET")
        return [f"{call['method']} {call['path']}" for call in calls if not call["path"].endswith("/query") or call["number"] in wrote]

    def api(self, method: str, path: str, body: object = None) -> Json:
        """Call the REST API below the account, as a person would by hand, and give the whole reply."""
        url = f"{self.cloud.api_url}/accounts/{self.cloud.account_id}{path}"
        headers = {"authorization": f"Bearer {self.cloud.token}"}
        reply = httpx.request(method, url, headers=headers, json=body, timeout=60, trust_env=False)
        reply.raise_for_status()
        return dict(reply.json())

    def versions(self, script: str) -> list[str]:
        """The ids of a script's versions, newest first."""
        return [version["id"] for version in self.api("GET", f"/workers/scripts/{script}/versions")["result"]["items"]]

    def upload(self, script: str, code: str) -> str:
        """Upload a version of one module by hand and give its id; it gets no traffic."""
        module = {
            "name": "index.js",
            "content_type": "application/javascript+module",
            "content_base64": base64.b64encode(code.encode()).decode(),
        }
        body = {"main_module": "index.js", "modules": [module], "compatibility_date": "2024-01-01"}
        return str(self.api("POST", f"/workers/workers/{script}/versions", body)["result"]["id"])

    def deploy(self, script: str, version: str) -> None:
        """Give a version all traffic by hand."""
        share = {"version_id": version, "percentage": 100}
        self.api("POST", f"/workers/scripts/{script}/deployments", {"strategy": "percentage", "versions": [share]})

    def answering(self, script: str) -> str:
        """The id of the version that answers on the live address."""
        reply = httpx.get(f"{self.cloud.edge_url}/{script}/version", timeout=60, trust_env=False)
        return str(reply.raise_for_status().json()["id"])

    def rows(self, database: str, sql: str) -> list[Json]:
        """Ask a database by its name."""
        (found,) = self.api("GET", f"/d1/database?name={database}")["result"]
        return list(self.api("POST", f"/d1/database/{found['uuid']}/query", {"sql": sql})["result"][0]["results"])

    def secrets(self, stack: str) -> dict[str, str]:
        """A stack's secret values, as only the holder of its key sees them."""
        return self.local.secrets(stack)

    def take_passphrase(self, stack: str, passphrase: str = "") -> None:
        """Encrypt the secrets of a stack with a passphrase from now on, its own or that of the project, instead of with the key manager."""
        variables = {"PULUMI_CONFIG_PASSPHRASE": passphrase} if passphrase else {}
        self.engine.well("stack", "change-secrets-provider", "passphrase", "--stack", stack, **variables)

    def stack_file(self, stack: str) -> Json:
        """A stack's settings, as the file has them."""
        return dict(yaml.safe_load((self.project.folder / f"Pulumi.{stack}.yaml").read_text(encoding="utf-8")))

    @contextmanager
    def impatient(self, stack: str) -> Iterator[None]:
        """Let the checks of a stack give up after a few seconds for a while: they are to fail, and that need not take a minute."""
        before, content = self.stack_file(stack), self.stack_file(stack)
        content["config"][f"{SETTINGS}:check-deadline-seconds"] = IMPATIENT
        self.write_stack_file(stack, content)
        try:
            yield
        finally:
            self.write_stack_file(stack, before)

    def write_stack_file(self, stack: str, content: Json) -> None:
        """Replace a stack's settings."""
        (self.project.folder / f"Pulumi.{stack}.yaml").write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")


@contextmanager
def new_world(folder: Path) -> Iterator[World]:
    """A local project that is made from nothing; its cloud ends with it. Tests take a copy (``copies.py``)."""
    require_engine()
    here = Project(ROOT, folder, workers=folder / "workers")
    shutil.copytree(ROOT / "workers", here.workers_dir)
    try:
        local = local_project.begin(here, catalog.crane(), managed_environment(), port=free_port())
        try_briefly(here)
        yield World(local, Engine(folder, local.environ, warm=warm.variables()))
    finally:
        local_project.end(here)


def try_briefly(here: Project) -> None:
    """Let candidates pass after as few rounds as can be set: how many pass for good is shown in ``tests/traffic``."""
    for stack in ENVIRONMENTS:
        configure(here, stack, {"candidate-rounds": FEWEST_ROUNDS})


def edit(path: Path, old: str, new: str) -> None:
    """Replace the one place of ``old`` in a file."""
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1, f"{path.name} does not have this once: {old}"
    path.write_text(text.replace(old, new), encoding="utf-8")


@contextmanager
def edited(path: Path, old: str, new: str) -> Iterator[None]:
    """Replace the one place of ``old`` in a file for a while."""
    was = path.read_bytes()
    edit(path, old, new)
    try:
        yield
    finally:
        path.write_bytes(was)
