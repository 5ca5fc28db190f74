"""The Durable Object migrations that an update would send, for ``crane migrations plan``: those after the tag that is live."""

import asyncio
from dataclasses import dataclass

from crane_infra.at_once import all_at_once
from crane_infra.config.catalog import Catalog
from crane_infra.config.class_migrations import ClassMigration
from crane_infra.config.settings import Settings
from crane_infra.errors import CraneError
from crane_infra.live.account import open_account
from crane_infra.live.class_migrations import require_at_once, sending


@dataclass(frozen=True)
class ClassesOfWorker:
    """A worker at Cloudflare: the tag of the last Durable Object migration that it took, what an update sends, and what would stop that."""

    script: str
    live: str | None
    pending: tuple[ClassMigration, ...] = ()
    refusal: CraneError | None = None


def class_migrations_of(settings: Settings, catalog: Catalog) -> list[ClassesOfWorker]:
    """Each worker whose classes the catalog declares; no call where there is none. Raises ApiError."""
    workers = [name for name, worker in catalog.workers.items() if worker.class_migrations]

    async def tags() -> list[str | None]:
        async with open_account(settings) as account:
            return await all_at_once([account.class_tag(settings.script(name)) for name in workers])

    return [judged(settings, catalog, name, tag) for name, tag in zip(workers, asyncio.run(tags()), strict=True)] if workers else []


def judged(settings: Settings, catalog: Catalog, worker: str, live: str | None) -> ClassesOfWorker:
    """What an update would do with a worker that has this tag."""
    script = settings.script(worker)
    try:
        each = sending(script, catalog.workers[worker].class_migrations, live, None, "")
    except CraneError as error:
        return ClassesOfWorker(script, live, refusal=error)
    if each is None:
        return ClassesOfWorker(script, live)
    try:
        require_at_once(settings, worker, each)
    except CraneError as error:
        return ClassesOfWorker(script, live, each.steps, error)
    return ClassesOfWorker(script, live, each.steps)
