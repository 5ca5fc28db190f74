"""A small clone in a folder of its own: stack files, bundles, migrations, what both stacks export, and previews of both."""

import contextlib
import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import yaml

from crane_infra.config.catalog import Catalog, CatalogDatabase, CatalogWorker, Secret
from crane_infra.config.environments import Environment
from crane_infra.config.settings import KEY_NAME, Settings
from crane_infra.config.variables import variables_of
from crane_infra.migrations.ledger import head_of
from crane_infra.release.exported import exported
from crane_infra.release.preview_record import RecordedAdoption, RecordedCosts
from crane_infra.release.proof import PROOF_SCHEMA
from crane_infra.report.collect import Sources, collect, failure
from crane_infra.report.compare import make_report
from crane_infra.report.files import Files, read_files, read_settings
from crane_infra.report.model import Report
from crane_infra.report.render import render
from crane_infra.secrets.fingerprints import fingerprint
from tests.report.previews import Json, Logged, planned_steps, preview_json, program_log

ACCOUNT = "0123456789abcdef0123456789abcdef"
NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
SUFFIX = {"staging": "-staging", "production": "-prod"}
KEY = "canary-fingerprint-key"
SECRETS = {"CONTEXT_KEY": "canary-context", "WEBHOOK_SECRET": "canary-webhook"}
FILES = {
    "crane-context/dist/index.js": "export default { fetch: () => new Response('ok') };\n",
    "crane-context/dist/keys.js": "export const keys = 1;\n",
    "crane-context/migrations/0001_create_sessions.sql": "CREATE TABLE sessions (id TEXT PRIMARY KEY, host TEXT, seen_at TEXT NOT NULL);\n",
    "crane-context/migrations/0002_create_notes.sql": (
        "CREATE TABLE notes (id INTEGER PRIMARY KEY, session_id TEXT REFERENCES sessions (id) ON DELETE CASCADE, text TEXT);\n"
    ),
    "crane-classifier/dist/index.js": "export default { fetch: () => new Response('classified') };\n",
    "crane-classifier/migrations/0001_create_deliveries.sql": "CREATE TABLE deliveries (id TEXT PRIMARY KEY, kind TEXT);\n",
}


def catalog() -> Catalog:
    """Two workers with a database each."""
    return Catalog(
        workers={
            "crane-context": CatalogWorker(
                bundle="crane-context/dist",
                compatibility_date="2024-01-01",
                databases={"DB": "crane-context-db"},
                variables={"STALE_MINUTES": "45"},
                environment_variables=("ENVIRONMENT",),
                secrets=(Secret(binding="RELAY_KEY", key="CONTEXT_KEY", distinct=True),),
                reports_version=False,
            ),
            "crane-classifier": CatalogWorker(
                bundle="crane-classifier/dist",
                compatibility_date="2025-12-15",
                databases={"DB": "crane-classifier-db"},
                environment_variables=("ENVIRONMENT",),
                secrets=(Secret(binding="WEBHOOK_SECRET", key="WEBHOOK_SECRET"),),
                reports_version=False,
            ),
        },
        databases={
            "crane-context-db": CatalogDatabase(migrations="crane-context/migrations"),
            "crane-classifier-db": CatalogDatabase(migrations="crane-classifier/migrations"),
        },
    )


def stack_file(environment: Environment) -> Json:
    """The settings of an environment, secrets encrypted."""
    own = {"variables": {"ENVIRONMENT": environment}}
    return {
        "crane-infra:workers-dir": "workers",
        "crane-infra:account-id": ACCOUNT,
        "crane-infra:workers-subdomain": "example",
        "crane-infra:fingerprint-key": {"secure": "v1:ciphertext"},
        "crane-infra:secrets": {key: {"secure": "v1:ciphertext"} for key in SECRETS},
        "crane-infra:databases": {name: {"name": name + SUFFIX[environment]} for name in ("crane-context-db", "crane-classifier-db")},
        "crane-infra:workers": {name: dict(own) for name in ("crane-context", "crane-classifier")},
    }


