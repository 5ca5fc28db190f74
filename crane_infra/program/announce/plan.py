"""What a run is about to do, logged or refused before the first resource: adoptions, pending migrations, manual deployments."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import pulumi

from crane_infra.data.seeds.of_catalog import try_all_seeds
from crane_infra.migrations.ledger import Ledger
from crane_infra.program.announce.adoptions import Adoptions, announce_adoptions
from crane_infra.program.announce.assets import announce_assets
from crane_infra.program.announce.build_info import announce_build_info
from crane_infra.program.announce.class_migrations import ClassesPlan, announce_classes, look_at_classes
from crane_infra.program.announce.expected_migrations import expected_migrations
from crane_infra.program.announce.gate import gate_lines
from crane_infra.program.announce.lines import Line, log
from crane_infra.program.announce.manual import announce_deployments, look_at_deployments
from crane_infra.program.announce.migration_lines import cost_lines, migration_lines
from crane_infra.program.announce.migrations import Judgements, announce_migrations, look_at_ledgers
from crane_infra.program.announce.record import make_record, record_path
from crane_infra.program.announce.retired import announce_retired
from crane_infra.program.announce.seeds import SeedsPlan, announce_seeds, look_at_seeds
from crane_infra.program.announce.settings import SettingsPlan, announce_settings, look_at_settings
from crane_infra.program.background import begin
from crane_infra.program.preparation import Prepared
from crane_infra.redact import Redactor
from crane_infra.release.gate import Verdict
from crane_infra.release.preview_record import write_record
from crane_infra.release.rollback import ExpectedMigrations


@dataclass(frozen=True)
class Plan:
    """What only the account can tell.

    ``migrations`` are those that each database has once the run is done. ``reuploads`` names the workers whose version is uploaded again
    although it did not change, each with the mark of the manual deployment that it replaces.
    """

    migrations: ExpectedMigrations
    reuploads: Mapping[str, str]
    settings: SettingsPlan
    active: Mapping[str, str] = field(default_factory=dict)
    """By worker the id of the deployment that was active when the run began, as far as it looked."""
    ledgers: Mapping[str, Ledger] = field(default_factory=dict)
    """The ledger of each database, as far as the run looked."""
    classes: ClassesPlan = field(default_factory=ClassesPlan)
    seeds: SeedsPlan = field(default_factory=SeedsPlan)


def announce(prepared: Prepared, verdict: Verdict | None) -> Plan:
    """Look at the account, log what the run is about to do, and refuse what cannot go well.

    Ledgers, deployments and settings are read side by side. A preview also writes its record, where a variable names a file for it; one that is
    refused leaves none. Raises a CraneError in an update; a preview logs the refusal and goes on where it can.
    """
    record = record_path()
    if record is not None:
        record.unlink(missing_ok=True)
    ledgers = begin(look_at_ledgers(prepared, counts_costs=pulumi.runtime.is_dry_run()))
    deployments = begin(look_at_deployments(prepared))
    live, classes = begin(look_at_settings(prepared)), begin(look_at_classes(prepared))
    due_seeds = begin(look_at_seeds(prepared))
    log(Line(mark) for mark in prepared.marks)
    announce_retired(prepared)
    announce_build_info(prepared)
    announce_assets(prepared)
    adoptions = announce_adoptions(prepared)
    statuses = announce_migrations(prepared, ledgers)
    try_all_seeds(prepared.seeds, prepared.release)
    seeds = announce_seeds(prepared, due_seeds, statuses)
    migrations, others = expected_migrations(prepared, verdict), announce_deployments(prepared, deployments)
    known = {name: status.ledger for name, status in (statuses or {}).items()}
    changed, sent = announce_settings(prepared, live), announce_classes(prepared, classes, others.reuploads)
    plan = Plan(migrations, others.reuploads, changed, others.active, known, sent, seeds)
    if record is not None:
        logged = _recorded_lines(verdict, adoptions, statuses, prepared.redact)
        write_record(make_record(prepared, adoptions, statuses, logged), record, prepared.redact)
    return plan


def _recorded_lines(verdict: Verdict | None, adoptions: Adoptions, statuses: Judgements | None, redact: Redactor) -> Iterator[Line]:
    """The lines of this run's log that its record stands for."""
    if verdict is not None:
        yield from gate_lines(verdict)
    yield from adoptions.lines
    for status in (statuses or {}).values():
        yield from migration_lines(status)
        yield from cost_lines(status, redact) if status.counted else ()
