"""Tries the pending migrations of a stack on copies of its databases. It only reads at Cloudflare."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from crane_infra.commands.databases import ManagedDatabase, id_of, managed
from crane_infra.commands.stack import created_databases
from crane_infra.config.catalog import Catalog
from crane_infra.config.settings import Settings
from crane_infra.data.copy import Limits, Progress, Watch, copy_database
from crane_infra.data.trial import Attempt, Trial, try_migrations
from crane_infra.errors import LiveError
from crane_infra.live.heads import ledger_heads
from crane_infra.migrations.status import status_of
from crane_infra.release.manifest import read_release
from crane_infra.release.outputs import StackOutputs
from crane_infra.release.rehearsed import rehearsal_proof


@dataclass(frozen=True)
class Wish:
    """What is tried: one database or all, where the copies are kept meanwhile, how many rows may be read of each, and whether keys are kept."""

    only: str | None
    folder: Path
    rows: int
    keys: bool = False
    release: str = ""


def rehearse(
    settings: Settings,
    catalog: Catalog,
    outputs: StackOutputs,
    wish: Wish,
    say: Callable[[str], None],
    progress: Callable[[Progress], None],
) -> list[Trial]:
    """Copy each database of a stack that has pending migrations, and try them on the copy.

    The copies stay in the folder: who asked for them removes it. Raises as ``managed`` and ``copy_database`` do.
    """
    names = [wish.only] if wish.only else list(catalog.databases)
    created = created_databases(settings.environment) if any(id_of(settings, outputs, name, {}) is None for name in names) else {}

    async def each() -> list[Trial]:
        trials = []
        for name in names:
            if name in catalog.databases and id_of(settings, outputs, name, created) is None:
                say(f"{name}: the stack has not created it yet, so it has no rows to try anything on")
                continue
            async with managed(settings, catalog, outputs, name) as (database,):
                trials.append(await _rehearse(database, wish, Watch(say, progress)))
        return trials

    return asyncio.run(each())


def proof_of(settings: Settings, catalog: Catalog, outputs: StackOutputs, trials: Sequence[Trial]) -> str | None:
    """What an update of production asks for with ``require-rehearsal``; None unless all databases were looked at and all trials passed.

    Raises LiveError where a ledger is another one than it was when the rehearsal began, else as ``ledger_heads`` does.
    """
    heads = asyncio.run(ledger_heads(settings, outputs))
    tried = {trial.database: trial.head for trial in trials}
    if not all(trial.passes for trial in trials) or not heads.keys() <= tried.keys():
        return None
    for name, head in heads.items():
        if tried[name] != head:
            raise LiveError(f"database {name}", "its ledger changed during the rehearsal", "Run the rehearsal again")
    return rehearsal_proof(read_release(catalog, settings.workers_dir).digest, heads)


async def _rehearse(database: ManagedDatabase, wish: Wish, watch: Watch) -> Trial:
    judgement = await status_of(database.db, database.schema)
    pending = tuple(file.name for file in judgement.plan.pending)
    if not pending:
        refusal = tuple(map(str, judgement.refusal.errors)) if judgement.refusal else ()
        return Trial(database.name, None, judgement.ledger.head, refusal=refusal)
    copied = await copy_database(database.db, wish.folder / f"{database.name}.sqlite", limits=Limits(rows=wish.rows), watch=watch)
    trial = await try_migrations(copied, Attempt(database.name, database.schema, wish.release, wish.keys))
    return replace(trial, pending=pending)
