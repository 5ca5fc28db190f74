"""``crane github``: what the workflows ask of GitHub. Repository and token come from the variables that a workflow has.

Nothing here runs what it reads: texts and archives are data.
"""

import os
from pathlib import Path
from typing import Annotated

import typer

from crane_infra.errors import GithubError
from crane_infra.github import sticky, stored
from crane_infra.github.client import Github

app = typer.Typer(no_args_is_help=True, help="For the workflows: one comment, one issue, stored releases.")
PullOption = Annotated[int, typer.Option("--pull", help="The number of the pull request.")]
AuthorOption = Annotated[str, typer.Option("--author", help="Whose comment or issue is written again: the token's owner.")]
TextArgument = Annotated[Path, typer.Argument(help="A file with the text, in Markdown.")]
PrintedArgument = Annotated[list[Path], typer.Argument(help="Files with what commands printed; folders stand for the files in them.")]
TitleOption = Annotated[str, typer.Option("--title", help="The issue's title, which is how it is found again.")]
SettledOption = Annotated[bool, typer.Option("--settled", help="All is well: close the issue, if one is open.")]
DigestArgument = Annotated[str, typer.Argument(help="The digest, 64 hex digits.")]
CommitOption = Annotated[str, typer.Option("--commit", help="The commit whose run stored it.")]
FileArgument = Annotated[Path, typer.Argument(help="The archive.")]
TagOption = Annotated[str, typer.Option("--tag", help="The tag.")]


@app.command()
def comment(text: TextArgument, pull: PullOption, author: AuthorOption = sticky.BOT) -> None:
    """Write the one comment of crane on a pull request, in place of the one before."""
    typer.echo(sticky.put_comment(_github(), pull, "crane preview-report", _text(text), author))


@app.command()
def issue(
    printed: PrintedArgument,
    title: TitleOption,
    settled: SettledOption = False,  # noqa: FBT002 - a flag of the command line
    author: AuthorOption = sticky.BOT,
) -> None:
    """Open one issue with what commands printed, or write the one that is open again."""
    mark = f"crane issue: {title}"
    if settled:
        typer.echo(sticky.close_issue(_github(), mark, author) or "All is well, and no issue is open.")
        return
    files = [file for path in printed for file in (sorted(path.rglob("*.txt")) if path.is_dir() else [path])]
    texts = {f"{file.parent.name}: {file.stem}": text for file in files if (text := _text(file)).strip()}
    if not texts:
        raise GithubError(", ".join(map(str, printed)), "no command printed anything there", "Look at the log of the job that was to do it")
    typer.echo(sticky.put_issue(_github(), mark, title, sticky.quoted(texts), author))


@app.command()
def fetch(digest: DigestArgument, target: FileArgument, commit: CommitOption) -> None:
    """Download the archive of a release that the staging workflow stored."""
    target.write_bytes(stored.fetch(_github(), digest, commit))


@app.command()
def keep(digest: DigestArgument, source: FileArgument, tag: TagOption) -> None:
    """Store the archive of a release with the release of a tag, for good."""
    typer.echo(stored.keep(_github(), tag, digest, source))


def _github() -> Github:
    found = {name: os.environ.get(name, "") for name in ("GITHUB_REPOSITORY", "GITHUB_TOKEN")}
    if missing := [name for name, value in found.items() if not value]:
        raise GithubError(missing[0], "is not set", "A workflow has it; on a laptop set it to owner/name, or to a token")
    return Github(os.environ.get("GITHUB_API_URL") or "https://api.github.com", found["GITHUB_REPOSITORY"], found["GITHUB_TOKEN"])


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise GithubError(str(path), f"cannot be read ({error.strerror})", "Give the file that the step before wrote") from None
