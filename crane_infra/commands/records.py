"""Turns what Pulumi, the proofs, the ledgers and Cloudflare say of a stack into the records that its history is put together from."""

from collections.abc import Iterator, Mapping, Sequence

from crane_infra.live.account import Deployment
from crane_infra.live.mark import read_mark
from crane_infra.migrations.ledger import Ledger
from crane_infra.release.outputs import StackOutputs, migrations_in
from crane_infra.status.events import AppliedMigration, LiveDeployment, ProvenRelease, Records, moment_of
from crane_infra.status.updates import Updates


def records_of(
    stack: str,
    project: str,
    updates: Updates,
    outputs: StackOutputs,
    ledgers: Mapping[str, Ledger],
    deployments: Mapping[str, Sequence[Deployment]],
) -> Records:
    """The records of a stack; ``ledgers`` are by the name of the database in the account, ``deployments`` by script."""
    return Records(
        stack,
        project,
        updates.read,
        tuple(_proofs(outputs)),
        tuple(row for database, ledger in ledgers.items() for row in _applied(database, ledger)),
        {database: frozenset(entry.name for entry in ledger.entries) for database, ledger in ledgers.items()},
        tuple(row for script, listed in deployments.items() for row in _deployments(script, listed)),
        is_whole=updates.is_whole,
    )


def _proofs(outputs: StackOutputs) -> Iterator[ProvenRelease]:
    for proof in outputs.proofs:
        versions = {worker.script: worker.version for worker in proof.workers.values()}
        listed = proof.manifest.get("databases", {})
        migrations = {
            database.name: frozenset(migrations_in(listed.get(name, {}).get("migrations"))) for name, database in proof.databases.items()
        }
        yield ProvenRelease(proof.proven_at, proof.digest, proof.commit or "", versions, migrations)


def _applied(database: str, ledger: Ledger) -> Iterator[AppliedMigration]:
    for entry in (*([ledger.base] if ledger.base else []), *ledger.entries):
        at = moment_of(entry.started_at)
        if at is not None and entry.done_at is not None and entry.origin in ("applied", "base"):
            yield AppliedMigration(at, database, entry.name, entry.release or "")


def _deployments(script: str, listed: Sequence[Deployment]) -> Iterator[LiveDeployment]:
    for deployment in listed:
        if at := moment_of(deployment.made_on):
            version = max(deployment.shares, key=lambda version: deployment.shares[version])
            made = read_mark(deployment.message)
            goes_back_to = made.release if made and made.purpose == "rollback" else ""
            yield LiveDeployment(at, script, version, deployment.summary, deployment.by, goes_back_to)
