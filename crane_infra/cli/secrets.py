"""``crane secrets``: what is known of the secrets of both environments, without a value."""

import json
import os
from dataclasses import asdict
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from crane_infra import catalog
from crane_infra.cli.clone import root
from crane_infra.commands.secrets import Audited, audit_of
from crane_infra.config.environments import ENVIRONMENTS
from crane_infra.counted import counted
from crane_infra.errors import SettingsError
from crane_infra.pulumi_cli import project_folder
from crane_infra.secrets.audit import Place

HAS_FINDINGS, IS_PARTIAL = 3, 1
app = typer.Typer(no_args_is_help=True, help="The secrets of both environments. No command here shows a value.")
StackOption = Annotated[str | None, typer.Option("--stack", "-s", help="Look at one environment: staging or production.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


@app.callback()
def _group() -> None:
    """A group, although it has one command."""


@app.command()
def audit(stack: StackOption = None, as_json: JsonOption = False) -> None:  # noqa: FBT002 - a flag of the command line
    """Compare declared secrets with their source and the workers. In both environments.

    Reads names and dates, and no value. Exit code 0: all is as declared. 3: something is not. 1: nothing is wrong, but a part could not be
    seen.
    """
    environments = [known for known in ENVIRONMENTS if stack in (None, known)]
    if not environments:
        raise SettingsError(f"stack {stack}", "is not an environment", "Use one of " + ", ".join(ENVIRONMENTS))
    audited = audit_of(environments, catalog.crane(), project_folder(os.environ, root()))
    typer.echo(_as_json(audited)) if as_json else _tell(audited)
    if code := HAS_FINDINGS if audited.audit.findings else IS_PARTIAL if audited.unseen else 0:
        raise typer.Exit(code)


def _tell(audited: Audited) -> None:
    console = Console(highlight=False, soft_wrap=True)
    rows = audited.audit.rows
    places = list(dict.fromkeys(place for row in rows for place in row.places))
    table = Table(box=None, pad_edge=False)
    for heading in ("worker", "secret", "rule", *(f"{place}: source, worker" for place in places), "both"):
        table.add_column(heading, no_wrap=True)
    for row in rows:
        cells = [row.worker, row.binding, row.rule, *(_place(row.places[place]) for place in places), row.values]
        table.add_row(*cells)
    Console(highlight=False, width=200).print(table)
    for mark, texts in (("differs", map(str, audited.audit.findings)), ("unseen ", audited.unseen), ("note   ", audited.audit.notes)):
        for text in texts:
            console.print(f"{mark} {text}", markup=False)
    console.print(f"{counted(len(rows), 'secret')}: {outcome(len(audited.audit.findings), seen=not audited.unseen)}", markup=False)


def outcome(findings: int, *, seen: bool) -> str:
    """How many findings there are; ``seen``: whether everything could be looked at."""
    if findings:
        return counted(findings, "finding")
    return "nothing to fix" if seen else "nothing to fix in what could be seen"


def _place(place: Place) -> str:
    age = f" (changed {counted(place.age_days, 'day')} ago)" if place.age_days is not None else ""
    return f"{_word(place.in_source)}{age}, {_word(place.on_worker)}"


def _word(is_there: bool | None) -> str:  # noqa: FBT001 - a value, not a flag
    return "?" if is_there is None else "yes" if is_there else "no"


def _as_json(audited: Audited) -> str:
    findings = [{"where": finding.where, "what": finding.what, "todo": finding.todo} for finding in audited.audit.findings]
    rows = [asdict(row) for row in audited.audit.rows]
    return json.dumps({"secrets": rows, "findings": findings, "notes": audited.audit.notes, "unseen": audited.unseen}, indent=2)
