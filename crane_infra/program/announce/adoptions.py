"""Before the first update that adopts: says what the adoption will change, and refuses one that cannot go well.

Asks the account and the ledgers, and changes nothing.
"""

from collections.abc import Awaitable, Iterator, Mapping, Sequence
from typing import NamedTuple

import pulumi

from crane_infra.at_once import all_at_once
from crane_infra.errors import WOULD_REFUSE, ApiError, CraneError
from crane_infra.live.account import Account, open_account
from crane_infra.live.adoptable import Found, database_adoption, worker_adoption
from crane_infra.program.announce.declared import declared_worker
from crane_infra.program.announce.lines import Line, log
from crane_infra.program.background import blocking
from crane_infra.program.preparation import Prepared
from crane_infra.release.preview_record import RecordedAdoption


class Adoptions(NamedTuple):
    """What this stack adopts for the first time. ``refusals``: why an update would refuse that, where only a preview goes on."""

    records: tuple[RecordedAdoption, ...] = ()
    refusals: tuple[str, ...] = ()

    @property
    def lines(self) -> Iterator[Line]:
        """What a run logs about them."""
        yield from (Line(str(adoption)) for adoption in self.records)
        yield from (Line(f"{refusal} {WOULD_REFUSE}", is_warning=True) for refusal in self.refusals)


def announce_adoptions(prepared: Prepared) -> Adoptions:
    """Log what changes in each worker and database that this stack adopts for the first time.

    A preview logs refusals and goes on. An update logs all but the last one and raises that: SettingsError where there is nothing to adopt
    or something live would be lost, ApiError where the API does not answer.
    """
    workers, databases = _first_time(prepared, "workers"), _first_time(prepared, "databases")
    if not workers and not databases:
        return Adoptions()
    looked_at = blocking(_adoptions(prepared, workers, databases))
    records = tuple(found for found in looked_at if isinstance(found, RecordedAdoption))
    faults = [fault for fault in looked_at if isinstance(fault, CraneError)]
    if faults and not pulumi.runtime.is_dry_run():
        for fault in faults[:-1]:
            pulumi.log.error(str(fault))
        raise faults[-1]
    for fault in faults:
        if isinstance(fault, ApiError):
            pulumi.log.warn(str(fault))
    adoptions = Adoptions(records, tuple(str(fault) for fault in faults if not isinstance(fault, ApiError)))
    log(adoptions.lines)
    return adoptions


def _first_time(prepared: Prepared, kind: str) -> list[str]:
    known = prepared.last.declared[kind]
    declared: Mapping[str, object] = getattr(prepared.settings, kind)
    return [name for name, settings in declared.items() if getattr(settings, "adopt", None) and name not in known]


async def _adoptions(prepared: Prepared, workers: list[str], databases: list[str]) -> list[Found]:
    """What is adopted, and what stands in its way; a fault of one hides none of another."""
    async with open_account(prepared.settings) as account:
        looks = [
            *(_worker(account, prepared, name) for name in workers),
            *(database_adoption(account, prepared.settings, name) for name in databases),
        ]
        return [found for each in await all_at_once(map(_caught, looks)) for found in each]


async def _caught(look: Awaitable[Sequence[Found]]) -> Sequence[Found]:
    try:
        return await look
    except CraneError as error:
        return [error]


async def _worker(account: Account, prepared: Prepared, name: str) -> list[Found]:
    live = await account.worker(prepared.settings.script(name))
    return worker_adoption(live, declared_worker(prepared, name), prepared.settings, name, prepared.redact)
