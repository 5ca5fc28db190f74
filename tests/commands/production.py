"""Production on the local cloud without an engine: releases that are deployed through the API alone, and what their stack would export."""

import asyncio
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from crane_infra.checks.model import Check
from crane_infra.config.catalog import Catalog, CatalogDatabase, CatalogWorker
from crane_infra.config.settings import DatabaseSettings, Settings, WorkerSettings
from crane_infra.live.account import open_account
from crane_infra.migrations.apply import migrate
from crane_infra.migrations.files.read import SchemaFiles
from crane_infra.migrations.ledger import head_of
from crane_infra.release.manifest import checks_digest, digest_of
from crane_infra.release.outputs import StackOutputs, read_outputs
from crane_infra.release.schemas import read_schema_files
from crane_infra.secrets.fingerprints import fingerprint, message_for
from tests.cloud import Api, Body

CODE = "export default { fetch: (_, env) => Response.json({ id: env.CF_VERSION_METADATA.id }) }; // "
CHECKS = (Check(name="version", path="/version", version_at="id", deadline=60),)
ACCEPTED = ("drops-table", "drops-column", "contract-not-declared", "contract-with-expand")
KEY = "a-key-of-fingerprints"
Json = dict[str, Any]


@dataclass
class Production:
    """One stack: ``proofs`` newest first, as it would export them; scripts and ids by catalog name."""

    api: Api
    folder: Path
    proofs: list[Json] = field(default_factory=list)
    workers: dict[str, Body] = field(default_factory=dict)
    databases: dict[str, str] = field(default_factory=dict)
    uploads: dict[tuple[str, str, str], str] = field(default_factory=dict)
    more: Body = field(default_factory=dict)
    """What else each upload has."""

    def release(
        self,
        workers: Mapping[str, str],
        databases: Mapping[str, Mapping[str, str]] | None = None,
        secrets: Mapping[str, str] | None = None,
        *,
        crons: Sequence[str] | None = None,
        of_before: bool = False,
    ) -> str:
        """Deploy and prove workers (code by name; all bind the first database) over databases (files by name), and give the digest.

        ``of_before``: the proof is that of a version of crane which recorded neither fingerprints nor schedules.
        """
        files = {name: self._migrated(name, texts) for name, texts in (databases or {}).items()}
        versions = {name: self._deployed(name, code, next(iter(files), None), secrets or {}) for name, code in workers.items()}
        proof = self._proof(versions, {name: _tag(name, code) for name, code in workers.items()}, files)
        if not of_before:
            proof["fingerprint_key"] = fingerprint(KEY, KEY)
            for worker in proof["workers"].values():
                worker |= {"secrets": _fingerprints(secrets or {}), **({} if crons is None else {"crons": list(crons)})}
        for name in workers if crons is not None else ():
            schedules = [{"cron": cron} for cron in crons or ()]
            self.api.result("PUT", f"/workers/scripts/{self.workers[name]['name']}/schedules", schedules)
        self.proofs.insert(0, proof)
        return str(self.proofs[0]["digest"])

    def serve(self, worker: str, code: str) -> str:
        """Give a worker's traffic to a version that no proof names, and give its id."""
        version = self.api.upload(self.workers[worker], CODE + code)
        self.api.deploy(self.workers[worker], (version, 100))
        return str(version["id"])

    @property
    def outputs(self) -> StackOutputs:
        """What the stack exports."""
        databases = self.proofs[0]["databases"] if self.proofs else {}
        return read_outputs({"proofs": self.proofs, "environment": {"databases": databases}}, "production")

    @property
    def catalog(self) -> Catalog:
        """The workers of the newest release."""
        newest = self.proofs[0]
        workers = {name: CatalogWorker(bundle=name, compatibility_date="2026-01-01", checks=CHECKS) for name in newest["workers"]}
        return Catalog(workers=workers, databases={name: CatalogDatabase(migrations=name) for name in newest["databases"]})

    @property
    def settings(self) -> Settings:
        """The settings of the newest release."""
        newest = self.proofs[0]
        return self._settings(
            databases={name: DatabaseSettings(name=database["name"]) for name, database in newest["databases"].items()},
            workers={
                name: WorkerSettings(url=f"{self.api.running.edge_url}/{worker['script']}") for name, worker in newest["workers"].items()
            },
        )

    def _settings(self, **more: Any) -> Settings:  # noqa: ANN401 (settings)
        running = self.api.running
        return Settings(
            environment="production",
            project="crane-infra",
            organization="organization",
            root=self.folder,
            account_id=running.account_id,
            api_token=running.token,
            api_url=running.api_url,
            workers_dir=self.folder,
            workers_subdomain="s",
            **({"databases": {}, "workers": {}} | more),
        )

    def versions(self, digest: str) -> dict[str, str]:
        """The versions of a release, by worker."""
        return {name: one["version"] for proof in self.proofs if proof["digest"] == digest for name, one in proof["workers"].items()}

    @property
    def answering(self) -> dict[str, str]:
        """The version that answers for each worker."""
        return {name: str(self.api.edge(worker).json()["id"]) for name, worker in self.workers.items()}

    def messages(self, worker: str) -> list[str]:
        """The messages of a worker's deployments, newest first."""
        listed = self.api.result("GET", f"/workers/scripts/{self.workers[worker]['name']}/deployments")["deployments"]
        return [made["annotations"].get("workers/message", "") for made in listed]

    def _migrated(self, name: str, texts: Mapping[str, str]) -> list[Json]:
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        for file, text in texts.items():
            (folder / file).write_text(text, encoding="utf-8")
        self.databases.setdefault(name, self.api.database())
        files, _ = read_schema_files(CatalogDatabase(migrations=name), self.folder)

        async def apply() -> None:
            async with open_account(self._settings()) as account:
                schema = SchemaFiles(files, accepted={file.name: ACCEPTED for file in files})
                await migrate(account.database(self.databases[name], name), schema, release="test", log=lambda _: None)

        asyncio.run(apply())
        return [{"name": file.name, "sha256": file.sha256} for file in files]

    def _deployed(self, name: str, code: str, database: str | None, secrets: Mapping[str, str]) -> str:
        if name not in self.workers:
            self.workers[name] = self.api.worker()
        worker = self.workers[name]
        key = (name, code, f"{database} {sorted(secrets.items())}")
        if key not in self.uploads:
            bindings = [{"name": "CF_VERSION_METADATA", "type": "version_metadata"}]
            bindings += [{"name": "DB", "type": "d1", "database_id": self.databases[database]}] if database else []
            bindings += [{"name": secret, "type": "secret_text", "text": value} for secret, value in secrets.items()]
            annotations = {"workers/tag": _tag(name, code), "workers/message": message_for(_fingerprints(secrets))}
            self.uploads[key] = self.api.upload(worker, CODE + code, bindings=bindings, annotations=annotations, **self.more)["id"]
        self.api.result(
            "POST",
            f"/workers/scripts/{worker['name']}/deployments?force=true",
            {"strategy": "percentage", "versions": [{"version_id": self.uploads[key], "percentage": 100}]},
        )
        return self.uploads[key]

    def _proof(self, versions: Mapping[str, str], tags: Mapping[str, str], files: Mapping[str, list[Json]]) -> Json:
        manifest = {
            "schema": 1,
            "workers": {name: {"digest": tag} for name, tag in tags.items()},
            "databases": {name: {"migrations": listed} for name, listed in files.items()},
            "checks": {name: checks_digest(CatalogWorker(bundle=name, compatibility_date="2026-01-01", checks=CHECKS)) for name in tags},
        }
        return {
            "schema": 1,
            "project": "crane-infra",
            "environment": "production",
            "account": self.api.running.account_id,
            "digest": digest_of(manifest),
            "manifest": manifest,
            "workers": {
                name: {"script": self.workers[name]["name"], "version": version, "tag": tags[name]} for name, version in versions.items()
            },
            "databases": {name: self._proven(name, listed) for name, listed in files.items()},
            "checks": {name: ["version"] for name in versions},
            "proven_at": datetime.now(UTC).isoformat(),
            "versions": {},
        }

    def _proven(self, name: str, listed: list[Json]) -> Json:
        head = head_of(read_schema_files(CatalogDatabase(migrations=name), self.folder)[0])
        shown = self.api.result("GET", f"/d1/database/{self.databases[name]}")["name"]
        return {"id": self.databases[name], "name": shown, "head": {"name": head.name, "count": len(listed), "digest": head.digest}}


def _fingerprints(secrets: Mapping[str, str]) -> dict[str, str]:
    return {name: fingerprint(value, KEY) for name, value in secrets.items()}


def _tag(name: str, code: str) -> str:
    return hashlib.sha256(json.dumps([name, code]).encode()).hexdigest()
