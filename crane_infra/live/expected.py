"""Decides whether what is live is what it should be: the deployment and tag of every worker, the ledger head of every database.

Reads the account and the ledgers and changes nothing.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from crane_infra.errors import LiveError
from crane_infra.live.account import Account
from crane_infra.live.manual import LastDeployed, manual_deployment
from crane_infra.migrations.ledger import Ledger, LedgerHead, read_ledger
from crane_infra.release.proof import Proof


@dataclass(frozen=True)
class ExpectedVersion:
    """The version that should serve all traffic of a script in a stack; ``tag`` is its worker digest."""

    stack: str
    worker: str
    script: str
    version: str
    tag: str


@dataclass(frozen=True)
class ExpectedHead:
    """Where the ledger of a database of a stack should stand."""

    stack: str
    database: str
    id: str
    head: LedgerHead


def expected_versions(proof: Proof) -> list[ExpectedVersion]:
    """What has to serve for a proof to be true."""
    return [ExpectedVersion(proof.environment, name, worker.script, worker.version, worker.tag) for name, worker in proof.workers.items()]


def expected_heads(proof: Proof) -> list[ExpectedHead]:
    """Where each ledger has to stand for a proof to be true."""
    return [
        ExpectedHead(
            proof.environment, database.name, database.id, LedgerHead(database.head.name, database.head.count, database.head.digest)
        )
        for database in proof.databases.values()
    ]


async def require_live(account: Account, versions: Iterable[ExpectedVersion], heads: Iterable[ExpectedHead]) -> None:
    """Check every worker and every ledger.

    Raises LiveError naming the first that is not as expected; ApiError where the API fails.
    """
    for version in versions:
        if fault := await version_fault(account, version):
            raise fault
    await require_heads(account, heads)


async def require_heads(account: Account, heads: Iterable[ExpectedHead]) -> None:
    """Check that each ledger stands where it should.

    Raises LiveError naming the first that does not; ApiError where D1 fails.
    """
    for head in heads:
        if fault := await head_fault(account, head):
            raise fault


async def require_still_proven(account: Account, proof: Proof) -> None:
    """Check that nobody changed an environment manually since its proof; a later run of its own stack does no harm.

    Raises LiveError naming the first change, ApiError where the API fails.
    """
    for version in expected_versions(proof):
        fault = await version_fault(account, version)
        if fault and await _is_manual(account, version):
            raise fault
    for name, expected in zip(proof.databases, expected_heads(proof), strict=True):
        listed = {migration["name"]: migration["sha256"] for migration in _in_manifest(proof, name).get("migrations", [])}
        ledger = await read_ledger(account.database(expected.id, expected.database))
        if ledger.head != expected.head and not _only_went_on(ledger, listed):
            raise _head_error(ledger.head, expected)


async def version_fault(account: Account, expected: ExpectedVersion) -> LiveError | None:
    """What is wrong with the deployment of one worker, if anything. Raises ApiError where the API fails."""
    where = f"worker {expected.script}"
    replace = f"pulumi up -s {expected.stack} --replace '**WorkerVersion::{expected.worker}'"
    todo = f"If this is a manual deployment, return to the release: {replace}"
    deployments = await account.deployments(expected.script)
    if not deployments and not await account.has_worker(expected.script):
        stack = expected.stack
        return LiveError(where, "does not exist", f"Run pulumi refresh -s {stack}, then pulumi up -s {stack}, which creates it again")
    if not deployments or deployments[0].shares != {expected.version: 100}:
        serving = deployments[0].summary if deployments else "nothing"
        return LiveError(where, f"serves {serving} instead of {expected.version} at 100%", todo)
    tag = await account.tag_of(expected.script, expected.version)
    if tag != expected.tag:
        return LiveError(where, f"version {expected.version} has the tag {tag}, not {expected.tag}", todo)
    return None


async def head_fault(account: Account, expected: ExpectedHead) -> LiveError | None:
    """What is wrong with the ledger of one database, if anything.

    Raises ApiError where D1 fails, MigrationError where the ledger cannot be read.
    """
    head = (await read_ledger(account.database(expected.id, expected.database))).head
    return None if head == expected.head else _head_error(head, expected)


async def _is_manual(account: Account, expected: ExpectedVersion) -> bool:
    deployments = await account.deployments(expected.script)
    if not deployments:
        return True
    (version, *others) = deployments[0].shares
    tag = None if others else await account.tag_of(expected.script, version)
    last = LastDeployed(expected.script, expected.version, expected.tag)
    return version == expected.version or manual_deployment(deployments, last, tag) is not None


def _in_manifest(proof: Proof, database: str) -> dict[str, Any]:
    return dict((proof.manifest.get("databases") or {}).get(database) or {})


def _only_went_on(ledger: Ledger, listed: Mapping[str, str]) -> bool:
    """Whether a ledger still has what was listed, and besides that only migrations of our own runs."""
    entries = {entry.name: entry for entry in ledger.entries}
    kept = all(name in entries and entries[name].settled and entries[name].sha256 == sha256 for name, sha256 in listed.items())
    return kept and all(entry.sha256 is not None for entry in ledger.entries)


def _head_error(head: LedgerHead, expected: ExpectedHead) -> LiveError:
    what = f"its ledger stands at {head.name} ({head.count} migrations), the files at {expected.head.name} ({expected.head.count})"
    if (head.name, head.count) == (expected.head.name, expected.head.count):
        what = f"its ledger has the same names as the files up to {head.name}, but it recorded different contents or one migration is unfinished"
    todo = f"Run pulumi up -s {expected.stack} again"
    if head.count < expected.head.count:
        what += ": this run left its schema step out, or the database was restored to an earlier state"
        todo = f"{todo} without --target; if it was restored, run crane migrations apply -s {expected.stack} first"
    return LiveError(f"database {expected.database}", what, todo)
