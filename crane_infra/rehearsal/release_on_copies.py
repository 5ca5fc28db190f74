"""Runs the checks of a release on a local cloud of its own, whose databases are copies that the pending migrations were applied to.

No secret of the stack comes here: workers and checks get generated values, as the stacks of ``crane local`` do. What is declared besides
databases, variables and services has the stack's names, and is empty.
"""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from crane_infra.checks.model import AnyCheck
from crane_infra.checks.once import try_each
from crane_infra.checks.request import Target
from crane_infra.checks.results import Checked, CheckResult
from crane_infra.checks.run import select
from crane_infra.checks.send import REQUEST_SECONDS
from crane_infra.config.bound import bindings_of
from crane_infra.config.catalog import Catalog, CatalogWorker
from crane_infra.config.settings import Settings
from crane_infra.config.variables import variables_of
from crane_infra.rehearsal.project import generated
from crane_infra.release.assets import read_assets
from crane_infra.release.bundle import read_bundle
from local_cloud import daemon
from local_cloud.client import Account
from local_cloud.errors import LocalCloudError
from local_cloud.workerd.install import require_installed
from local_cloud.workers import kinds

Json = dict[str, Any]
PLACEHOLDERS = "secrets were placeholders"


@dataclass(frozen=True)
class Place:
    """The clone whose Node modules are used, and the folder of the local cloud, which is empty."""

    root: Path
    folder: Path


def why_impossible() -> str:
    """Why this machine has no local cloud, and what to do; "" where it has one."""
    try:
        require_installed()
    except LocalCloudError as error:
        return str(error)
    return ""


def check_release(place: Place, settings: Settings, catalog: Catalog, databases: Mapping[str, Path]) -> Checked:
    """Start a local cloud, give it these SQLite files as databases (by name in the catalog; they are moved) and the workers, and run the checks.

    The cloud has ended when this returns. Raises BundleError or SettingsError for files or settings that cannot be read. Where the local cloud
    does not start or does not take a worker, no check has run, and the result says why.
    """
    try:
        with _cloud(place) as account:
            return _Release(account, settings, catalog).checked(databases)
    except LocalCloudError as error:
        return Checked(not_run=str(error), lacking=True)


@contextmanager
def _cloud(place: Place) -> Iterator[Account]:
    try:
        yield Account(daemon.start(place.folder, runtime_cache=place.root / ".crane" / "runtime"))
    finally:
        daemon.stop(place.folder)


