"""Decides whether what is live is what it should be: the deployment and tag of every worker, the ledger head of every database.

Reads the account and the ledgers, side by side, and changes nothing. A twin of the expected version (``twins.py``) is as good as that version.
"""

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from crane_infra.at_once import all_at_once, both
from crane_infra.counted import counted
from crane_infra.errors import LiveError
from crane_infra.live.account import Account, Deployment
from crane_infra.live.manual import LastDeployed, manual_deployment
from crane_infra.live.twins import Comparison, compare, twin_summary
from crane_infra.migrations.ledger import Ledger, LedgerHead, read_ledger
from crane_infra.release.proof import Proof, versions_in


class ExpectedVersion(NamedTuple):
    """The version that should serve all traffic of a script in a stack; ``tag`` is its worker digest, ``earlier`` those of older proofs."""

    stack: str
    worker: str
    script: str
    version: str
    tag: str
    earlier: Collection[str] = ()


@dataclass(frozen=True)
class Served:
    """What a script serves, compared with the version that was expected.

    ``version`` is the one that serves all traffic: the expected one, or its twin. ``fault`` is what is wrong, where something is.
    """

    expected: ExpectedVersion
    version: str
    deployments: tuple[Deployment, ...] = ()
    comparison: Comparison | None = None
    """With the version that serves, where that is another one and the only one."""
    fault: LiveError | None = None

    @property
    def is_twin(self) -> bool:
        """Whether a twin serves."""
        return self.fault is None and self.version != self.expected.version

    @property
    def summary(self) -> str:
        """What serves, where nothing is wrong."""
        if self.is_twin:
            return twin_summary(self.expected.script, self.version, self.expected.version)
        return f"worker {self.expected.script} serves {self.version} at 100%, tag {self.expected.tag[:12]}{self._candidate}"

    @property
    def _candidate(self) -> str:
        active = self.deployments[0] if self.deployments else None
        if active is None or active.candidate is None or active.mark is None:
            return ""
        return (
            f"; {active.candidate} waits at 0%, a candidate of release {active.mark.release}: "
            f"a run of {self.expected.stack} tries it now, or did not end and the next one takes it up"
        )


class ExpectedHead(NamedTuple):
    """Where the ledger of a database of a stack should stand."""

    stack: str
    database: str
    id: str
    head: LedgerHead


def expected_versions(proof: Proof, older: Sequence[Proof] = ()) -> list[ExpectedVersion]:
    """What has to serve for a proof to be true; ``older`` are the proofs before it."""
    return [
        ExpectedVersion(proof.environment, name, worker.script, worker.version, worker.tag, versions_in(older, name) - {worker.version})
        for name, worker in proof.workers.items()
    ]


def expected_heads(proof: Proof) -> list[ExpectedHead]:
    """Where each ledger has to stand for a proof to be true."""
    return [
        ExpectedHead(
            proof.environment, database.name, database.id, LedgerHead(database.head.name, database.head.count, database.head.digest)
        )
        for database in proof.databases.values()
    ]


async def require_live(account: Account, versions: Iterable[ExpectedVersion], heads: Iterable[ExpectedHead]) -> dict[str, Served]:
    """Check every worker and every ledger; returns what each worker serves.

    Raises LiveError naming the first that is not as expected; ApiError where the API fails.
    """
    looks: list[Awaitable[Served | None]] = [_require_version(account, version, lambda served: served.fault) for version in versions]
    looks += [_require_head(account, head) for head in heads]
    return {served.expected.worker: served for served in await all_at_once(looks) if served}


async def require_heads(account: Account, heads: Iterable[ExpectedHead]) -> None:
    """Check that each ledger stands where it should, and that no refresh has replaced rows and is not complete.

    Raises LiveError naming the first that does not; ApiError where D1 fails.
    """
    await all_at_once(_require_head(account, head) for head in heads)


async def require_still_proven(account: Account, proof: Proof, older: Sequence[Proof] = ()) -> list[str]:
    """Check that nobody changed an environment manually since its proof; a later run of its own stack does no harm.

    ``older`` are the proofs before it. Returns what is to be said all the same: of twins that serve, and of refreshes that are not complete.
    Raises LiveError naming the first change, ApiError where the API fails.
    """
    versions = expected_versions(proof, older)
    return await _said(*(_require_not_manual(account, version) for version in versions), _require_ledgers(account, proof))


