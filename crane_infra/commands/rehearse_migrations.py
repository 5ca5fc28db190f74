"""Tries the pending migrations of a stack on copies of its databases. It only reads at Cloudflare."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from crane_infra.checks.results import Checked
from crane_infra.commands.databases import ManagedDatabase, id_of, managed
from crane_infra.commands.stack import created_databases
from crane_infra.config.catalog import Catalog
from crane_infra.config.settings import Settings
from crane_infra.data.copy import Copied, Limits, Progress, Watch, copy_database
from crane_infra.data.trial import Attempt, Trial, try_migrations
from crane_infra.errors import LiveError
from crane_infra.live.heads import ledger_heads
from crane_infra.migrations.status import status_of
from crane_infra.release.manifest import read_release
from crane_infra.release.outputs import StackOutputs
from crane_infra.release.rehearsed import rehearsal_proof
from crane_infra.release.schemas import read_schema_files, schema_files_of

NOTHING_TO_CHECK = Checked(not_run="no migration is pending")


@dataclass(frozen=True)
class Wish:
    """What is tried: one database or all, where the copies are kept meanwhile, how many rows may be read of each, and whether keys are kept.

    ``ready`` is a folder for the databases that workers bind, as an update would leave them, where a trial is made and all pass.
    """

    only: str | None
    folder: Path
    rows: int
    keys: bool = False
    release: str = ""
    ready: Path | None = None


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

    rehearsal = _Rehearsal(settings, catalog, outputs, created, wish, Watch(say, progress))
    return asyncio.run(rehearsal.trials(names))


def bound_databases(catalog: Catalog) -> list[str]:
    """The databases that workers bind, by their names in the catalog."""
    bound = {database for worker in catalog.workers.values() for database in worker.databases.values()}
    return [name for name in catalog.databases if name in bound]


def ready_file(folder: Path, database: str) -> Path:
    """Where a rehearsal leaves a database as an update would leave it."""
    return folder / f"{database}.ready.sqlite"


def proof_of(
    settings: Settings, catalog: Catalog, outputs: StackOutputs, trials: Sequence[Trial], checked: Checked = NOTHING_TO_CHECK
) -> str | None:
    """What an update of production asks for with ``require-rehearsal``.

    None unless all databases were looked at, all trials passed and all checks that there were to run.

    Raises LiveError where a ledger is another one than it was when the rehearsal began, else as ``ledger_heads`` does.
    """
    heads = asyncio.run(ledger_heads(settings, outputs))
    tried = {trial.database: trial.head for trial in trials}
    if not all(trial.passes for trial in trials) or not heads.keys() <= tried.keys() or not checked.passes or checked.lacking:
        return None
    for name, head in heads.items():
        if tried[name] != head:
            raise LiveError(f"database {name}", "its ledger changed during the rehearsal", "Run the rehearsal again")
    return rehearsal_proof(read_release(catalog, settings.workers_dir).digest, heads)


@dataclass(frozen=True)
class _Rehearsal:
    """A rehearsal of a stack; ``created`` are the ids of databases that its outputs do not name yet."""

    settings: Settings
    catalog: Catalog
    outputs: StackOutputs
    created: Mapping[str, str]
    wish: Wish
    watch: Watch

    async def trials(self, names: Sequence[str]) -> list[Trial]:
        """Try what is pending for each of these databases, then make the others ready that workers bind."""
        trials = []
        for name in names:
            if name in self.catalog.databases and not self._exists(name):
                self.watch.say(f"{name}: the stack has not created it yet, so it has no rows to try anything on")
                continue
            async with managed(self.settings, self.catalog, self.outputs, name) as (database,):
                trials.append(await self._tried(database))
        if self.wish.ready and any(trial.pending for trial in trials) and all(trial.passes for trial in trials):
            for name in bound_databases(self.catalog):
                path = ready_file(self.wish.ready, name)
                if not path.exists():
                    trials += await (self._copy(name, path) if self._exists(name) else self._make(name, path))
        return trials

    def _exists(self, name: str) -> bool:
        return id_of(self.settings, self.outputs, name, self.created) is not None

    async def _tried(self, database: ManagedDatabase) -> Trial:
        judgement, wish = await status_of(database.db, database.schema), self.wish
        pending = tuple(file.name for file in judgement.plan.pending)
        if not pending:
            refusal = tuple(map(str, judgement.refusal.errors)) if judgement.refusal else ()
            return Trial(database.name, None, judgement.ledger.head, refusal=refusal)
        path = wish.folder / f"{database.name}.sqlite"
        copied = await copy_database(database.db, path, limits=Limits(rows=wish.rows), watch=self.watch)
        result = ready_file(wish.ready, database.name) if wish.ready else None
        trial = await try_migrations(copied, Attempt(database.name, database.schema, wish.release, wish.keys, result))
        return replace(trial, pending=pending)

    async def _copy(self, name: str, path: Path) -> list[Trial]:
        """Copy a database for which nothing is pending."""
        self.watch.say(f"{name}: nothing is pending; it is copied for the checks of the release")
        async with managed(self.settings, self.catalog, self.outputs, name) as (database,):
            await copy_database(database.db, path, limits=Limits(rows=self.wish.rows), watch=self.watch)
        return []

    async def _make(self, name: str, path: Path) -> list[Trial]:
        """Make a database that the stack has not created yet; the trial of its files where an update would not apply them."""
        empty = path.with_suffix(".empty")
        empty.touch(mode=0o600)
        schema = schema_files_of(self.settings, name, *read_schema_files(self.catalog.databases[name], self.settings.workers_dir))
        trial = await try_migrations(Copied(empty, (), None), Attempt(name, schema, self.wish.release, result=path))
        return [] if trial.passes else [replace(trial, copied=None)]
