"""What the working copy holds for a report: stack files, bundles, migrations. Each fault is kept beside what could be read.

A run stops at the first fault; a report lists all of them, in the same words. Reads no secret: encrypted settings are left out.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import yaml

from crane_infra.config.catalog import Catalog
from crane_infra.config.environments import Environment
from crane_infra.config.settings import Settings, parse
from crane_infra.config.stackfile import read_yaml, stack_config
from crane_infra.errors import CraneError, ReportError
from crane_infra.migrations.files.read import MigrationFile
from crane_infra.release.assets import StaticAssets, read_assets
from crane_infra.release.bundle import Bundle, read_bundle
from crane_infra.release.manifest import Release, digest_of, make_manifest
from crane_infra.release.schemas import read_schema_files

Read = TypeVar("Read")
NO_TOKEN = "none-is-needed"  # noqa: S105 - settings ask for one, and a report makes no call
_TOKEN = "CLOUDFLARE_API_TOKEN"  # noqa: S105 - the name of a variable


@dataclass(frozen=True)
class Files:
    """The files of a release that can be read, and why a run would refuse the others."""

    catalog: Catalog
    """Only the workers and databases whose files could be read."""
    bundles: Mapping[str, Bundle]
    migrations: Mapping[str, tuple[MigrationFile, ...]]
    bases: Mapping[str, MigrationFile]
    refusals: tuple[str, ...]
    assets: Mapping[str, StaticAssets] = field(default_factory=dict)

    @property
    def manifest(self) -> dict[str, Any]:
        """The manifest of the files that could be read."""
        return make_manifest(self.catalog, self.bundles, self.migrations, self.bases, self.assets)

    @property
    def release(self) -> Release | None:
        """The release; None where a part of it cannot be read."""
        if self.refusals or not self.bundles:
            return None
        return Release(self.bundles, self.migrations, self.bases, self.manifest, digest_of(self.manifest), self.assets)


NOTHING = Files(Catalog(workers={}, databases={}), {}, {}, {}, ())


def read_files(catalog: Catalog, workers_dir: Path) -> Files:
    """Read the files of a release below ``workers_dir``; a fault becomes a refusal."""
    refusals = list[str]()
    bundles, schemas = dict[str, Bundle](), dict[str, tuple[tuple[MigrationFile, ...], MigrationFile | None]]()
    for name, worker in catalog.workers.items():
        _take(bundles, refusals, name, lambda name=name, worker=worker: read_bundle(workers_dir / worker.bundle, worker.main_module, name))  # type: ignore[misc]
    assets, with_assets = dict[str, StaticAssets](), {name: worker.assets for name, worker in catalog.workers.items() if worker.assets}
    for name, declared in with_assets.items():
        _take(assets, refusals, name, lambda name=name, declared=declared: read_assets(workers_dir / declared.directory, name))  # type: ignore[misc]
    for name in with_assets.keys() - assets.keys():
        bundles.pop(name, None)
    for name, database in catalog.databases.items():
        _take(schemas, refusals, name, lambda database=database: read_schema_files(database, workers_dir))  # type: ignore[misc]
    readable = catalog.model_copy(
        update={
            "workers": {name: worker for name, worker in catalog.workers.items() if name in bundles},
            "databases": {name: database for name, database in catalog.databases.items() if name in schemas},
        }
    )
    migrations = {name: files for name, (files, _) in schemas.items()}
    bases = {name: base for name, (_, base) in schemas.items() if base is not None}
    return Files(readable, bundles, migrations, bases, tuple(refusals), assets)


def _take(read_files: dict[str, Read], refusals: list[str], name: str, read: Callable[[], Read]) -> None:
    try:
        read_files[name] = read()
    except CraneError as error:
        refusals.append(str(error))


def read_settings(environment: Environment, folder: Path, environ: Mapping[str, str]) -> Settings:
    """The settings of a stack from its file in ``folder``, without Pulumi and without encrypted values.

    Raises SettingsError as a run does, ReportError where the folder has no readable Pulumi.yaml.
    """
    config = stack_config(folder, environment)
    texts = {key: _text(value) for key, value in config.items() if not (isinstance(value, dict) and value.keys() == {"secure"})}
    known = {"environment": environment, "project": _project(folder), "organization": "organization", "root": str(folder)}
    return parse(known, texts, {**environ, _TOKEN: environ.get(_TOKEN) or NO_TOKEN})


def _text(value: object) -> str:
    """A value as Pulumi passes it to a program."""
    return value if isinstance(value, str) else json.dumps(value)


def _project(folder: Path) -> str:
    try:
        return str(read_yaml((folder / "Pulumi.yaml").read_text(encoding="utf-8"))["name"])
    except (OSError, yaml.YAMLError, KeyError, TypeError, ValueError):
        raise ReportError(str(folder), "has no Pulumi.yaml that can be read", "Name the folder of the stack files") from None
