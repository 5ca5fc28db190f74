"""``crane release`` and ``crane proof``: which release the files are, carrying it from staging to production, and what is proven.

They look at files and at a stack's outputs, and write no more than an archive or a folder.
"""

import json
import re
from pathlib import Path
from typing import Annotated

import typer

from crane_infra import catalog
from crane_infra.cli.clone import root
from crane_infra.commands.stack import outputs_of
from crane_infra.errors import BundleError
from crane_infra.release import archive
from crane_infra.release.choice import Choice, chosen
from crane_infra.release.manifest import read_release

app = typer.Typer(no_args_is_help=True, help="The release that built workers are: its digest, and its way from staging to production.")
WorkersOption = Annotated[Path, typer.Option("--workers-dir", help="Folder of the built workers; a relative path starts at the clone.")]
DigestArgument = Annotated[str, typer.Argument(help="The digest, 64 hex digits.")]
ArchiveArgument = Annotated[Path, typer.Argument(help="The archive.")]
RequireOption = Annotated[str, typer.Option("--require", help="The digest that the archive must have.")]
StackOption = Annotated[str, typer.Option("--stack", "-s", help="The environment: staging or production.")]
WantedOption = Annotated[str, typer.Option("--digest", help="The release: its digest or the beginning of it. Empty: any.")]
CommitOption = Annotated[str, typer.Option("--commit", help="The release of this commit. Empty: any.")]
ChangesOption = Annotated[bool, typer.Option("--with-changes", help="Also a release whose files differed from its commit.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
OutputsOption = Annotated[bool, typer.Option("--outputs", help="Print lines for $GITHUB_OUTPUT: digest=… and commit=…")]


@app.command()
def digest(workers_dir: WorkersOption) -> None:
    """Print the digest of the release that the catalog and the built workers make."""
    typer.echo(read_release(catalog.crane(), root() / workers_dir).digest)


@app.command()
def require(digest: DigestArgument, workers_dir: WorkersOption) -> None:
    """Refuse, in one line, built workers that are another release."""
    archive.require(catalog.crane(), root() / workers_dir, _whole(digest), str(workers_dir))


@app.command()
def pack(target: ArchiveArgument, workers_dir: WorkersOption) -> None:
    """Write the release to one file, the same bytes on any machine, and print its digest."""
    folder = root() / workers_dir
    release = read_release(catalog.crane(), folder)
    archive.pack(release, catalog.crane(), folder, target)
    typer.echo(release.digest)


@app.command()
def unpack(source: ArchiveArgument, workers_dir: WorkersOption, require: RequireOption) -> None:
    """Bring a packed release into an empty folder, all of it or nothing; refuse one that is not the release that is asked for."""
    archive.unpack(source, root() / workers_dir, catalog.crane(), _whole(require))


def proof(
    stack: StackOption = "staging",
    digest: WantedOption = "",
    commit: CommitOption = "",
    with_changes: ChangesOption = False,  # noqa: FBT002 - a flag of the command line
    as_json: JsonOption = False,  # noqa: FBT002
    as_outputs: OutputsOption = False,  # noqa: FBT002
) -> None:
    """Say which release a stack has proven: the newest, or the one that is asked for. Refuses what is not proven."""
    found = chosen(outputs_of(stack).raw, Choice(stack, digest, commit, with_changes))
    told = {"digest": found.digest, "commit": found.commit, "proven_at": found.proven_at.isoformat()}
    if as_outputs:
        typer.echo(f"digest={told['digest']}\ncommit={told['commit']}")
    elif as_json:
        typer.echo(json.dumps({"stack": stack, **told}, indent=2))
    else:
        typer.echo(f"{stack}: release {told['digest']} of commit {told['commit']}, proven at {told['proven_at']}")


def _whole(digest: str) -> str:
    if not re.fullmatch(r"[0-9a-f]{64}", digest):
        raise BundleError(repr(digest), "is no digest of a release", "Give all 64 hex digits, as crane proof prints them")
    return digest
