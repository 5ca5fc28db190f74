"""A release as one file: exactly the modules, static assets, migrations and base schemas that its digest is computed from, and the seeds of staging.

Production unpacks the file that staging stored, so it never deploys a rebuilt or damaged bundle. Other files beside the release, such as
source maps or local variables, are not packed.
"""

import io
import shutil
import tarfile
import tempfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from crane_infra.config.catalog import Catalog
from crane_infra.errors import BundleError
from crane_infra.release.manifest import Release, read_release
from crane_infra.release.staged_assets import read_as_hashed

USE_STORED = "Use the archive that staging stored, or prove this release in staging first"


def pack(release: Release, catalog: Catalog, workers_dir: Path, target: Path) -> None:
    """Write a release to ``target``, with the same bytes on every machine.

    Raises BundleError if a file has changed since the release was read.
    """
    with tarfile.open(target, "w", format=tarfile.PAX_FORMAT) as archive:
        for name, content in sorted(_contents(release, catalog, workers_dir).items()):
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))


def unpack(source: Path, folder: Path, catalog: Catalog, digest: str) -> Release:
    """Unpack a release into ``folder``, which must be absent or empty. On an error nothing is left there.

    Raises BundleError if the archive is absent or damaged, has an entry outside the folder, or is not the release ``digest``.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise BundleError(str(folder), "is not empty", "Remove it, so that no file of an earlier release is left")
    contents = _read(source)
    folder.parent.mkdir(parents=True, exist_ok=True)
    site = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        _write(contents, site)
        release = require(catalog, site, digest, str(source))
        if extra := sorted(set(contents) - set(_contents(release, catalog, site))):
            raise BundleError(str(source), f"contains {extra[0]}, which is not part of release {digest[:12]}", USE_STORED)
        site.chmod(0o755)
        site.replace(folder)
    finally:
        shutil.rmtree(site, ignore_errors=True)
    return release


def require(catalog: Catalog, workers_dir: Path, digest: str, where: str) -> Release:
    """Read the release in ``workers_dir``. An error names the place as ``where``.

    Raises BundleError if its digest is not ``digest``.
    """
    release = read_release(catalog, workers_dir)
    if release.digest != digest:
        raise BundleError(where, f"is release {release.digest[:12]} with the catalog of this commit, not {digest[:12]}", USE_STORED)
    return release


def _contents(release: Release, catalog: Catalog, workers_dir: Path) -> dict[str, bytes]:
    """The content of each file of a release, by its path below the workers folder. Modules are the bytes that were hashed."""
    modules = {
        str(PurePosixPath(worker.bundle, module.name)): module.content
        for name, worker in catalog.workers.items()
        for module in release.bundles[name].modules
    }
    return (
        modules
        | _asset_contents(release, catalog, workers_dir)
        | _schema_contents(release, catalog, workers_dir)
        | _seed_contents(catalog, workers_dir)
    )


def _asset_contents(release: Release, catalog: Catalog, workers_dir: Path) -> dict[str, bytes]:
    """The static assets; what ``.assetsignore`` left out is not there, and so is not that file."""
    contents: dict[str, bytes] = {}
    for name, worker in catalog.workers.items():
        if worker.assets:
            assets, folder = release.assets[name], PurePosixPath(worker.assets.directory)
            contents |= {str(folder / file.name): read_as_hashed(workers_dir / folder / file.name, file.sha256) for file in assets.files}
            contents |= {str(folder / rule.name): rule.content for rule in assets.rules}
    return contents


def _schema_contents(release: Release, catalog: Catalog, workers_dir: Path) -> dict[str, bytes]:
    sha256_by_path: dict[str, str] = {}
    for name, database in catalog.databases.items():
        sha256_by_path |= {str(PurePosixPath(database.migrations, file.name)): file.sha256 for file in release.migrations[name]}
        if database.base is not None:
            sha256_by_path[str(PurePosixPath(database.base))] = release.bases[name].sha256
    return {path: read_as_hashed(workers_dir / path, sha256) for path, sha256 in sha256_by_path.items()}


def _seed_contents(catalog: Catalog, workers_dir: Path) -> dict[str, bytes]:
    """The seeds, which staging runs beside the release; no digest covers them."""
    folders = [database.seeds for database in catalog.databases.values() if database.seeds is not None]
    paths = [path for folder in folders for path in (workers_dir / folder).rglob("*.sql")]
    return {path.relative_to(workers_dir).as_posix(): path.read_bytes() for path in paths}


def _read(source: Path) -> dict[str, bytes]:
    contents: dict[str, bytes] = {}
    try:
        with tarfile.open(source, "r:") as archive:
            for entry in archive:
                file = archive.extractfile(entry) if entry.isreg() else None
                if file is None or not _stays_inside(entry.name) or entry.name in contents:
                    raise BundleError(str(source), f"{entry.name!r} is not a plain file inside the folder, or is there twice", USE_STORED)
                contents[entry.name] = file.read()
    except FileNotFoundError:
        raise BundleError(str(source), "does not exist", USE_STORED) from None
    except (OSError, tarfile.TarError) as error:
        raise BundleError(str(source), f"cannot be read ({type(error).__name__})", USE_STORED) from None
    return contents


def _stays_inside(name: str) -> bool:
    path = PurePosixPath(name)
    return not path.is_absolute() and ".." not in path.parts and str(path) == name and "\\" not in name and name != "."


def _write(contents: Mapping[str, bytes], site: Path) -> None:
    for name, content in contents.items():
        path = site / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
