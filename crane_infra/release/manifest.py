"""A release: everything that is the same in both environments, and the digest that names it. Pure but for reading the files.

Names, ids, secret values and the variables that one environment sets are not part of it.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from crane_infra.config.catalog import Catalog, CatalogWorker
from crane_infra.migrations.files.read import MigrationFile
from crane_infra.release.assets import StaticAssets, read_assets
from crane_infra.release.bundle import Bundle, read_bundle
from crane_infra.release.schemas import read_schema_files

MANIFEST_SCHEMA = 1


@dataclass(frozen=True)
class Release:
    """The files of a release, its manifest and its digest (sha256 in hex). Mappings are by catalog name."""

    bundles: Mapping[str, Bundle]
    migrations: Mapping[str, tuple[MigrationFile, ...]]
    bases: Mapping[str, MigrationFile]
    manifest: dict[str, Any]
    digest: str
    assets: Mapping[str, StaticAssets] = field(default_factory=dict)
    """Of the workers that have some."""

    def tag(self, worker: str) -> str:
        """The worker's digest, which tags its version (64 characters; Cloudflare takes 100 bytes)."""
        tag: str = self.manifest["workers"][worker]["digest"]
        return tag


def read_release(catalog: Catalog, workers_dir: Path) -> Release:
    """Read the bundles and migrations below ``workers_dir``.

    Raises BundleError or MigrationError with the name of the file.
    """
    bundles = {name: read_bundle(workers_dir / worker.bundle, worker.main_module, name) for name, worker in catalog.workers.items()}
    schemas = {name: read_schema_files(database, workers_dir) for name, database in catalog.databases.items()}
    migrations = {name: files for name, (files, _) in schemas.items()}
    bases = {name: base for name, (_, base) in schemas.items() if base is not None}
    assets = {name: read_assets(workers_dir / worker.assets.directory, name) for name, worker in catalog.workers.items() if worker.assets}
    manifest = make_manifest(catalog, bundles, migrations, bases, assets)
    return Release(bundles, migrations, bases, manifest, digest_of(manifest), assets)


def make_manifest(
    catalog: Catalog,
    bundles: Mapping[str, Bundle],
    migrations: Mapping[str, tuple[MigrationFile, ...]],
    bases: Mapping[str, MigrationFile],
    assets: Mapping[str, StaticAssets] = MappingProxyType({}),
) -> dict[str, Any]:
    """The parts of a release, as JSON that a person can read. Exported with each proof."""
    return {
        "schema": MANIFEST_SCHEMA,
        "workers": {name: _worker(worker, bundles[name], assets.get(name)) for name, worker in catalog.workers.items()},
        "databases": {
            name: {
                "migrations": [{"name": file.name, "sha256": file.sha256} for file in files],
                **({"base": {"sha256": bases[name].sha256, "baseline": bases[name].number}} if name in bases else {}),
            }
            for name, files in migrations.items()
        },
        "checks": {name: checks_digest(worker) for name, worker in catalog.workers.items()},
    }


def checks_digest(worker: CatalogWorker) -> str:
    """The digest by which a manifest names the checks of a worker."""
    return digest_of([check.definition() for check in worker.checks])


def digest_of(value: object) -> str:
    """The sha256, in hex, of the canonical JSON of a value: sorted keys, no spaces, UTF-8."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _worker(worker: CatalogWorker, bundle: Bundle, assets: StaticAssets | None) -> dict[str, Any]:
    parts = {
        "main": bundle.main_module,
        "modules": {module.name: {"type": module.content_type, "sha256": module.sha256} for module in bundle.modules},
        "compatibility": {"date": worker.compatibility_date, "flags": list(worker.compatibility_flags)},
        "bindings": _binding_types(worker),
        "variables": dict(worker.variables),
        **worker.version_settings,
        **({"class_migrations": [step.form() for step in worker.class_migrations]} if worker.class_migrations else {}),
        **({"assets": {**assets.part(), "config": worker.assets.config}} if assets and worker.assets else {}),
    }
    return {"digest": digest_of(parts), **parts}


def _binding_types(worker: CatalogWorker) -> dict[str, str]:
    plain = dict.fromkeys((*worker.variables, *worker.environment_variables), "plain_text")
    secret = {secret.binding: "secret_text" for secret in worker.secrets}
    return (
        plain
        | secret
        | {name: f"d1:{database}" for name, database in worker.databases.items()}
        | {worker.version_metadata: "version_metadata"}
        | ({worker.assets.binding: "assets"} if worker.assets and worker.assets.binding else {})
        | {name: binding.form() for name, binding in worker.bindings.items()}
    )
