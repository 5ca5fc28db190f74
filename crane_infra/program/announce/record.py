"""The record of a preview: made from what was announced, for the file that a variable names. An update writes none."""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

import pulumi

from crane_infra.migrations.judgement import Judgement
from crane_infra.program.announce.adoptions import Adoptions
from crane_infra.program.announce.lines import Line
from crane_infra.program.preparation import Prepared
from crane_infra.release.preview_record import VARIABLE, PreviewRecord, RecordedCosts, RecordedDatabase


def record_path() -> Path | None:
    """The file for the record of this run; None for an update, and where nobody asked for a record."""
    named = os.environ.get(VARIABLE)
    return Path(named) if named and pulumi.runtime.is_dry_run() else None


def make_record(
    prepared: Prepared, adoptions: Adoptions, statuses: Mapping[str, Judgement] | None, logged: Iterable[Line]
) -> PreviewRecord:
    """The record. ``statuses`` are by catalog name, None where the ledgers could not be read; ``logged`` is what it stands for in the log."""
    return PreviewRecord(
        environment=prepared.settings.environment,
        release=prepared.release.digest,
        databases=None if statuses is None else {name: _database(status) for name, status in statuses.items()},
        adoptions=adoptions.records,
        refusals=adoptions.refusals,
        logged=tuple(line.text for line in logged),
    )


def _database(status: Judgement) -> RecordedDatabase:
    return RecordedDatabase(
        pending=tuple(file.name for file in status.plan.pending),
        imports=tuple(file.name for file in status.plan.adopt),
        in_use=status.in_use,
        costs=tuple(RecordedCosts(file=each.file, table=each.table, size=each.size, effects=each.effects) for each in status.counted),
    )
