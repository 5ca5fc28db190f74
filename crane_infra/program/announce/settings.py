"""Before the first resource: the settings that are live in the account, of scripts and databases.

Two things depend on them. What no file declares is declared as it is live, since the provider sends all settings with each change and
Cloudflare sets back what is missing. And what somebody changed of the declared settings beside this stack is said: the provider does not see
it, unless a run refreshes.
"""

from collections.abc import Collection, Iterable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple

import pulumi

from crane_infra.at_once import all_at_once
from crane_infra.errors import ApiError
from crane_infra.live.account import Account, LiveScript, open_account
from crane_infra.live.declared import deviations
from crane_infra.live.script_settings import completed
from crane_infra.program.announce.declared import declared_script
from crane_infra.program.announce.lines import Line, log
from crane_infra.program.preparation import Prepared


class LiveSettings(NamedTuple):
    """What is live: scripts by worker, None for one that does not exist yet; the read replication of the databases that are there."""

    scripts: Mapping[str, LiveScript | None]
    replication: Mapping[str, str]


@dataclass(frozen=True)
class SettingsPlan:
    """What the run declares and sets back. ``live`` None: a preview could not read it, and leaves out what no file declares.

    ``returned`` are the workers whose declared settings the run sets back after its deployments. ``marks`` say when that was due last: they
    stand in the outputs, so that the step which does it runs although nothing else changes.
    """

    live: LiveSettings | None
    returned: Collection[str] = ()
    marks: Mapping[str, str] = field(default_factory=dict)

    def script(self, worker: str, declared: Mapping[str, Any]) -> dict[str, Any] | None:
        """Every setting of a script that the provider sends, with the names of Cloudflare's API; None where they are unknown."""
        if self.live is None:
            return None
        live = self.live.scripts.get(worker)
        return completed(live.settings if live else {}, declared)

    def replication(self, database: str, declared: str | None) -> str | None:
        """The read replication of a database; None where it is unknown."""
        if declared is not None or self.live is None:
            return declared
        return self.live.replication.get(database, "disabled")


async def look_at_settings(prepared: Prepared) -> LiveSettings:
    """The settings of every worker and database that is there, and the schedules of workers that declare some. Raises ApiError."""
    settings = prepared.settings
    ids = {name: prepared.database_id(name) for name in settings.databases}
    async with open_account(settings) as account:
        scripts = {name: account.script(settings.script(name), with_crons=prepared.crons_of(name) is not None) for name in settings.workers}
        modes = {name: _replication(account, database_id) for name, database_id in ids.items()}
        found = await all_at_once([*scripts.values(), *modes.values()])
    # In their order: scripts first.
    live, replication = found[: len(scripts)], found[len(scripts) :]
    return LiveSettings(
        {name: script if isinstance(script, LiveScript) else None for name, script in zip(scripts, live, strict=True)},
        {name: mode for name, mode in zip(modes, replication, strict=True) if isinstance(mode, str)},
    )


async def _replication(account: Account, database_id: str | None) -> str | None:
    return await account.read_replication(database_id) if database_id else None


def announce_settings(prepared: Prepared, live: Future[LiveSettings]) -> SettingsPlan:
    """Say what is live otherwise than this stack declared it, which this run sets back.

    A mark stays for good: if it went away, the step that sets settings back would run once more. A preview that cannot read the settings
    says so and goes on; an update raises ApiError.
    """
    marks = {name: worker.settings_returned for name, worker in prepared.last.workers.items() if worker.settings_returned}
    try:
        found = live.result()
    except ApiError as error:
        if not pulumi.runtime.is_dry_run():
            raise
        pulumi.log.warn(f"This preview cannot read the settings of the workers, so it leaves out those that no file declares: {error}")
        return SettingsPlan(None, marks=marks)
    changed = {name: texts for name in found.scripts if (texts := changed_settings(prepared, found, name))}
    log(_line(prepared, name, texts) for name, texts in changed.items())
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return SettingsPlan(found, frozenset(changed), marks | dict.fromkeys(changed, now))


def changed_settings(prepared: Prepared, live: LiveSettings, worker: str) -> list[str]:
    """What somebody changed of the settings of a worker that its last release declared as this one does."""
    last, script, declared = prepared.last.workers.get(worker), live.scripts.get(worker), declared_script(prepared, worker)
    if last is None or script is None or (last.declared, last.crons) != (declared.settings, declared.crons):
        return []
    return deviations(script, declared)


def _line(prepared: Prepared, worker: str, texts: Iterable[str]) -> Line:
    what = f"worker {prepared.settings.script(worker)}: changed beside this stack: {prepared.redact('; '.join(texts))}"
    return Line(f"{what}. This run sets it back; to keep it, declare it in {prepared.settings.file}.", is_warning=True)