async def require_still_there(account: Account, proof: Proof) -> list[str]:
    """Check that what an older proof names exists: each version with its tag, and each of its migrations in the ledgers, which may have gone on.

    Returns what is to be said of refreshes that are not complete. Raises LiveError naming the first that does not, ApiError where the API fails.
    """
    return await _said(*(_require_there(account, proof, each) for each in expected_versions(proof)), _require_ledgers(account, proof))


async def _said(*looks: Awaitable[list[str]]) -> list[str]:
    return [line for lines in await all_at_once(looks) for line in lines]


async def _require_not_manual(account: Account, expected: ExpectedVersion) -> list[str]:
    served = await _require_version(account, expected, _manual_fault)
    return [served.summary] if served.is_twin else []


async def _require_there(account: Account, proof: Proof, expected: ExpectedVersion) -> list[str]:
    version = await account.version(expected.script, expected.version)
    if version is None or version.tag != expected.tag:
        seen = f"has the tag {version.tag}, not {expected.tag}" if version else "does not exist"
        todo = f"Run pulumi up -s {proof.environment} with the files of release {proof.digest[:12]}, which proves it again"
        raise LiveError(f"worker {expected.script}", f"version {expected.version}, which the proof names, {seen}", todo)
    return []


async def _require_ledgers(account: Account, proof: Proof) -> list[str]:
    """Returns what is to be said of refreshes: the proof is true, since none is made of rows that a refresh has only half replaced."""
    heads = expected_heads(proof)
    ledgers = await all_at_once(ledger_of(account, expected) for expected in heads)
    for name, expected, ledger in zip(proof.databases, heads, ledgers, strict=True):
        listed = {migration["name"]: migration["sha256"] for migration in _in_manifest(proof, name).get("migrations", [])}
        if not ledger.stands_at(expected.head) and not _only_went_on(ledger, listed):
            raise _head_error(ledger.head, expected)
    faults = [refresh_fault(ledger, expected.database) for expected, ledger in zip(heads, ledgers, strict=True)]
    return [f"{expected.stack}: {fault}" for expected, fault in zip(heads, faults, strict=True) if fault]


async def look_at_version(account: Account, expected: ExpectedVersion) -> Served:
    """What a worker serves, and what is wrong with it, if anything. Raises ApiError where the API fails."""
    deployments, uploaded = await both(account.deployments(expected.script), account.version(expected.script, expected.version))
    if not deployments and not await account.has_worker(expected.script):
        todo = f"Run pulumi refresh -s {expected.stack}, then pulumi up -s {expected.stack}, which creates it again"
        if expected.stack == "production":
            todo = "Run pulumi up -s production: it refuses, and names the commands that create the worker again"
        return Served(expected, "", fault=LiveError(f"worker {expected.script}", "does not exist", todo))
    if not deployments or deployments[0].traffic != {expected.version: 100}:
        return await _other_version(account, expected, deployments)
    # What serves is there, even where the API does not find it yet.
    tag = uploaded.tag if uploaded else await account.tag_of(expected.script, expected.version)
    fault = None if tag == expected.tag else _version_fault(expected, f"version {expected.version} has the tag {tag}, not {expected.tag}")
    return Served(expected, expected.version, deployments, fault=fault)


async def _other_version(account: Account, expected: ExpectedVersion, deployments: tuple[Deployment, ...]) -> Served:
    """What serves where it is not the expected version alone: its twin, or a fault."""
    comparison, version = None, ""
    if deployments and len(deployments[0].traffic) == 1:
        (version,) = deployments[0].traffic
        comparison = await compare(account, expected.script, version, expected.version, expected.earlier, deployments)
        if comparison.is_twin and comparison.tag == expected.tag:
            return Served(expected, version, deployments, comparison)
    serving = deployments[0].summary if deployments else "nothing"
    if comparison and comparison.made_anew:
        gone = f"and {expected.version}, which this stack deployed, is gone"
        what = f"was deleted and created again by somebody else: it serves {serving}, {gone}"
        todo = f"Run pulumi up -s {expected.stack}: it refuses, and names the commands that create the worker again"
        return Served(expected, version, deployments, comparison, LiveError(f"worker {expected.script}", what, todo))
    mark = deployments[0].mark if deployments else None
    if mark is not None and deployments[0].is_step:
        what = f"a rollout of release {mark.release} is under way, or holds: it serves {serving}"
        return Served(expected, version, deployments, comparison, LiveError(f"worker {expected.script}", what, _status(expected)))
    fault = _version_fault(expected, f"serves {serving} instead of {expected.version} at 100%", deployments[0].id if deployments else "")
    return Served(expected, version, deployments, comparison, fault)


