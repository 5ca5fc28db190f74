"""An account on the local cloud in which both environments run one proven release: real workers, real databases, made through the API alone.

What an update, a promotion and the commands look at is all there, so that each of their looks can be tried with wrong answers, without an engine.
"""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

from crane_infra.checks.model import Check
from crane_infra.commands.apply import State, apply_to
from crane_infra.commands.verify import Report, verify
from crane_infra.config.catalog import Catalog, CatalogDatabase, CatalogWorker
from crane_infra.config.environments import Environment
from crane_infra.config.settings import DatabaseSettings, Settings, WorkerSettings
from crane_infra.live.account import open_account
from crane_infra.live.declared import DeclaredScript, set_back
from crane_infra.live.promotion import require_open
from crane_infra.migrations.files.read import SchemaFiles
from crane_infra.migrations.ledger import head_of
from crane_infra.program.announce.adoptions import announce_adoptions
from crane_infra.program.announce.manual import announce_deployments, look_at_deployments
from crane_infra.program.announce.migrations import announce_migrations, look_at_ledgers
from crane_infra.program.announce.settings import announce_settings, look_at_settings
from crane_infra.program.background import begin
from crane_infra.program.hooks.steps import Logs, ProveStep, migrate_database, prove
from crane_infra.program.preparation import Prepared
from crane_infra.redact import Redactor
from crane_infra.release.gate import verdict_for
from crane_infra.release.manifest import Release, read_release
from crane_infra.release.outputs import StackOutputs, read_outputs
from crane_infra.release.proof import PROOF_SCHEMA
from local_cloud.daemon import Running
from tests.cloud import Api

REPORTS = """export default { fetch(request, env) {
  return Response.json({ id: env.CF_VERSION_METADATA.id, ok: true });
} };"""
MIGRATIONS = {
    "0001_t.sql": "CREATE TABLE t (x TEXT);\n",
    "0002_row.sql": "INSERT INTO t VALUES ('a');\n",
}
TRIGGER = "CREATE TRIGGER tr AFTER INSERT ON t BEGIN UPDATE t SET x = 'b' WHERE x = '{}'; END;\n"
TABLES = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%' AND name NOT LIKE '\\_cf%' ESCAPE '\\'"
DATABASE = "db"
ENVIRONMENTS: tuple[Environment, ...] = ("staging", "production")
Json = dict[str, Any]