@dataclass(frozen=True)
class _Release:
    """A release that is put on a local cloud."""

    account: Account
    settings: Settings
    catalog: Catalog
    values: dict[str, str] = field(default_factory=dict, repr=False)
    """Generated secrets by key: workers that share a key share its value."""

    def checked(self, databases: Mapping[str, Path]) -> Checked:
        """Put everything there and run the checks of each worker."""
        bindings = {name: self._declared(name) for name in self.catalog.workers}  # before anything is there, since it may be refused
        ids = {name: self.account.add_database(self.settings.databases[name].name, file) for name, file in databases.items()}
        for name in self.catalog.workers:  # all of them first: two may call each other
            subdomain = {"enabled": True, "previews_enabled": False}
            self.account.ask("POST", "/workers/workers", {"name": self.settings.script(name), "subdomain": subdomain})
        targets = {name: self._deployed(name, [*bindings[name], *self._databases(name, ids)]) for name in self.catalog.workers}
        self.account.wait_until_deployed()
        left_out = [note for name in targets for note in self._left_out(name)]
        notes = [note for name in targets for note in _notes(name, bindings[name])]
        return Checked(asyncio.run(self._results(targets)), (PLACEHOLDERS, *notes, *left_out))

    def _declared(self, name: str) -> list[Json]:
        """Everything that a worker binds but its databases, as Cloudflare's API has it."""
        worker = self.catalog.workers[name]
        return [
            {"name": worker.version_metadata, "type": "version_metadata"},
            *({"name": key, "type": "plain_text", "text": text} for key, text in variables_of(name, self.catalog, self.settings).items()),
            *({"name": binding, "type": "secret_text", "text": value} for binding, value in self._secrets(worker).items()),
            *({"name": key, "type": "service", **fields} for key, fields in self.settings.services_of(name).items()),
            *({"name": key, **fields} for key, fields in bindings_of(name, self.catalog, self.settings).items()),
        ]

    def _databases(self, name: str, ids: Mapping[str, str]) -> list[Json]:
        return [{"name": key, "type": "d1", "id": ids[database]} for key, database in self.catalog.workers[name].databases.items()]

    def _secrets(self, worker: CatalogWorker) -> dict[str, str]:
        """The generated secrets of a worker by binding: those that it must have, and those that a check needs."""
        needed = frozenset[str]().union(*(check.secrets for check in worker.checks))
        declared = [secret for secret in worker.secrets if secret.required or secret.binding in needed]
        return {secret.binding: self.values.setdefault(secret.key, generated().ljust(secret.min_length, "0")) for secret in declared}

    def _deployed(self, name: str, bindings: list[Json]) -> Target:
        worker, script = self.catalog.workers[name], self.settings.script(name)
        bundle = read_bundle(self.settings.workers_dir / worker.bundle, worker.main_module, name)
        metadata = {
            "main_module": worker.main_module,
            "compatibility_date": worker.compatibility_date,
            "compatibility_flags": list(worker.compatibility_flags),
            "bindings": bindings,
            **self._assets(name, worker, script),
        }
        modules = {module.name: (module.content_type, module.content) for module in bundle.modules}
        version = self.account.put_script(script, modules, metadata)
        return Target(script, f"{self.account.running.edge_url}/{script}", version, self._secrets(worker), self.settings.root)

    def _assets(self, name: str, worker: CatalogWorker, script: str) -> Json:
        if worker.assets is None:
            return {}
        folder = self.settings.workers_dir / worker.assets.directory
        assets = read_assets(folder, name)
        token = self.account.upload_assets(script, {f"/{file.name}": (folder / file.name).read_bytes() for file in assets.files})
        rules = {rule.name: rule.content.decode(errors="replace") for rule in assets.rules}
        return {"assets": {"jwt": token, "config": {**worker.assets.config, **rules}}}

    async def _results(self, targets: Mapping[str, Target]) -> tuple[CheckResult, ...]:
        results: list[CheckResult] = []
        async with httpx.AsyncClient(timeout=REQUEST_SECONDS, trust_env=False) as http:
            for name, target in targets.items():
                results += await try_each(http, name, target, self._checks(name))
        return tuple(results)

    def _checks(self, name: str) -> Sequence[AnyCheck]:
        """The checks of a worker that the stack itself would run, with the deadline of the stack."""
        deadline = self.settings.check_deadline_seconds
        update = {"deadline": float(deadline)} if deadline else {}
        checks = select(self.catalog.workers[name].checks, self.settings.environment)
        return [check.model_copy(update=update) for check in checks if check.rehearsable]

    def _left_out(self, name: str) -> list[str]:
        checks = select(self.catalog.workers[name].checks, self.settings.environment)
        return [f"{name}: check {check.name} was left out: it is not rehearsable" for check in checks if not check.rehearsable]


def _notes(name: str, bindings: list[Json]) -> list[str]:
    """What a worker binds that is not as it is at Cloudflare."""
    stored = kinds.only_stored(bindings)
    others = [binding for binding in bindings if binding["type"] in kinds.NEEDS and binding["type"] != "assets" and binding not in stored]
    return [
        *(f"{name}: the worker did not get {binding['name']}: the local cloud only stores {binding['type']}" for binding in stored),
        *(f"{name}: {binding['name']} was empty ({binding['type']})" for binding in others),
    ]
