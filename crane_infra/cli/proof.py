"""``crane proof``: the release that a stack has proven. Reads the stack's outputs and writes nothing."""

import json
from typing import Annotated

import typer

from crane_infra.commands.stack import outputs_of
from crane_infra.release.choice import Choice, chosen
from crane_infra.release.order import newest

StackOption = Annotated[str, typer.Option("--stack", "-s", help="The environment: staging or production.")]
DigestOption = Annotated[str, typer.Option("--digest", help="The release: its digest, or how it begins. Empty: any.")]
CommitOption = Annotated[str, typer.Option("--commit", help="The release of this commit. Empty: any.")]
ChangesOption = Annotated[bool, typer.Option("--with-changes", help="Accept a release whose files differed from its commit.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
OutputsOption = Annotated[bool, typer.Option("--outputs", help="Print lines for $GITHUB_OUTPUT: digest=… and commit=…")]


def proof(
    stack: StackOption = "staging",
    digest: DigestOption = "",
    commit: CommitOption = "",
    with_changes: ChangesOption = False,  # noqa: FBT002 - a flag of the command line
    as_json: JsonOption = False,  # noqa: FBT002
    as_outputs: OutputsOption = False,  # noqa: FBT002
) -> None:
    """Print the release that a stack has proven.

    It is the one that was proven last, or the one that you name. Ends with exit code 1 if the stack has not proven it.
    """
    outputs = outputs_of(stack).raw
    proven = chosen(outputs, Choice(stack, digest, commit, with_changes))
    texts = {"digest": proven.digest, "commit": proven.commit, "proven_at": proven.proven_at.isoformat()}
    if as_outputs:
        typer.echo(f"digest={texts['digest']}\ncommit={texts['commit']}")
    elif as_json:
        typer.echo(json.dumps({"stack": stack, **texts}, indent=2))
    else:
        last = newest(outputs) or proven.digest
        older = "" if last == proven.digest else f". It is an older release: {last[:12]} was first proven after it"
        typer.echo(f"{stack}: release {texts['digest']} of commit {texts['commit']}, proven at {texts['proven_at']}{older}")