@dataclass
class ProvenAccount:
    """Both environments of one release. ``outputs`` are what their stacks would export."""

    api: Api
    catalog: Catalog
    release: Release
    settings: dict[Environment, Settings]
    outputs: dict[Environment, Json]
    versions: dict[Environment, str]

    @property
    def worker(self) -> str:
        """The catalog name of the one worker."""
        return next(iter(self.catalog.workers))

    def script(self, environment: Environment) -> str:
        """Its name at Cloudflare."""
        return self.settings[environment].script(self.worker)

    def stack(self, environment: Environment) -> StackOutputs:
        """The last outputs of a stack."""
        return read_outputs(self.outputs[environment], environment)

    def prepared(self, environment: Environment, settings: Settings | None = None, last: StackOutputs | None = None) -> Prepared:
        """A run of an environment, as far as it is prepared before it asks Cloudflare anything."""
        own = last or self.stack(environment)
        given = settings or self.settings[environment]
        return Prepared(given, self.catalog, self.release, {}, {}, own, self.stack("staging"), Redactor({}), {self.worker: ()})

    # What looks at the account, each as the program or a command calls it

    def verify(self, environment: Environment) -> Report:
        """``crane verify``."""
        return asyncio.run(verify(self.settings[environment], self.catalog, self.stack(environment)))

    def gate(self) -> list[str]:
        """The gate of production, and what it says where it is open."""
        settings = self.settings["production"]
        return asyncio.run(require_open(settings, verdict_for(settings, self.release, self.outputs["staging"], self.outputs["production"])))

    def deployments(self, environment: Environment) -> Mapping[str, str]:
        """The look at manual deployments at the start of an update: what it uploads again."""
        run = self.prepared(environment)
        return announce_deployments(run, begin(look_at_deployments(run))).reuploads

    def ledgers(self, environment: Environment) -> object:
        """The look at the ledgers at the start of an update."""
        run = self.prepared(environment)
        return announce_migrations(run, begin(look_at_ledgers(run)))

    def adoptions(self, environment: Environment) -> object:
        """The look at what a first update adopts: all that is there."""
        settings = self.settings[environment]
        ids = {name: one["id"] for name, one in self.outputs[environment]["environment"]["databases"].items()}
        databases = {name: one.model_copy(update={"adopt": ids[name]}) for name, one in settings.databases.items()}
        workers = {name: one.model_copy(update={"adopt": True}) for name, one in settings.workers.items()}
        adopting = settings.model_copy(update={"databases": databases, "workers": workers})
        return announce_adoptions(self.prepared(environment, adopting, StackOutputs()))

    def script_settings(self, environment: Environment) -> object:
        """The look at changed settings at the start of an update."""
        run = self.prepared(environment)
        return announce_settings(run, begin(look_at_settings(run)))

    def change_beside(self, environment: Environment) -> None:
        """Somebody switches off the address of the worker, and takes its schedules away."""
        self.api.result(
            "PATCH", f"/workers/workers/{self.script(environment)}", {"subdomain": {"enabled": False, "previews_enabled": False}}
        )
        self.api.result("PUT", f"/workers/scripts/{self.script(environment)}/schedules", [])

    def set_back(self, environment: Environment) -> list[str]:
        """The part of the release step that sets changed settings back; returns what it set back."""
        declared = DeclaredScript(self.script(environment), {"subdomain": {"enabled": True, "previews_enabled": False}}, ("0 3 * * *",))

        async def run() -> list[str]:
            async with open_account(self.settings[environment]) as account:
                return await set_back(account, declared)

        return asyncio.run(run())

    def prove(self, environment: Environment) -> None:
        """The release step: what is live is what the newest proof claims."""
        step = ProveStep(self.settings[environment], self.catalog, {self.worker: {}}, lambda _: None)
        asyncio.run(prove(step, self.outputs[environment]["proofs"][0]))

    def apply(self, environment: Environment) -> list[str]:
        """``crane migrations apply``."""
        return apply_to(self.settings[environment], self.catalog, State(self.stack_named, lambda _: None), None, lambda _: None)

    def stack_named(self, environment: str) -> StackOutputs:
        """The last outputs of the stack with this name."""
        return self.stack("staging" if environment == "staging" else "production")

    @contextmanager
    def with_empty_database(self) -> Iterator["EmptyDatabase"]:
        """The same, but for a database of its own in staging and one more file, which runs through D1's import."""
        outputs, database = self.outputs["staging"], self.api.database()
        path = self.settings["staging"].workers_dir / DATABASE / "0003_trigger.sql"
        environment = {**outputs["environment"], "databases": {DATABASE: {"name": "empty", "id": database, "adopted": False}}}
        account = replace(self, outputs={**self.outputs, "staging": {**outputs, "environment": environment}})
        try:
            yield EmptyDatabase(account, path)
        finally:
            path.unlink(missing_ok=True)
            self.api.call("DELETE", f"/d1/database/{database}")

    def listed(self, environment: Environment) -> list[str]:
        """The names in wrangler's table of its one database, as somebody else reads them; empty where there is no such table."""
        database = self.database_id(environment)
        (tables,) = self.api.query(database, "SELECT name FROM sqlite_master WHERE name = 'd1_migrations'")
        return [row["name"] for row in self.api.query(database, "SELECT name FROM d1_migrations ORDER BY id")[0]] if tables else []

    def database_id(self, environment: Environment) -> str:
        """The id of its one database."""
        return str(self.outputs[environment]["environment"]["databases"][DATABASE]["id"])


