"""``crane github``: what the workflows do at GitHub. Repository and token come from the variables that a workflow has.

Nothing here runs what it reads: texts and archives are data.
"""

import os
from pathlib import Path
from typing import Annotated

import typer

from crane_infra.errors import GithubError
from crane_infra.github import branch, sticky, stored, texts
from crane_infra.github.client import Github

app = typer.Typer(no_args_is_help=True, help="Write comments and issues, and store releases on GitHub. For the workflows.")
PullOption = Annotated[int, typer.Option("--pull", help="The number of the pull request.")]
AuthorOption = Annotated[
    str, typer.Option("--author", help="The owner of the token. Only comments and issues by this author are replaced.")
]
TextArgument = Annotated[Path, typer.Argument(help="The file with the text, in Markdown.")]
PrintedArgument = Annotated[list[Path], typer.Argument(help="Files with the output of commands. A folder stands for the .txt files in it.")]
TitleOption = Annotated[str, typer.Option("--title", help="The title of the issue. The same title finds it again.")]
SettledOption = Annotated[bool, typer.Option("--settled", help="All is well: close the issue, if one is open.")]
DigestArgument = Annotated[str, typer.Argument(help="The digest, 64 hex digits.")]
CommitOption = Annotated[str, typer.Option("--commit", help="The commit of the run that stored it.")]
FileArgument = Annotated[Path, typer.Argument(help="The archive.")]
OutputArgument = Annotated[Path, typer.Argument(help="The file with the output of the command.")]
ArtifactOption = Annotated[str, typer.Option("--artifact", help="The artifact of this run that holds the whole output.")]
WholeOption = Annotated[
    Path | None, typer.Option("--whole", help="The file to write the whole output to, without the contents of bundles, for the artifact.")
]
HeadArgument = Annotated[str, typer.Argument(help="The commit.")]
BranchOption = Annotated[str, typer.Option("--branch", help="The branch.")]
TagOption = Annotated[str, typer.Option("--tag", help="The tag.")]


@app.command()
def comment(text: TextArgument, pull: PullOption, author: AuthorOption = sticky.BOT) -> None:
    """Write crane's comment on a pull request.

    There is one: it replaces the text of the last one.
    """
    typer.echo(sticky.put_comment(_github(), pull, "crane preview-report", _text(text), author))


@app.command()
def issue(
    printed: PrintedArgument,
    title: TitleOption,
    settled: SettledOption = False,  # noqa: FBT002 - a flag of the command line
    author: AuthorOption = sticky.BOT,
) -> None:
    """Open an issue with the output of commands.

    If an issue with this title is open, its text is replaced.
    """
    mark = f"crane issue: {title}"
    if settled:
        typer.echo(sticky.close_issue(_github(), mark, author) or "All is well, and no issue is open.")
        return
    files = [file for path in printed for file in (sorted(path.rglob("*.txt")) if path.is_dir() else [path])]
    outputs = {f"{file.parent.name}: {file.stem}": text for file in files if (text := _text(file)).strip()}
    if not outputs:
        where, todo = ", ".join(map(str, printed)), "Look at the log of the job that should have run the commands"
        raise GithubError(where, "holds no output of any command", todo)
    typer.echo(sticky.put_issue(_github(), mark, title, texts.quoted(outputs), author))


@app.command()
def summary(printed: OutputArgument, artifact: ArtifactOption, whole: WholeOption = None) -> None:
    """Print the output of a command as a step summary.

    The contents of bundles are left out, and a long output is cut: GitHub drops a summary of more than 1 MiB.
    """
    text = _text(printed)
    typer.echo(texts.summary(text, artifact), nl=False)
    if whole is not None:
        whole.write_text(f"{texts.plain(text)}\n", encoding="utf-8")


@app.command("require-head")
def require_head(commit: HeadArgument, branch_name: BranchOption = "main") -> None:
    """Fail if a commit is not the newest one of a branch.

    Asks GitHub, so an old run that is started again fails too.
    """
    branch.require_head(_github(), commit, branch_name)


@app.command()
def fetch(digest: DigestArgument, target: FileArgument, commit: CommitOption) -> None:
    """Download the release that the staging workflow stored."""
    target.write_bytes(stored.fetch(_github(), digest, commit))


@app.command()
def keep(digest: DigestArgument, source: FileArgument, tag: TagOption) -> None:
    """Attach a release to the GitHub release of a tag.

    Artifacts expire; what is attached to a tag stays.
    """
    typer.echo(stored.keep(_github(), tag, digest, source))


def _github() -> Github:
    variables = {name: os.environ.get(name, "") for name in ("GITHUB_REPOSITORY", "GITHUB_TOKEN")}
    if missing := [name for name, value in variables.items() if not value]:
        raise GithubError(missing[0], "is not set", "A workflow sets it. On a laptop, set it to owner/name, or to a token")
    return Github(os.environ.get("GITHUB_API_URL") or "https://api.github.com", variables["GITHUB_REPOSITORY"], variables["GITHUB_TOKEN"])


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise GithubError(str(path), f"cannot be read ({error.strerror})", "Name the file that the step before wrote") from None
