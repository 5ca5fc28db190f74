"""Looks at one worker and one database for ``crane status``: what serves, and what an update with the files at hand would meet.

Compares as ``crane verify`` does and judges as ``crane migrations`` does; whatever fails is named, and the rest is kept.
"""

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from crane_infra.commands.attempts import attempt, lines_of, look
from crane_infra.commands.databases import DatabaseTarget, id_of, target_of
from crane_infra.commands.verify import Comparison, DatabasePart, Part, refresh_part
from crane_infra.config.catalog import Catalog
from crane_infra.config.settings import Settings
from crane_infra.d1.client import D1
from crane_infra.errors import CraneError, MigrationError
from crane_infra.live.account import Account, Deployment
from crane_infra.live.expected import ExpectedVersion, Served
from crane_infra.migrations.drift import SchemaDiffersError, look_for_drift
from crane_infra.migrations.judgement import Judgement
from crane_infra.migrations.ledger import Ledger, read_ledger
from crane_infra.migrations.status import judge_live
from crane_infra.release.outputs import StackOutputs
from crane_infra.status.model import FAILS, HEALTHY, NOT_CHECKED, DatabaseStatus, PendingFile, WorkerStatus


@dataclass
class Look:
    """What a look at one thing adds to what is shown of its environment; each a line."""

    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    unseen: list[str] = field(default_factory=list)

    def take(self, part: Part | CraneError) -> None:
        """Add a comparison, or the error that came instead of it."""
        if isinstance(part, CraneError):
            self.unseen += lines_of(part)
        else:
            self.problems += [line for finding in part.findings for line in lines_of(finding)]
            self.notes += part.notes


@dataclass
class WorkerLook(Look):
    """A worker, and its deployments, newest first."""

    status: WorkerStatus = field(default_factory=lambda: WorkerStatus("", "", "", ""))
    deployments: tuple[Deployment, ...] = ()


@dataclass
class DatabaseLook(Look):
    """A database, and its ledger if it could be read."""

    status: DatabaseStatus = field(default_factory=lambda: DatabaseStatus("", "", ""))
    ledger: Ledger | None = None


async def look_at_worker(comparison: Comparison, expected: ExpectedVersion) -> WorkerLook:
    """Look what a worker serves, at the settings of its script, and whether it passes its checks."""
    where, settings = f"worker {expected.script}", comparison.settings
    address = settings.url(expected.worker) if expected.worker in settings.workers else ""
    result = WorkerLook(status=WorkerStatus(expected.worker, expected.script, address, expected.version))
    served = await look(where, comparison.served(expected))
    if isinstance(served, CraneError):
        result.take(served)
        return result
    script, health = await asyncio.gather(
        look(where, comparison.script(expected)), look(f"checks of {expected.script}", comparison.health(served))
    )
    if served.fault:
        result.problems += lines_of(served.fault)
    result.take(script)
    result.take(health)
    if served.is_twin:
        result.notes.append(served.summary)
    result.deployments = served.deployments
    result.status = replace(
        _with_deployment(result.status, served), health=_health(health), as_expected=served.fault is None and not _differs(script)
    )
    return result


@dataclass(frozen=True)
class Stack:
    """What the databases of a stack are looked at with; ``created`` are those that an update that failed has created."""

    settings: Settings
    catalog: Catalog
    outputs: StackOutputs
    created: Mapping[str, str]
    account: Account
    comparison: Comparison | None


async def look_at_database(stack: Stack, name: str) -> DatabaseLook:
    """Look whether a database is the one of its stack, where its ledger stands, what is pending, and whether its schema is as it should be."""
    settings, comparison = stack.settings, stack.comparison
    shown = settings.databases[name].name if name in settings.databases else name
    result = DatabaseLook(status=DatabaseStatus(name, shown, ""))
    database_id = id_of(settings, stack.outputs, name, stack.created) if name in settings.databases else None
    if database_id is None:
        return result  # the stack has not created it yet
    target = attempt(lambda: target_of(settings, stack.catalog, stack.outputs, name, stack.created))
    where = f"database {shown}"
    judged, identity, ledger = await asyncio.gather(
        look(where, _judge(stack.account, stack.account.database(database_id, shown), target)),
        look(where, _identity(comparison, name)),
        look(where, _ledger(comparison, name)),
    )
    result.take(identity)
    exists = isinstance(identity, CraneError) or identity.exists
    if exists:
        result.take(ledger)
    result.status = replace(
        result.status, id=database_id, as_expected=_as_expected(identity, ledger) if _is_proven(comparison, name) else None
    )
    if isinstance(target, CraneError):
        result.take(target)
    if isinstance(judged, CraneError):
        result.unseen += lines_of(judged) if exists else []
    else:
        _add_judgement(result, *judged)
        result.take(refresh_part(judged[0], shown))
    result.unseen = list(dict.fromkeys(result.unseen))
    return result


