"""What happened to a stack, from Pulumi's history, the ledgers and Cloudflare's deployments. Changes nothing."""

import asyncio
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from crane_infra.at_once import all_at_once
from crane_infra.commands.attempts import attempt, lines_of, look, redactor
from crane_infra.commands.records import records_of
from crane_infra.commands.stack import outputs_of, settings_of, updates_of
from crane_infra.config.settings import Settings
from crane_infra.config.stackfile import project_name
from crane_infra.errors import CraneError
from crane_infra.live.account import Deployment, open_account
from crane_infra.migrations.ledger import Ledger, read_ledger
from crane_infra.release.outputs import StackOutputs
from crane_infra.status.events import Event, events_of
from crane_infra.status.inert import with_texts


@dataclass(frozen=True)
class History:
    """What happened to a stack, newest first, and what of it could not be seen."""

    stack: str
    events: tuple[Event, ...]
    unseen: tuple[str, ...] = ()


def history_of(stack: str, root: Path, now: datetime) -> History:
    """The history of a stack. Raises SettingsError where Pulumi does not tell it; whatever else cannot be read is named in ``unseen``."""
    with ThreadPoolExecutor(3) as threads:
        outputs_come = threads.submit(attempt, lambda: outputs_of(stack))
        settings_come = threads.submit(attempt, lambda: settings_of(stack, root))
        updates = updates_of(stack)
        outputs, settings = outputs_come.result(), settings_come.result()
    unseen = [line for part in (outputs, settings) if isinstance(part, CraneError) for line in lines_of(part)]
    if updates.unreadable:
        unseen.append(f"stack {stack}: {updates.unreadable} entries of its history cannot be read")
    known = StackOutputs() if isinstance(outputs, CraneError) else outputs
    ledgers: Mapping[str, Ledger] = {}
    deployments: Mapping[str, tuple[Deployment, ...]] = {}
    if isinstance(settings, Settings):
        ledgers, deployments, more = asyncio.run(_live(settings, known))
        unseen += more
    records = records_of(stack, project_name(root), updates, known, ledgers, deployments)
    return with_texts(History(stack, tuple(events_of(records, now)), tuple(unseen)), redactor())


async def _live(settings: Settings, outputs: StackOutputs) -> tuple[dict[str, Ledger], dict[str, tuple[Deployment, ...]], list[str]]:
    """The ledgers by database, the deployments by script, and what could not be seen."""
    databases = {database.name: database.id for database in outputs.databases.values() if database.id}
    scripts = [worker.script for worker in outputs.workers.values() if worker.script]
    async with open_account(settings) as account:
        ledgers, deployments = await asyncio.gather(
            all_at_once(look(f"database {name}", read_ledger(account.database(key, name))) for name, key in databases.items()),
            all_at_once(look(f"worker {script}", account.deployments(script)) for script in scripts),
        )
    unseen = [line for part in (*ledgers, *deployments) if isinstance(part, CraneError) for line in lines_of(part)]
    return (
        {name: ledger for name, ledger in zip(databases, ledgers, strict=True) if not isinstance(ledger, CraneError)},
        {script: listed for script, listed in zip(scripts, deployments, strict=True) if not isinstance(listed, CraneError)},
        unseen,
    )
