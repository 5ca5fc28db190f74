"""``crane release``: which release the built workers make up, and carrying it from staging to production.

Reads files alone, and writes no more than an archive or a folder.
"""

import contextlib
import re
import shutil
from pathlib import Path
from typing import Annotated

import typer

from crane_infra import catalog
from crane_infra.cli.clone import root
from crane_infra.errors import BundleError
from crane_infra.release import archive
from crane_infra.release.manifest import read_release
from crane_infra.release.staged import stage_release

app = typer.Typer(no_args_is_help=True, help="Identify a release, and carry it to production. The built workers make up the release.")
WorkersOption = Annotated[Path, typer.Option("--workers-dir", help="The folder of the built workers; a relative path starts at the clone.")]
DigestArgument = Annotated[str, typer.Argument(help="The digest, 64 hex digits.")]
ArchiveArgument = Annotated[Path, typer.Argument(help="The archive.")]
RequireOption = Annotated[str, typer.Option("--require", help="The digest that the archive must have.")]


@app.command()
def digest(workers_dir: WorkersOption) -> None:
    """Print the digest of the release.

    The catalog and the built workers make it up.
    """
    typer.echo(read_release(catalog.crane(), root() / workers_dir).digest)


@app.command()
def require(digest: DigestArgument, workers_dir: WorkersOption) -> None:
    """Fail if the built workers are a different release."""
    archive.require(catalog.crane(), root() / workers_dir, _whole(digest), str(workers_dir))


@app.command()
def pack(target: ArchiveArgument, workers_dir: WorkersOption) -> None:
    """Write the release to one file, and print its digest.

    The file has the same bytes on every machine.
    """
    folder = root() / workers_dir
    release = read_release(catalog.crane(), folder)
    archive.pack(release, catalog.crane(), folder, target)
    typer.echo(release.digest)


@app.command()
def unpack(source: ArchiveArgument, workers_dir: WorkersOption, require: RequireOption) -> None:
    """Unpack a release into an empty folder.

    Unpacks all of it or nothing, and fails if it is not the required release. A refresh then finds the files that the
    provider reads.
    """
    folder = root() / workers_dir
    release = archive.unpack(source, folder, catalog.crane(), _whole(require))
    try:
        with contextlib.chdir(root()):
            stage_release(release, catalog.crane(), folder)
    except BundleError:
        shutil.rmtree(folder)
        raise


def _whole(digest: str) -> str:
    if not re.fullmatch(r"[0-9a-f]{64}", digest):
        raise BundleError(repr(digest), "is not the digest of a release", "Give all 64 hex digits, as crane proof prints them")
    return digest