_Judged = tuple[Ledger, Judgement | None, tuple[str, ...] | None]


async def _judge(account: Account, db: D1, target: DatabaseTarget | CraneError) -> _Judged:
    """The ledger, the judgement of the files at hand, and the objects that differ; the last two None where the files cannot be read."""
    ledger = await read_ledger(db, ready=isinstance(target, DatabaseTarget) and target.schema.has_ledger)
    if isinstance(target, CraneError):
        return ledger, None, None
    schema = (await target.opened(account)).schema
    judgement = await judge_live(db, schema, ledger)
    if isinstance(judgement.refusal, SchemaDiffersError):
        return ledger, judgement, judgement.refusal.objects
    if judgement.refusal or judgement.not_compared:
        return ledger, judgement, None
    if judgement.needs_comparison:
        return ledger, judgement, ()  # it was compared, and nothing differs
    try:
        return ledger, judgement, tuple((await look_for_drift(db, schema, ledger)).objects)
    except MigrationError as unknown:
        return ledger, replace(judgement, not_compared=unknown), None


def _add_judgement(result: DatabaseLook, ledger: Ledger, judgement: Judgement | None, drift: tuple[str, ...] | None) -> None:
    result.ledger = ledger
    result.status = replace(result.status, head=ledger.head.name, applied=len(ledger.entries), drift=drift)
    if judgement is None:
        return
    result.status = replace(result.status, pending=None if _plan_is_unknown(judgement) else tuple(_pending(judgement)))
    if isinstance(judgement.refusal, SchemaDiffersError):
        result.problems.append(
            f"database {judgement.database}: its schema differs from the one that its migrations make ({', '.join(drift or ())})"
        )
    elif judgement.refusal:
        # Where the ledger is as proven, only the files at hand are other ones.
        lines = result.notes if result.status.as_expected else result.problems
        lines += [f"an update with the files at hand would be refused: {line}" for line in lines_of(judgement.refusal)]
    elif drift:
        result.problems.append(
            f"database {judgement.database}: its schema differs from the one that its migrations make ({', '.join(drift)})"
        )
    if judgement.not_compared:
        result.unseen += lines_of(judgement.not_compared)


def _plan_is_unknown(judgement: Judgement) -> bool:
    return judgement.refusal is not None and not judgement.examined and not judgement.plan.pending


def _pending(judgement: Judgement) -> Iterator[PendingFile]:
    yield from (PendingFile(file.name, "imported from wrangler's ledger") for file in judgement.plan.adopt)
    yield from (PendingFile(examined.file.name, examined.kind) for examined in judgement.examined)


def _is_proven(comparison: Comparison | None, name: str) -> bool:
    return comparison is not None and name in comparison.heads


async def _identity(comparison: Comparison | None, name: str) -> DatabasePart:
    return await comparison.identity(name) if comparison and name in comparison.heads else DatabasePart()


async def _ledger(comparison: Comparison | None, name: str) -> Part:
    return await comparison.ledger(name) if comparison and name in comparison.heads else Part()


def _with_deployment(status: WorkerStatus, served: Served) -> WorkerStatus:
    if not served.deployments:
        return replace(status, traffic={})
    active = served.deployments[0]
    return replace(status, traffic=active.shares, deployed_on=active.made_on, deployed_by=active.by)


def _health(part: Part | CraneError) -> str:
    if isinstance(part, CraneError):
        return NOT_CHECKED
    return FAILS if part.findings else HEALTHY if part.seen else NOT_CHECKED


def _differs(part: Part | CraneError) -> bool:
    return not isinstance(part, CraneError) and bool(part.findings)


def _as_expected(*parts: Part | CraneError) -> bool | None:
    return None if any(isinstance(part, CraneError) for part in parts) else not any(map(_differs, parts))