@dataclass(frozen=True)
class EmptyDatabase:
    """An account whose staging has an empty database, and the file with a trigger that is applied to it."""

    account: ProvenAccount
    path: Path

    def clear(self, text: str) -> str:
        """Empty the database again, and write a trigger with this text: D1 takes contents that it has imported before for imported."""
        database, api = self.account.database_id("staging"), self.account.api
        (tables,) = api.query(database, TABLES)
        if tables:
            api.query(database, "".join(f'DROP TABLE "{table["name"]}";' for table in tables))
        trigger = TRIGGER.format(text.replace("'", "''"))
        self.path.write_text(trigger, encoding="utf-8")
        return trigger


def make_proven_account(api: Api, cloud: Running, folder: Path) -> ProvenAccount:
    """Deploy one release to both environments, and write down what their stacks would export."""
    name = f"w{uuid4().hex[:12]}"
    _write(folder / "workers" / name / "index.js", REPORTS)
    for file, sql in MIGRATIONS.items():
        _write(folder / "workers" / DATABASE / file, sql)
    checks = (Check(name="version", path="/version", version_at="id"), Check(name="health", path="/health", json_includes={"ok": True}))
    worker = CatalogWorker(bundle=name, compatibility_date="2026-01-01", databases={"DB": DATABASE}, checks=checks)
    catalog = Catalog(workers={name: worker}, databases={DATABASE: CatalogDatabase(migrations=DATABASE)})
    release = read_release(catalog, folder / "workers")
    account = ProvenAccount(api, catalog, release, {}, {}, {})
    for environment in ENVIRONMENTS:
        _deploy(account, cloud, folder, environment)
    return account


def _deploy(account: ProvenAccount, cloud: Running, folder: Path, environment: Environment) -> None:
    api, name = account.api, account.worker
    script = name if environment == "production" else f"{name}-{environment}"
    worker = api.result("POST", "/workers/workers", {"name": script, "subdomain": {"enabled": True, "previews_enabled": False}})
    api.made.append(script)
    database = api.database()
    settings = Settings(
        environment=environment,
        project="crane-infra",
        organization="organization",
        root=folder,
        account_id=cloud.account_id,
        api_token=cloud.token,
        api_url=cloud.api_url,
        workers_dir=folder / "workers",
        workers_subdomain="s",
        databases={DATABASE: DatabaseSettings(name=api.result("GET", f"/d1/database/{database}")["name"])},
        workers={name: WorkerSettings(url=f"{cloud.edge_url}/{script}", crons=("0 3 * * *",))},
        check_deadline_seconds=60,
    )
    account.settings[environment] = settings
    bindings = [{"name": "CF_VERSION_METADATA", "type": "version_metadata"}, {"name": "DB", "type": "d1", "database_id": database}]
    version = api.upload(worker, REPORTS, bindings=bindings, annotations={"workers/tag": account.release.tag(name)})
    api.deploy(worker, (version, 100))
    api.result("PUT", f"/workers/scripts/{script}/schedules", [{"cron": "0 3 * * *"}])
    files = account.release.migrations[DATABASE]
    shown = settings.databases[DATABASE].name
    asyncio.run(migrate_database(settings, shown, database, SchemaFiles(files), release=account.release.digest, logs=Logs(print)))
    head = head_of(files)
    proof = {
        "schema": PROOF_SCHEMA,
        "project": settings.project,
        "environment": environment,
        "account": cloud.account_id,
        "digest": account.release.digest,
        "manifest": account.release.manifest,
        "workers": {name: {"script": script, "version": version["id"], "tag": account.release.tag(name)}},
        "databases": {DATABASE: {"id": database, "name": shown, "head": {"name": head.name, "count": head.count, "digest": head.digest}}},
        "checks": {name: ["version", "health"]},
        "proven_at": datetime.now(UTC).isoformat(),
        "versions": {},
    }
    environment_record = {
        "databases": {DATABASE: {"name": shown, "id": database, "adopted": False}},
        "workers": {name: {"script": script, "url": settings.url(name), "adopted": False, "variables": {}, "services": {}}},
        "secrets": {},
    }
    account.outputs[environment] = {"proofs": [proof], "environment": environment_record}
    account.versions[environment] = version["id"]


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
