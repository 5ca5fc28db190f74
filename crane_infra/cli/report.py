"""``crane preview-report``: the comment on a pull request, from files alone."""

import dataclasses
import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from crane_infra import catalog
from crane_infra.cli.clone import root
from crane_infra.errors import ReportError
from crane_infra.report.collect import Sources, collect, failure, redactor
from crane_infra.report.compare import make_report
from crane_infra.report.model import Report
from crane_infra.report.render import render

FAILS = 3
PreviewOption = Annotated[Path | None, typer.Option("--preview", help="What pulumi preview --json -s staging printed.")]
ProductionPreviewOption = Annotated[
    Path | None, typer.Option(help="The same of production, before a promotion. Never in a pull request: it takes production's secrets.")
]
RecordOption = Annotated[
    Path | None, typer.Option(help="What that preview wrote to the file that CRANE_PREVIEW_RECORD names; may be missing.")
]
ProductionRecordOption = Annotated[Path | None, typer.Option(help="The same of the production preview.")]
StagingOutputsOption = Annotated[
    Path | None, typer.Option(help="What pulumi stack output --json -s staging printed; without it, what its preview found.")
]
ProductionOutputsOption = Annotated[
    Path | None, typer.Option(help="What pulumi stack output --json -s production printed. It takes no passphrase.")
]
FailedOption = Annotated[Path | None, typer.Option(help="Only where the preview ended with an error: what it printed to stderr.")]
OutOption = Annotated[Path | None, typer.Option(help="Where to write the comment; printed without it.")]
FolderOption = Annotated[
    Path | None, typer.Option(envvar="PULUMI_OPTION_CWD", help="The folder of the stack files; this clone without it.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print the report as one JSON object instead.")]


def preview_report(  # noqa: PLR0913 - the options of a command
    *,
    preview: PreviewOption = None,
    record: RecordOption = None,
    production_preview: ProductionPreviewOption = None,
    production_record: ProductionRecordOption = None,
    staging_outputs: StagingOutputsOption = None,
    production_outputs: ProductionOutputsOption = None,
    failed: FailedOption = None,
    out: OutOption = None,
    stack_files: FolderOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write the comment of a pull request: what this working copy does to code, data and secrets of both environments.

    Reads files alone: no network, no engine, no passphrase. Ends 0, 3 if something fails the check (the comment says what), 1 if there can be
    no report.
    """
    sources = Sources(
        previews={"staging": preview, "production": production_preview},
        records={"staging": record, "production": production_record},
        outputs={"staging": staging_outputs, "production": production_outputs},
        failed=failed,
    )
    if failed is None and preview is None and production_preview is None:
        todo = "Give it --preview or --production-preview, and --failed where there is none"
        raise ReportError("preview-report", "was given no preview", todo)
    declared = catalog.crane()
    sides = collect(declared, sources, stack_files or root(), os.environ)
    report = make_report(declared, sides, failure(failed, declared, sides, os.environ), datetime.now(UTC))
    text = redactor(declared, os.environ)(_as_json(report) if as_json else render(report))
    if out is None:
        typer.echo(text, nl=False)
    else:
        out.write_text(text, encoding="utf-8")
    if report.objections:
        raise typer.Exit(FAILS)


def _as_json(report: Report) -> str:
    return json.dumps({**dataclasses.asdict(report), "objections": report.objections}, indent=2) + "\n"
