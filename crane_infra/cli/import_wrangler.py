"""``crane import-wrangler``: shows what the files of wrangler become, and writes it when told to."""

from pathlib import Path
from typing import Annotated

import typer

from crane_infra.cli.clone import root
from crane_infra.wrangler.plan import Plan, plan_import


def import_wrangler(
    paths: Annotated[list[Path], typer.Argument(help="The wrangler.toml, .json or .jsonc of each worker.")],
    staging: Annotated[str | None, typer.Option(help="The environment that becomes staging; top-level, or none for a new one.")] = None,
    production: Annotated[str | None, typer.Option(help="The environment that becomes production; or top-level.")] = None,
    write: Annotated[bool, typer.Option("--write", help="Write the files.")] = False,  # noqa: FBT002
) -> None:
    """Turn wrangler's files into the catalog and the stack files.

    Shows the changes and writes nothing without --write. Without --staging and --production, env.production and env.staging are taken
    where a file has them, and the top level for the one that is missing; a file with neither is production.
    """
    plan = plan_import(paths, root(), staging, production)
    for line in _shown(plan, whole=not write):
        typer.echo(line)
    changed = [change for change in plan.changes if change.diff]
    if write:
        for change in changed:
            change.write()
        typer.echo("".join(f"wrote {change.name}\n" for change in changed), nl=False)
    elif changed:
        typer.echo("\nNothing is written. Run it again with --write to write these files.")


def _shown(plan: Plan, *, whole: bool) -> list[str]:
    diffs = [change.diff for change in plan.changes if change.diff]
    lines = [*plan.environments, *(diffs if whole else []), *([] if diffs else ["Nothing changes: the files say this already."])]
    if plan.notes:
        lines += ["", f"Not carried over, or not as it stands ({len(plan.notes)}):", *(f"  {note}" for note in plan.notes)]
    return [*lines, "", "Still to do:", *(f"  {number}. {step}." for number, step in enumerate(plan.steps, 1))]