def _status(expected: ExpectedVersion) -> str:
    return f"Look at it with crane rollout status -s {expected.stack}; pulumi up -s {expected.stack} goes on with it"


def _version_fault(expected: ExpectedVersion, what: str, deployment: str = "") -> LiveError:
    back = f"pulumi up -s {expected.stack} --replace '**WorkerVersion::{expected.worker}'"
    if deployment and expected.stack == "production":  # which refuses to undo it unasked
        consent = f"pulumi config set -s production --path workers.{expected.worker}.replace-deployment {deployment}"
        back = f"{consent}, then pulumi up -s production"
    return LiveError(f"worker {expected.script}", what, f"If this is a manual deployment, return to the release: {back}")


async def ledger_of(account: Account, expected: ExpectedHead) -> Ledger:
    """The ledger of one database. Raises ApiError where D1 fails, MigrationError where it cannot be read."""
    return await read_ledger(account.database(expected.id, expected.database), ready=expected.head.count > 0)


def head_fault(ledger: Ledger, expected: ExpectedHead) -> LiveError | None:
    """What is wrong with where a ledger stands, if anything."""
    return None if ledger.stands_at(expected.head) else _head_error(ledger.head, expected)


def refresh_fault(ledger: Ledger, database: str) -> LiveError | None:
    """A refresh that has replaced the rows of a database and is not complete."""
    refresh = ledger.refresh
    return LiveError(f"database {database}", refresh.summary, refresh.todo) if refresh and refresh.is_loaded else None


async def _require_version(account: Account, expected: ExpectedVersion, judge: Callable[[Served], LiveError | None]) -> Served:
    served = await look_at_version(account, expected)
    if fault := judge(served):
        raise fault
    return served


async def _require_head(account: Account, expected: ExpectedHead) -> None:
    ledger = await ledger_of(account, expected)
    if fault := head_fault(ledger, expected) or refresh_fault(ledger, expected.database):
        raise fault


def _manual_fault(served: Served) -> LiveError | None:
    return served.fault if served.fault and _is_manual(served) else None


def _is_manual(served: Served) -> bool:
    expected = served.expected
    if not served.deployments or served.version == expected.version:
        return True
    last = LastDeployed(expected.script, expected.version, expected.tag, expected.earlier)
    return manual_deployment(served.deployments, last, served.comparison) is not None


def _in_manifest(proof: Proof, database: str) -> dict[str, Any]:
    return dict(proof.manifest.get("databases", {}).get(database, {}))


def _only_went_on(ledger: Ledger, listed: Mapping[str, str]) -> bool:
    """Whether a ledger still has what was listed, and besides that only migrations of our own runs."""
    entries = {entry.name: entry for entry in ledger.entries}
    kept = all(name in entries and entries[name].settled and entries[name].has(sha256) for name, sha256 in listed.items())
    return kept and all(entry.sha256 is not None for entry in ledger.entries)


def _head_error(head: LedgerHead, expected: ExpectedHead) -> LiveError:
    what = (
        f"its ledger stands at {head.name} ({counted(head.count, 'migration')}), the files at {expected.head.name} ({expected.head.count})"
    )
    if (head.name, head.count) == (expected.head.name, expected.head.count):
        what = f"its ledger has the same names as the files up to {head.name}, but it recorded different contents or one migration is unfinished"
    todo = f"Run pulumi up -s {expected.stack} again"
    if head.count < expected.head.count:
        what += ": this run left its schema step out, or the database was restored to an earlier state"
        todo = f"{todo} without --target; if it was restored, run crane migrations apply -s {expected.stack} first"
    return LiveError(f"database {expected.database}", what, todo)
