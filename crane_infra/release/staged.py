"""The files of a release that the provider reads, below the folder of the program: all of them are there once this returns."""

from collections.abc import Iterator
from pathlib import Path

from crane_infra.config.catalog import Catalog
from crane_infra.release.bundle import Module
from crane_infra.release.manifest import Release
from crane_infra.release.staged_assets import stage
from crane_infra.release.staged_modules import stage_modules


def stage_release(release: Release, catalog: Catalog, workers_dir: Path) -> dict[str, str]:
    """Copy modules and static assets below the present folder; gives the folder of each worker's assets, relative to it.

    Raises BundleError where a file has changed since the release was read, or cannot be copied.
    """
    stage_modules(_modules(release))
    return {name: stage(assets, workers_dir / _directory(catalog, name)) for name, assets in release.assets.items()}


def _modules(release: Release) -> Iterator[Module]:
    for bundle in release.bundles.values():
        yield from bundle.modules
    for assets in release.assets.values():
        yield from assets.rules


def _directory(catalog: Catalog, worker: str) -> str:
    assets = catalog.workers[worker].assets
    return assets.directory if assets else ""
