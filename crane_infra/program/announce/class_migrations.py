"""Before the first resource: the Durable Object migrations that go with the versions of this run, worked out from what is live.

They cannot be tried: Cloudflare gives such a version all traffic at once and deploys it beside no other one (10211). So staging proves them, production
takes them at once, and both say so.
"""

from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import NamedTuple

import pulumi

from crane_infra.at_once import all_at_once
from crane_infra.config.bound import bindings_of
from crane_infra.config.variables import variables_of
from crane_infra.errors import WOULD_REFUSE, ApiError, CraneError, refuse
from crane_infra.live.account import Account, open_account
from crane_infra.live.class_migrations import Sending, again, require_at_once, sending
from crane_infra.program.announce.lines import Line, log
from crane_infra.program.preparation import Prepared
from crane_infra.release.manifest import digest_of

MODULES = "files"
"""How a version names its modules. Another way is another upload, which must not carry what its worker has taken already."""


class LiveClasses(NamedTuple):
    """A worker at Cloudflare: the tag of the last Durable Object migration that it took, and whether its newest version is the one that was proven."""

    tag: str | None
    is_as_proven: bool


@dataclass(frozen=True)
class ClassesPlan:
    """What the versions of this run carry, by worker."""

    sent: Mapping[str, Sending] = field(default_factory=dict)

    @property
    def pending(self) -> dict[str, Sending]:
        """What Cloudflare has not applied yet."""
        return {worker: each for worker, each in self.sent.items() if each.is_pending}


async def look_at_classes(prepared: Prepared) -> dict[str, LiveClasses]:
    """What is live of the workers whose classes the catalog declares. Raises ApiError."""
    workers = [name for name, worker in prepared.catalog.workers.items() if worker.class_migrations]
    if not workers:
        return {}
    async with open_account(prepared.settings) as account:
        looks = await all_at_once([_look_at(account, prepared, name) for name in workers])
    return dict(zip(workers, looks, strict=True))


async def _look_at(account: Account, prepared: Prepared, worker: str) -> LiveClasses:
    script, last, newest = prepared.settings.script(worker), prepared.last.workers.get(worker), prepared.last.newest
    tag = await account.class_tag(script)
    if last is None or last.class_migrations is None or newest is None or worker not in newest.workers:
        return LiveClasses(tag, is_as_proven=False)
    return LiveClasses(tag, await account.newest_version(script) == newest.workers[worker].version)


def announce_classes(prepared: Prepared, live: Future[dict[str, LiveClasses]], reuploads: Mapping[str, str]) -> ClassesPlan:
    """Say which migrations go with this run, and refuse those that cannot.

    A preview logs a refusal and goes on. An update raises LiveError where the catalog lacks the live step, SettingsError where a worker is to get its
    traffic in steps, ApiError where the API fails.
    """
    try:
        found = live.result()
    except ApiError as error:
        if not pulumi.runtime.is_dry_run():
            raise
        pulumi.log.warn(f"This preview cannot see which Durable Object migrations are live: {error}")
        unchanged = {name: _unchanged(prepared, name, reuploads) for name in prepared.catalog.workers}
        return ClassesPlan({name: each for name, each in unchanged.items() if each})
    sent, faults = dict[str, Sending](), list[CraneError]()
    for worker, classes in found.items():
        try:
            if each := _sending(prepared, worker, classes, reuploads):
                sent[worker] = each
                require_at_once(prepared.settings, worker, each)
        except CraneError as error:
            faults.append(error)
    if not pulumi.runtime.is_dry_run():
        refuse(faults)
    log(Line(f"{fault} {WOULD_REFUSE}", is_warning=True) for fault in faults)
    plan = ClassesPlan(sent)
    log(_lines(prepared, plan))
    return plan


def upload_digest(prepared: Prepared, worker: str, reuploads: Mapping[str, str]) -> str:
    """What stands for everything that makes the version of a worker, besides the migrations that it carries."""
    settings, catalog = prepared.settings, prepared.catalog
    return digest_of(
        {
            "script": settings.script(worker),
            "tag": prepared.release.tag(worker),
            "message": prepared.upload_message(worker),
            "variables": variables_of(worker, catalog, settings),
            "bindings": bindings_of(worker, catalog, settings),
            "services": settings.services_of(worker),
            "databases": {
                name: [settings.databases[name].name, settings.databases[name].recreate] for name in _databases(prepared, worker)
            },
            "again": reuploads.get(worker),
            "worker": settings.workers[worker].recreate,
            "modules": MODULES,
        }
    )


def _databases(prepared: Prepared, worker: str) -> list[str]:
    return sorted(set(prepared.catalog.workers[worker].databases.values()))


def _sending(prepared: Prepared, worker: str, live: LiveClasses, reuploads: Mapping[str, str]) -> Sending | None:
    last = prepared.last.workers.get(worker) if live.is_as_proven else None
    return sending(
        prepared.settings.script(worker),
        prepared.catalog.workers[worker].class_migrations,
        live.tag,
        last.class_migrations if last else None,
        upload_digest(prepared, worker, reuploads),
        goes_back=prepared.settings.rollback_to is not None,
    )


def _unchanged(prepared: Prepared, worker: str, reuploads: Mapping[str, str]) -> Sending | None:
    """What the last version carried, for a preview that cannot look."""
    last = prepared.last.workers.get(worker)
    declared = prepared.catalog.workers[worker].class_migrations
    return again(declared, last.class_migrations if last else None, upload_digest(prepared, worker, reuploads)) if declared else None


def _lines(prepared: Prepared, plan: ClassesPlan) -> Iterator[Line]:
    for worker, each in plan.pending.items():
        untried = "The version gets all traffic at once, untried and not in steps, and crane rollback cannot go back past it"
        yield Line(f"worker {prepared.settings.script(worker)}: Durable Object migration {each.summary}. {untried}.", is_warning=True)
