"""``crane verify``: compares what is live with what the stack deployed, for people and for programs."""

import asyncio
import json
from typing import Annotated, Any

import typer
from rich.console import Console

from crane_infra import catalog
from crane_infra.cli.clone import root
from crane_infra.commands.stack import outputs_of, settings_of
from crane_infra.commands.verify import Report
from crane_infra.commands.verify import verify as look
from crane_infra.pulumi_cli import tags_of
from crane_infra.release.freeze import read_freeze
from crane_infra.release.restored import read_restored

DIFFERS = 3
StackOption = Annotated[str, typer.Option("--stack", "-s", help="The environment: staging or production.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


def verify(stack: StackOption, as_json: JsonOption = False) -> None:  # noqa: FBT002 - a flag of the command line
    """Compare what is live with what the stack deployed.

    Exit code 0: everything is as deployed. 3: something differs. 1: it could not compare.
    """
    report = asyncio.run(look(settings_of(stack, root()), catalog.crane(), outputs_of(stack)))
    tags = tags_of(stack)
    report.notes += [told.summary for told in (read_freeze(tags), read_restored(tags)) if told]
    typer.echo(json.dumps(_as_json(report), indent=2)) if as_json else _tell(report)
    if report.findings:
        raise typer.Exit(DIFFERS)


def _tell(report: Report) -> None:
    console = Console(highlight=False, soft_wrap=True)
    for mark, texts in (
        ("[green]ok[/]     ", report.seen),
        ("[red]differs[/]", map(str, report.findings)),
        ("[yellow]note[/]   ", report.notes),
    ):
        for text in texts:
            console.print(mark, end=" ")
            console.print(text, markup=False)
    total = f"{len(report.findings)} differ" if report.findings else "all as the stack says"
    console.print(f"{report.stack}, release {report.release[:12]}: {total}", markup=False)


def _as_json(report: Report) -> dict[str, Any]:
    return {
        "stack": report.stack,
        "release": report.release,
        "commit": report.commit,
        "as_expected": not report.findings,
        "seen": report.seen,
        "findings": [{"where": one.where, "what": one.what, "todo": one.todo} for one in report.findings],
        "notes": report.notes,
    }
