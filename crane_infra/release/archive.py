"""A release as one file: exactly the modules, migrations and base schemas that its digest is made of, and nothing else.

Builds nothing and sends nothing. Prevents production from getting a rebuilt, damaged or foreign bundle, and files that lie beside the
release (source maps, local variables) from being stored with it.
"""

import hashlib
import io
import shutil
import tarfile
import tempfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from crane_infra.config.catalog import Catalog
from crane_infra.errors import BundleError
from crane_infra.release.manifest import Release, read_release

BUILD_AGAIN = "Take the archive that staging stored, or prove this release in staging first"


def pack(release: Release, catalog: Catalog, workers_dir: Path, target: Path) -> None:
    """Write a release to ``target``, the same bytes on any machine.

    Raises BundleError where a file changed since the release was read.
    """
    with tarfile.open(target, "w", format=tarfile.PAX_FORMAT) as archive:
        for name, content in sorted(_contents(release, catalog, workers_dir).items()):
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))


def unpack(source: Path, folder: Path, catalog: Catalog, digest: str) -> Release:
    """Bring a packed release into ``folder``, which must not hold anything yet; all of it or nothing.

    Raises BundleError where the archive is absent or damaged, holds a name that leads out of the folder, or is not the release ``digest``.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise BundleError(str(folder), "is not empty", "Remove it, so that nothing of an earlier release stays there")
    contents = _read(source)
    folder.parent.mkdir(parents=True, exist_ok=True)
    site = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        _write(contents, site)
        release = require(catalog, site, digest, str(source))
        if surplus := sorted(set(contents) - set(_contents(release, catalog, site))):
            raise BundleError(str(source), f"holds {surplus[0]}, which is no part of release {digest[:12]}", BUILD_AGAIN)
        site.chmod(0o755)
        site.replace(folder)
    finally:
        shutil.rmtree(site, ignore_errors=True)
    return release


def require(catalog: Catalog, workers_dir: Path, digest: str, where: str) -> Release:
    """The release in ``workers_dir``, if it is the one with this digest; ``where`` is how the error calls it.

    Raises BundleError where it is another one.
    """
    release = read_release(catalog, workers_dir)
    if release.digest != digest:
        raise BundleError(where, f"is release {release.digest[:12]} with the catalog of this commit, not {digest[:12]}", BUILD_AGAIN)
    return release


def _contents(release: Release, catalog: Catalog, workers_dir: Path) -> dict[str, bytes]:
    """The files of a release by their path below the workers folder; the modules as they were hashed."""
    modules = {
        str(PurePosixPath(worker.bundle, module.name)): module.content
        for name, worker in catalog.workers.items()
        for module in release.bundles[name].modules
    }
    return modules | _schema_contents(release, catalog, workers_dir)


def _schema_contents(release: Release, catalog: Catalog, workers_dir: Path) -> dict[str, bytes]:
    wanted: dict[str, str] = {}
    for name, database in catalog.databases.items():
        wanted |= {str(PurePosixPath(database.migrations, file.name)): file.sha256 for file in release.migrations[name]}
        if database.base is not None:
            wanted[str(PurePosixPath(database.base))] = release.bases[name].sha256
    found = {path: (workers_dir / path).read_bytes() for path in wanted}
    for path, content in found.items():
        if hashlib.sha256(content).hexdigest() != wanted[path]:
            raise BundleError(str(workers_dir / path), "changed while it was read", "Let the build end first, then run this again")
    return found


def _read(source: Path) -> dict[str, bytes]:
    contents: dict[str, bytes] = {}
    try:
        with tarfile.open(source, "r:") as archive:
            for entry in archive:
                file = archive.extractfile(entry) if entry.isreg() else None
                if file is None or not _stays_inside(entry.name) or entry.name in contents:
                    raise BundleError(str(source), f"{entry.name!r} is no plain file of its own below the folder", BUILD_AGAIN)
                contents[entry.name] = file.read()
    except FileNotFoundError:
        raise BundleError(str(source), "there is no such archive", BUILD_AGAIN) from None
    except (OSError, tarfile.TarError) as error:
        raise BundleError(str(source), f"cannot be read ({type(error).__name__})", BUILD_AGAIN) from None
    return contents


def _stays_inside(name: str) -> bool:
    path = PurePosixPath(name)
    return not path.is_absolute() and ".." not in path.parts and str(path) == name and "\\" not in name and name != "."


def _write(contents: Mapping[str, bytes], site: Path) -> None:
    for name, content in contents.items():
        path = site / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
