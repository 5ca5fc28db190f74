"""Where a database stands: what its ledger has, what is pending, what is refused. Reads, never writes."""

from collections.abc import Sequence
from dataclasses import dataclass

from crane_infra.d1.database import Database
from crane_infra.errors import MigrationError
from crane_infra.migrations.files import MigrationFile
from crane_infra.migrations.ledger import Ledger, read_ledger
from crane_infra.migrations.plan import Plan, make_plan


@dataclass(frozen=True)
class Status:
    """One database: its ledger, and the plan for the files, or why there is none."""

    database: str
    ledger: Ledger
    plan: Plan
    refusal: MigrationError | None = None

    @property
    def is_settled(self) -> bool:
        """Whether there is nothing to do and nothing refused."""
        return self.refusal is None and not self.plan.pending and not self.plan.adopt


async def status_of(db: Database, files: Sequence[MigrationFile], base: MigrationFile | None) -> Status:
    """Look at one database; raises ApiError where it does not answer, MigrationError where its ledger cannot be read."""
    ledger = await read_ledger(db)
    try:
        return Status(db.name, ledger, make_plan(files, ledger, db.name, base=base))
    except MigrationError as refusal:
        return Status(db.name, ledger, Plan(), refusal)
