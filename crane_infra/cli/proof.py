"""``crane proof``: the releases that a stack has proven. Reads the stack's outputs and writes nothing."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from crane_infra.commands.signing import verified
from crane_infra.commands.stack import outputs_of
from crane_infra.release.choice import Choice, chosen
from crane_infra.release.envelope import envelope
from crane_infra.release.order import newest, numbers_of
from crane_infra.release.proof import Proof, proofs_in, unreadable_in
from crane_infra.release.proof import as_json as exported_form
from crane_infra.status.inert import inert

StackOption = Annotated[str, typer.Option("--stack", "-s", help="The environment: staging or production.")]
DigestOption = Annotated[str, typer.Option("--digest", help="The release: its digest, or how it begins. Empty: any.")]
CommitOption = Annotated[str, typer.Option("--commit", help="The release of this commit. Empty: any.")]
ChangesOption = Annotated[bool, typer.Option("--with-changes", help="Accept a release whose files differed from its commit.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
EnvelopeOption = Annotated[bool, typer.Option("--envelope", help="Print the signed proof as a DSSE envelope, for others to verify.")]
VerifyOption = Annotated[
    Path | None, typer.Option("--verify", help="Verify an envelope in this file with proof-keys of Pulumi.production.yaml. Asks nobody.")
]
OutputsOption = Annotated[bool, typer.Option("--outputs", help="Print lines for $GITHUB_OUTPUT: digest=… and commit=…")]
ListOption = Annotated[bool, typer.Option("--list", help="Print a line for each proof that the stack keeps, newest first.")]
WholeOption = Annotated[bool, typer.Option("--whole", help="Print the whole proof as JSON; with --list, all of them.")]


def proof(  # noqa: PLR0913, PLR0917 - the options of a command
    stack: StackOption = "staging",
    digest: DigestOption = "",
    commit: CommitOption = "",
    with_changes: ChangesOption = False,  # noqa: FBT002 - a flag of the command line
    as_json: JsonOption = False,  # noqa: FBT002
    as_outputs: OutputsOption = False,  # noqa: FBT002
    as_envelope: EnvelopeOption = False,  # noqa: FBT002
    verify: VerifyOption = None,
    as_list: ListOption = False,  # noqa: FBT002
    whole: WholeOption = False,  # noqa: FBT002
) -> None:
    """Print the release that a stack has proven.

    It is the one that was proven last, or the one that you name. Ends with exit code 1 if the stack has not proven it, or if a proof of a list
    cannot be read.
    """
    if verify:
        typer.echo(verified(verify, Path.cwd()))
        return
    exported = outputs_of(stack)
    outputs = exported.raw
    if as_list:
        _print_list(outputs, whole=whole, as_json=as_json)
        if unreadable := unreadable_in(outputs):
            proofs, them = ("proof", "it") if unreadable == 1 else ("proofs", "them")
            what = f"not listed: {unreadable} {proofs} of stack {stack} cannot be read. Use the version of crane-infra that wrote {them}."
            typer.echo(what, err=True)
            raise typer.Exit(1)
        return
    proven = chosen(outputs, Choice(stack, digest, commit, with_changes))
    texts = _summary(proven)
    if as_envelope or whole:
        # With its commit as it was signed; a release may have been proven twice.
        kept = next(proof for proof in exported.proofs if (proof.digest, proof.proven_at) == (proven.digest, proven.proven_at))
        typer.echo(envelope(kept) if as_envelope else json.dumps(exported_form(kept), indent=2))
    elif as_outputs:
        typer.echo(f"digest={texts['digest']}\ncommit={texts['commit']}")
    elif as_json:
        typer.echo(json.dumps({"stack": stack, **texts}, indent=2))
    else:
        last = newest(outputs) or proven.digest
        older = "" if last == proven.digest else f". It is an older release: {last[:12]} was first proven after it"
        typer.echo(f"{stack}: release {texts['digest']} of commit {texts['commit']}, proven at {texts['proven_at']}{older}")


def _print_list(outputs: Mapping[str, Any], *, whole: bool, as_json: bool) -> None:
    """The proofs that can be read. The number of a release says when it was first proven: the higher, the later."""
    numbers, proofs = numbers_of(outputs), proofs_in(outputs)
    if whole or as_json:
        entries = [exported_form(proof) if whole else {"number": numbers[proof.digest], **_summary(proof)} for proof in proofs]
        typer.echo(json.dumps(entries, indent=2))
        return
    for proof in proofs:
        texts = _summary(proof)
        typer.echo(f"{numbers[proof.digest]:>4}  {proof.proven_at:%Y-%m-%d %H:%M} UTC  {texts['digest']}  {inert(texts['commit'])}")


def _summary(proof: Proof) -> dict[str, str]:
    return {"digest": proof.digest, "commit": proof.commit or "no commit", "proven_at": proof.proven_at.isoformat()}
