"""Is what is live what it should be? Every worker's active deployment and its tag, every ledger's head.

Asks observe.py and the ledger, and changes nothing. Prevents a proof, or a promotion, of something that does not serve.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from cloudflare import AsyncCloudflare

from crane_infra.config.settings import Settings
from crane_infra.d1.client import D1
from crane_infra.errors import LiveError
from crane_infra.live.account import connect, deployments, tag_of, worker_exists
from crane_infra.live.manual import Deployed, made_by_hand
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
    """Where the ledger of a database should stand."""

    database: str
    id: str
    head: LedgerHead


async def require_live(client: AsyncCloudflare, account: str, versions: Iterable[ExpectedVersion], heads: Iterable[ExpectedHead]) -> None:
    """Look at every worker and ledger.

    Raises LiveError naming the first that is not as expected; ApiError where the API does not answer.
    """
    for expected in versions:
        if fault := await version_fault(client, account, expected):
            raise fault
    for head in heads:
        if fault := await head_fault(client, account, head):
            raise fault


async def require_still_proven(client: AsyncCloudflare, proof: Proof) -> None:
    """Make sure that nobody changed an environment by hand since its proof; what a later run of its own did there does no harm.

    Raises LiveError naming the first change, ApiError where the API does not answer.
    """
    for expected in expected_versions(proof):
        fault = await version_fault(client, proof.account, expected)
        if fault and await _is_by_hand(client, proof.account, expected):
            raise fault
    for name, expected_head in zip(proof.databases, expected_heads(proof), strict=True):
        listed = {one["name"]: one["sha256"] for one in _manifest(proof, name).get("migrations", [])}
        ledger = await read_ledger(D1(client, proof.account, expected_head.id, expected_head.database))
        if ledger.head != expected_head.head and not _only_went_on(ledger, listed):
            raise _head_error(ledger.head, expected_head)


def expected_versions(proof: Proof) -> list[ExpectedVersion]:
    """What has to serve for a proof to be true."""
    return [ExpectedVersion(proof.environment, name, one.script, one.version, one.tag) for name, one in proof.workers.items()]


def expected_heads(proof: Proof) -> list[ExpectedHead]:
    """Where each ledger has to stand for a proof to be true."""
    return [ExpectedHead(one.name, one.id, LedgerHead(one.head.name, one.head.count, one.head.digest)) for one in proof.databases.values()]


def _manifest(proof: Proof, database: str) -> dict[str, Any]:
    return dict((proof.manifest.get("databases") or {}).get(database) or {})


async def _is_by_hand(client: AsyncCloudflare, account: str, expected: ExpectedVersion) -> bool:
    found = await deployments(client, account, expected.script)
    if not found:
        return True
    (version, *others) = found[0].shares
    tag = None if others else await tag_of(client, account, expected.script, version)
    return version == expected.version or made_by_hand(found, Deployed(expected.script, expected.version, expected.tag), tag) is not None


def _only_went_on(ledger: Ledger, listed: Mapping[str, str]) -> bool:
    """Whether a ledger still has what was listed, and besides that only migrations of our own runs."""
    entries = {entry.name: entry for entry in ledger.entries}
    kept = all(name in entries and entries[name].settled and entries[name].sha256 == sha256 for name, sha256 in listed.items())
    return kept and all(entry.sha256 is not None for entry in ledger.entries)


async def version_fault(client: AsyncCloudflare, account: str, expected: ExpectedVersion) -> LiveError | None:
    """What is wrong with the deployment of one worker, if anything; raises ApiError where the API does not answer."""
    where = f"worker {expected.script}"
    todo = f"If somebody deployed by hand, put it back: pulumi up -s {expected.stack} --replace '**WorkerVersion::{expected.worker}'"
    found = await deployments(client, account, expected.script)
    if not found and not await worker_exists(client, account, expected.script):
        return LiveError(
            where, "does not exist", f"Run pulumi refresh -s {expected.stack}, then pulumi up -s {expected.stack}, which makes it anew"
        )
    if not found or found[0].shares != {expected.version: 100}:
        seen = found[0].told if found else "nothing"
        return LiveError(where, f"serves {seen} instead of {expected.version} at 100%", todo)
    tag = await tag_of(client, account, expected.script, expected.version)
    if tag != expected.tag:
        return LiveError(where, f"version {expected.version} carries the tag {tag}, not {expected.tag}", todo)
    return None


async def head_fault(client: AsyncCloudflare, account: str, expected: ExpectedHead) -> LiveError | None:
    """What is wrong with the ledger of one database, if anything.

    Raises ApiError where D1 does not answer, MigrationError where the ledger cannot be read.
    """
    head = (await read_ledger(D1(client, account, expected.id, expected.database))).head
    return None if head == expected.head else _head_error(head, expected)


def _head_error(head: LedgerHead, expected: ExpectedHead) -> LiveError:
    stands = f"its ledger stands at {head.name} ({head.count} migrations), the files at {expected.head.name} ({expected.head.count})"
    if (head.name, head.count) == (expected.head.name, expected.head.count):
        stands = f"its ledger has the same names as the files up to {head.name}, but recorded other contents or left one half done"
    return LiveError(
        f"database {expected.database}",
        stands,
        "Run pulumi up of its stack again; where it says unchanged, compare the table d1_migrations with the files",
    )


async def require_schemas(settings: Settings, heads: Iterable[ExpectedHead]) -> None:
    """Make sure that databases stand where the files do, before a version that needs them gets traffic.

    Raises LiveError naming the first that does not; ApiError where D1 does not answer.
    """
    async with connect(settings) as client:
        await require_live(client, settings.account_id, (), heads)


async def look_at_proven(settings: Settings, proof: Proof) -> None:
    """Make sure that nobody changed the environment of a proof by hand since.

    Raises LiveError or ApiError.
    """
    async with connect(settings) as client:
        await require_still_proven(client, proof)
