"""Looks at what putting an earlier release back would do: which workers move, what differs, and what stands in the way. Changes nothing."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from crane_infra.at_once import all_at_once
from crane_infra.d1.api import again
from crane_infra.d1.errors import NotFoundError
from crane_infra.errors import LiveError
from crane_infra.live.account import Account, Deployment
from crane_infra.live.expected import expected_versions, look_at_version
from crane_infra.live.rolled_back import rolled_back, settled
from crane_infra.live.version import read_version
from crane_infra.migrations.ledger import read_ledger
from crane_infra.release.outputs import StackOutputs, migrations_in
from crane_infra.release.proof import Proof, ProvenWorker
from crane_infra.traffic.differences import Differences, add_classes, add_migrations, add_schedules, add_version
from crane_infra.traffic.move import Move
from crane_infra.traffic.target import Target, choose, moving, serving_proof

Json = Mapping[str, Any]
Kinds = Mapping[str, Mapping[tuple[str, str], str]]
"""The classes of the migrations at hand, by database, then by name and sha256."""


@dataclass(frozen=True)
class Rollback:
    """What a rollback would do. ``left`` is the digest of the release that the stack deployed last, where it is known."""

    target: Proof
    serving: Proof | None
    left: str
    moves: tuple[Move, ...]
    differences: Differences


async def look(
    account: Account, outputs: StackOutputs, staging: Callable[[], StackOutputs], digest: str | None, kinds: Callable[[Proof], Kinds]
) -> Rollback:
    """Choose the release and compare it with what is live. ``staging`` is asked only where no proof of this stack names what serves.

    Raises LiveError where there is no such release, ApiError where the API fails.
    """
    active = await active_deployments(account, outputs.proofs)
    serving = await _serving(account, outputs, active)
    target = choose(outputs, active, serving, digest)
    found = Differences()
    moves = tuple(_move(target.proof, worker, version, active) for worker, version in moving(active, target.proof).items())
    live = await all_at_once([_version(account, move.script, _single(move.before)) for move in moves])
    targets = await all_at_once([_version(account, move.script, move.version) for move in moves])
    for move, before, after in zip(moves, live, targets, strict=True):
        add_classes(found, move.script, serving, target.proof, move.worker)
        if after is None:
            what = f"Cloudflare no longer has version {move.version}, which release {target.proof.digest[:12]} served"
            found.obstacles.append(LiveError(f"worker {move.script}", what, "Go back with rollback-to, from the files of that release"))
        else:
            add_version(found, move.worker, move.script, before, after, outputs.proofs)
    await all_at_once(_database(account, found, target.proof, name, kinds(target.proof).get(name, {})) for name in target.proof.databases)
    await all_at_once(_schedules(account, found, worker) for worker in target.proof.workers.values())
    if outputs.newest:
        _others(found, outputs.newest, target.proof)
    tags = {move.worker: read_version(before).tag for move, before in zip(moves, live, strict=True) if before}
    return Rollback(target.proof, serving, _left(outputs, active, target, tags, staging), moves, found)


async def active_deployments(account: Account, proofs: Sequence[Proof]) -> dict[str, Deployment]:
    """The deployments that decide what serves, of all workers that proofs name; those that serve nothing are left out. Raises ApiError."""
    scripts = {name: worker.script for proof in reversed(proofs) for name, worker in proof.workers.items()}
    listed = await all_at_once(account.deployments(script) for script in scripts.values())
    return {name: made for name, deployments in zip(scripts, listed, strict=True) if (made := settled(deployments))}


async def _serving(account: Account, outputs: StackOutputs, active: Mapping[str, Deployment]) -> Proof | None:
    """The proven release that serves: by its versions, or by their twins for the newest one."""
    if (serving := serving_proof(active, outputs.proofs)) or not outputs.newest:
        return serving
    newest, *older = outputs.proofs
    served = await all_at_once(look_at_version(account, expected) for expected in expected_versions(newest, older))
    return newest if not any(worker.fault for worker in served) else None


def _move(proof: Proof, worker: str, version: str, active: Mapping[str, Deployment]) -> Move:
    return Move(worker, proof.workers[worker].script, version, active.get(worker))


def _single(deployment: Deployment | None) -> str | None:
    serving = [version for version, share in deployment.shares.items() if share] if deployment else []
    return serving[0] if len(serving) == 1 else None


async def _version(account: Account, script: str, version: str | None) -> Json | None:
    if version is None:
        return None
    try:
        return await again(lambda: account.reads.version(script, version))
    except NotFoundError:
        return None


async def _schedules(account: Account, found: Differences, worker: ProvenWorker) -> None:
    """Compare the schedules that a worker has with those of the release, where its proof tells them."""
    if worker.crons is None:
        return
    try:
        live = await again(lambda: account.reads.crons(worker.script))
    except NotFoundError:
        return  # it has no version either, which stands in the way
    add_schedules(found, worker.script, live, worker.crons)


async def _database(account: Account, found: Differences, proof: Proof, name: str, kinds: Mapping[tuple[str, str], str]) -> None:
    """Compare the ledger of a database of the release with its migrations."""
    database = proof.databases[name]
    if await account.database_name(database.id) is None:
        what = f"{database.id} does not exist, and the release needs it"
        found.obstacles.append(LiveError(f"database {database.name}", what, "Fix forward: prove a fix in staging and promote it"))
        return
    ledger = await read_ledger(account.database(database.id, database.name))
    listed = migrations_in(proof.manifest.get("databases", {}).get(name, {}).get("migrations"))
    add_migrations(found, database.name, ledger, listed, kinds)


def _others(found: Differences, newest: Proof, target: Proof) -> None:
    """The workers and databases that only one of both releases has."""
    for name, worker in newest.workers.items():
        if name not in target.workers:
            found.lines.append(f"worker {worker.script} stays as it is: the release does not have it")
    for name, database in newest.databases.items():
        if name not in target.databases:
            found.lines.append(f"database {database.name} stays as it is: the release does not have it")


def _left(
    outputs: StackOutputs,
    active: Mapping[str, Deployment],
    target: Target,
    tags: Mapping[str, str | None],
    staging: Callable[[], StackOutputs],
) -> str:
    """The release that the stack deployed last, which its next update brings back unless somebody says otherwise."""
    if before := rolled_back(active, outputs.proofs):
        left = before.mark.left
    elif target.serving:
        left = outputs.proofs[0].digest
    else:
        left = next((proof.digest for proof in staging().proofs if _may_serve(proof, outputs.proofs[0], tags)), "")
    return "" if left and target.proof.digest.startswith(left) else left


def _may_serve(proof: Proof, newest: Proof, tags: Mapping[str, str | None]) -> bool:
    """Whether what serves comes from an update to this release, which may not have come to its end."""
    pairs = [(tag, _tag(proof, name), _tag(newest, name)) for name, tag in tags.items()]
    return all(tag in (new, old) for tag, new, old in pairs) and any(tag == new != old for tag, new, old in pairs)


def _tag(proof: Proof, worker: str) -> str | None:
    return proof.workers[worker].tag if worker in proof.workers else None
