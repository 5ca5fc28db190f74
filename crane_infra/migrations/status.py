"""Where a database stands: what its ledger has, what is pending, what a run would refuse. Reads, never writes."""

from dataclasses import dataclass, replace

from crane_infra.d1.database import Database
from crane_infra.errors import MigrationError
from crane_infra.migrations.drift import look_for_drift
from crane_infra.migrations.files.read import SchemaFiles, from_empty
from crane_infra.migrations.ledger import Ledger, read_ledger
from crane_infra.migrations.lint.judge import Examined, accepting, examine, first_error
from crane_infra.migrations.plan import Plan, make_plan


@dataclass(frozen=True)
class Status:
    """One database: its ledger, the plan for the files and what each pending one does, and why a run would refuse, if it would."""

    database: str
    ledger: Ledger
    plan: Plan
    examined: tuple[Examined, ...] = ()
    refusal: MigrationError | None = None

    @property
    def is_settled(self) -> bool:
        """Whether there is nothing to do and nothing refused."""
        return self.refusal is None and not self.plan.pending and not self.plan.adopt


async def status_of(db: Database, wanted: SchemaFiles) -> Status:
    """Look at one database; raises ApiError where it does not answer, MigrationError where its ledger cannot be read."""
    ledger = await read_ledger(db)
    status = judged(db.name, ledger, wanted)
    if status.refusal or not status.plan.pending:
        return status
    return replace(status, refusal=await _drifted(db, ledger, wanted))


def judged(name: str, ledger: Ledger, wanted: SchemaFiles) -> Status:
    """Say what a run would do with ``wanted`` on the database called ``name``, as far as files and ledger tell (pure)."""
    try:
        plan = make_plan(wanted.files, ledger, name, base=wanted.base, out_of_order=wanted.out_of_order)
    except MigrationError as refusal:
        return Status(name, ledger, Plan(), refusal=refusal)
    examined = accepting(examine(from_empty(wanted.files, wanted.base), plan.pending), wanted.accepted)
    return Status(name, ledger, plan, examined, first_error(examined))


async def _drifted(db: Database, ledger: Ledger, wanted: SchemaFiles) -> MigrationError | None:
    try:
        drift = await look_for_drift(db, ledger, wanted.files, wanted.base)
    except MigrationError:
        return None  # an applied file that this machine's SQLite refuses: the run says so, and goes on
    return drift.error() if drift.objects else None