@dataclass
class Stage:
    """The clone. What is ``deployed`` is what the files were when ``deploy`` was called."""

    folder: Path
    catalog: Catalog = field(default_factory=catalog)
    outputs: dict[Environment, Json] = field(default_factory=dict)
    files: dict[Environment, Files] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=lambda: dict(SECRETS))
    config: dict[Environment, Json] = field(default_factory=dict)
    records: dict[Environment, str | None] = field(default_factory=dict)
    """What the program wrote during the last preview of each environment, None where it wrote nothing."""
    packs: bool = True
    """Whether the stacks were written by this version; one before exported everything plainly."""

    def __post_init__(self) -> None:
        """Write the files."""
        (self.folder / "Pulumi.yaml").write_text("name: crane-infra\nruntime: python\n", encoding="utf-8")
        for environment in SUFFIX:
            self.configure(environment, stack_file(environment))  # type: ignore[arg-type]
        for name, text in FILES.items():
            self.write(name, text)

    def configure(self, environment: Environment, config: Json) -> None:
        """Replace the settings of an environment."""
        self.config[environment] = config
        (self.folder / f"Pulumi.{environment}.yaml").write_text(yaml.safe_dump({"config": config}), encoding="utf-8")

    def write(self, name: str, text: str) -> None:
        """Write a file below workers/."""
        path = self.folder / "workers" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def remove(self, name: str) -> None:
        """Remove a file or folder below workers/."""
        path = self.folder / "workers" / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()

    @property
    def fingerprints(self) -> dict[str, str]:
        """Those of the present secrets."""
        return {key: fingerprint(value, KEY) for key, value in {**self.secrets, KEY_NAME: KEY}.items()}

    def deploy(self, *environments: Environment) -> None:
        """Take the files for what runs in these environments, seen and proven."""
        for environment in environments:
            files, settings = self.now(environment)
            record = {"proofs": [self._proof(settings, files)], "environment": self._environment(settings)}
            older = self.outputs.get(environment, {}).get("proofs", [])
            self.outputs[environment] = {**record, "proofs": [*record["proofs"], *older]}
            self.files[environment] = files

    def now(self, environment: Environment) -> tuple[Files, Settings]:
        """The present files and settings."""
        with contextlib.chdir(self.folder):
            settings = read_settings(environment, Path(), {})
            return read_files(self.catalog, settings.workers_dir), settings

    def _proof(self, settings: Settings, files: Files) -> Json:
        assert files.release, files.refusals
        heads = {name: head_of(own) for name, own in files.migrations.items()}
        return {
            "schema": PROOF_SCHEMA,
            "project": settings.project,
            "environment": settings.environment,
            "account": settings.account_id,
            "digest": files.release.digest,
            "manifest": files.manifest,
            "workers": {
                name: {"script": settings.script(name), "version": f"{name}-version", "tag": files.release.tag(name)}
                for name in files.bundles
            },
            "databases": {
                name: {
                    "id": f"id-of-{own.name}",
                    "name": own.name,
                    "head": {"name": heads[name].name, "count": heads[name].count, "digest": heads[name].digest},
                }
                for name, own in settings.databases.items()
            },
            "checks": {name: [] for name in files.bundles},
            "commit": "c0ffee",
            "proven_at": "2026-11-23T08:00:00Z",
            "versions": {},
        }

    def _environment(self, settings: Settings) -> Json:
        return {
            "databases": {
                name: {"name": own.name, "id": f"id-of-{own.name}", "adopted": own.adopt is not None}
                for name, own in settings.databases.items()
            },
            "workers": {
                name: {
                    "script": settings.script(name),
                    "url": settings.url(name),
                    "adopted": own.adopt,
                    "variables": variables_of(name, self.catalog, settings),
                    "services": {},
                }
                for name, own in settings.workers.items()
            },
            "secrets": self.fingerprints,
        }

    def preview(
        self,
        environment: Environment = "staging",
        logged: Logged = (),
        steps: tuple[Json, ...] = (),
        adoptions: tuple[RecordedAdoption, ...] = (),
        refusals: tuple[str, ...] = (),
        costs: Mapping[str, tuple[RecordedCosts, ...]] | None = None,
    ) -> Json:
        """What the engine would print for the present files, with more messages (severity, text) and steps; the program's record is kept."""
        last, exported_last = self.outputs.get(environment), self._exported(environment)
        if any(severity == "error" for severity, _ in logged):
            self.records[environment] = None
            return preview_json(environment, exported_last, logged, steps)
        files, settings = self.now(environment)
        before = self.files.get(environment)
        shown = program_log(files, settings, before, adoptions, refusals, costs or {})
        self.records[environment] = shown.record(files, settings)
        planned = planned_steps(environment, files, before, last or {}, self._environment(settings))
        return preview_json(environment, exported_last, shown.logged + logged, (*planned, *steps))

    def report(
        self,
        *,
        staging: Json | None = None,
        production: Json | None = None,
        failed: str | None = None,
        outputs: tuple[Environment, ...] = ("production",),
        environ: Mapping[str, str] | None = None,
    ) -> Report:
        """The report from previews with their records, the outputs of the named stacks, and what a failed preview printed: each from a file."""
        previews: dict[Environment, Json | None] = {"staging": staging, "production": production}
        sources = Sources(
            previews={name: self._file(f"{name}.json", preview) for name, preview in previews.items()},
            records={name: self._file(f"{name}-record.json", self.records.get(name)) for name, preview in previews.items() if preview},
            outputs={name: self._file(f"{name}-outputs.json", self._exported(name) or {}) for name in outputs},
            failed=self._file("failed.txt", failed),
        )
        with contextlib.chdir(self.folder):
            sides = collect(self.catalog, sources, Path(), environ or {})
            return make_report(self.catalog, sides, failure(sources.failed, self.catalog, sides, environ or {}), NOW)

    def _exported(self, environment: Environment) -> Json | None:
        """What the stack exports; None for one that never ran."""
        outputs = self.outputs.get(environment)
        return exported(environment, outputs) if outputs and self.packs else outputs

    def _file(self, name: str, content: Json | str | None) -> Path | None:
        if content is None:
            return None
        path = self.folder / name
        path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
        return path


def comment(report: Report) -> str:
    """The report as it is posted."""
    return render(report)
