"""What a run is about to do, said or refused before the first resource: adoptions, pending migrations, manual deployments."""

from collections.abc import Mapping
from dataclasses import dataclass

from crane_infra.program.announce.adoptions import announce_adoptions
from crane_infra.program.announce.expected_migrations import expected_migrations
from crane_infra.program.announce.manual import announce_deployments, look_at_deployments
from crane_infra.program.announce.migrations import announce_migrations, look_at_ledgers
from crane_infra.program.background import begin
from crane_infra.program.preparation import Prepared
from crane_infra.release.gate import Verdict
from crane_infra.release.rollback import ExpectedMigrations


@dataclass(frozen=True)
class Plan:
    """What only a look at the account tells.

    ``migrations`` are those that each database has once the run is done. ``reuploads`` names the workers whose version is uploaded again
    although it did not change, each with the mark of the manual deployment that it replaces.
    """

    migrations: ExpectedMigrations
    reuploads: Mapping[str, str]


def announce(prepared: Prepared, verdict: Verdict | None) -> Plan:
    """Look at the account, log what the run is about to do, and refuse what cannot go well.

    Ledgers and deployments are read side by side. Raises a CraneError in an update; a preview logs the refusal and goes on where it can.
    """
    ledgers, deployments = begin(look_at_ledgers(prepared)), begin(look_at_deployments(prepared))
    announce_adoptions(prepared)
    announce_migrations(prepared, ledgers)
    return Plan(expected_migrations(prepared, verdict), announce_deployments(prepared, deployments))
