"""``crane preview-report``: the comment on a pull request, made from files alone."""

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
PreviewOption = Annotated[Path | None, typer.Option("--preview", help="The output of: pulumi preview --json -s staging")]
RecordOption = Annotated[
    Path | None, typer.Option(help="The file that CRANE_PREVIEW_RECORD named in that preview. It may be missing; the comment then says so.")
]
ProductionPreviewOption = Annotated[
    Path | None, typer.Option(help="The same for production, before a promotion. Never in a pull request: it needs production's secrets.")
]
ProductionRecordOption = Annotated[Path | None, typer.Option(help="The record of the production preview.")]
StagingOutputsOption = Annotated[
    Path | None, typer.Option(help="The output of: pulumi stack output --json -s staging. Without it, the preview's copy is used.")
]
ProductionOutputsOption = Annotated[
    Path | None, typer.Option(help="The output of: pulumi stack output --json -s production. It needs no passphrase.")
]
FailedOption = Annotated[Path | None, typer.Option(help="What the preview printed to stderr. Only if it failed.")]
OutOption = Annotated[Path | None, typer.Option(help="The file to write the comment to. Without it, the comment is printed.")]
FolderOption = Annotated[
    Path | None, typer.Option(envvar="PULUMI_OPTION_CWD", help="The folder of the stack files. Without it, this clone.")
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
    """Write the comment on a pull request.

    It says what this working copy changes in the code, data and secrets of both environments. Reads files alone: no network, no engine, no
    passphrase.

    Exit code 0: the check passes. 3: it fails, and the comment says why. 1: there can be no report.
    """
    sources = Sources(
        previews={"staging": preview, "production": production_preview},
        records={"staging": record, "production": production_record},
        outputs={"staging": staging_outputs, "production": production_outputs},
        failed=failed,
    )
    if failed is None and preview is None and production_preview is None:
        todo = "Add --preview or --production-preview, or --failed if the preview failed"
        raise ReportError("preview-report", "there is no preview to report on", todo)
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
