"""What the hooks do: apply the pending migrations of a database; check what is live before traffic moves; prove a release.

Knows no Pulumi, so that each step can be tested without an engine.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from crane_infra.checks.model import AnyCheck
from crane_infra.checks.run import Target, run_checks, select
from crane_infra.config.catalog import Catalog, CatalogWorker
from crane_infra.config.settings import Settings
from crane_infra.counted import counted
from crane_infra.data.seeds.files import Seed
from crane_infra.data.seeds.run import run_seeds
from crane_infra.data.staging import staging_database
from crane_infra.errors import ApiError, CheckError
from crane_infra.live.account import open_account
from crane_infra.live.declared import DeclaredScript, set_back
from crane_infra.live.expected import ExpectedHead, Served, expected_heads, expected_versions, require_heads, require_live
from crane_infra.live.first_update import as_used
from crane_infra.migrations.apply import migrate
from crane_infra.migrations.files.read import SchemaFiles
from crane_infra.migrations.ledger import Ledger
from crane_infra.migrations.run.state import Progress
from crane_infra.program.hooks.side_by_side import ChecksUnderWay, for_each_worker
from crane_infra.release.proof import Proof, readable

Log = Callable[[str], None]


async def judged_as_used(settings: Settings, database_id: str, schema: SchemaFiles, scripts: Iterable[str]) -> SchemaFiles:
    """The files of a database that no release has yet, and that ``scripts`` bind: marked as not in use where that is so. Raises ApiError."""
    async with open_account(settings) as account:
        return await as_used(account, schema, scripts, database_id)


@dataclass(frozen=True)
class Logs:
    """Where a step writes: ``log`` for what stays to be read; ``progress`` for what goes as planned and what it waits for, None: ``log``."""

    log: Log
    progress: Progress | None = None


async def migrate_database(  # noqa: PLR0913 - most are keywords
    settings: Settings, name: str, database_id: str, schema: SchemaFiles, *, release: str, logs: Logs, known: Ledger | None = None
) -> None:
    """Apply the pending migrations of one database, called ``name``; ``known`` is its ledger as the run has read it before.

    Raises MigrationError that names the file, what was applied and what is pending; ApiError where D1 fails.
    """
    async with open_account(settings) as account:
        await migrate(account.database(database_id, name), schema, release=release, log=logs.log, progress=logs.progress, known=known)


async def seed_database(settings: Settings, name: str, database_id: str, seeds: Sequence[Seed], *, others: Iterable[str], log: Log) -> None:
    """Run the seeds of one database, called ``name`` in the catalog, that it does not have yet. ``others`` are ids of production's databases.

    Raises DataError for a database that is not one of staging, MigrationError that names the seed which failed; ApiError where D1 fails.
    """
    async with open_account(settings) as account:
        db = account.database(database_id, settings.databases[name].name)
        await run_seeds(staging_database(settings.environment, name, database_id, db, others), seeds, log)


async def require_schemas(settings: Settings, heads: Iterable[ExpectedHead]) -> None:
    """Check that each ledger stands where the files do, before a version that needs them gets traffic.

    Raises LiveError naming the first that does not; ApiError where D1 fails.
    """
    async with open_account(settings) as account:
        await require_heads(account, heads)


@dataclass(frozen=True)
class ProveStep:
    """What proving a release needs besides the claim: ``secrets`` are values by worker and binding.

    ``returned`` are scripts whose settings somebody changed, and which are set back first: checks need the addresses.
    """

    settings: Settings
    catalog: Catalog
    secrets: Mapping[str, Mapping[str, str]] = field(repr=False)
    log: Log
    returned: Sequence[DeclaredScript] = ()
    classes: Mapping[str, str] = field(default_factory=dict)
    """By script, the tag of the Durable Object migration that this run applied, past which no version can be put back."""
    progress: Progress | None = None
    """Is told what goes as planned and what the step waits for; None: ``log`` has what goes as planned."""


async def prove(step: ProveStep, claim: Mapping[str, Any], older: Iterable[object] = ()) -> None:
    """Check that a claimed proof is true: look at what is live, then run the checks on the live addresses.

    ``older`` are the proofs before it. Raises LiveError, CheckError or ApiError.
    """
    proof, before = Proof.model_validate(claim), [seen for seen in map(readable, older) if seen]
    async with open_account(step.settings) as account:
        for declared in step.returned:
            for text in await set_back(account, declared):
                step.log(f"worker {declared.script}: set back {text}")
        served = await require_live(account, expected_versions(proof, before), expected_heads(proof))
    under_way = ChecksUnderWay(step.progress)
    writers = {name for name, worker in step.catalog.workers.items() if any(check.mutating for check in due_checks(worker, step.settings))}
    counts = await for_each_worker(step.catalog.workers, writers, lambda name: _check(step, name, served[name], under_way))
    count, listed = sum(counts.values()), ", ".join(f"{served[name].expected.script} {number}" for name, number in counts.items())
    (step.progress.passes if step.progress else step.log)(f"{counted(count, 'check')} passed: {listed}")


async def _check(step: ProveStep, name: str, served: Served, under_way: ChecksUnderWay) -> int:
    """Run the checks of a worker; returns how many passed."""
    worker, settings, script = step.catalog.workers[name], step.settings, served.expected.script
    if served.is_twin:
        step.log(served.summary)
    target = Target(script, settings.url(name), served.version if worker.reports_version else None, step.secrets[name], settings.root)
    try:
        return len(await run_checks(target, due_checks(worker, settings), begins=partial(under_way.begins, script)))
    except CheckError as error:
        if step.classes:
            raise _without_way_back(step, error) from None
        raise await _with_way_back(step, served, error) from None
    finally:
        under_way.ended(script)


def due_checks(worker: CatalogWorker, settings: Settings) -> tuple[AnyCheck, ...]:
    """The checks of this environment, with its own deadline where it sets one."""
    due = select(worker.checks, settings.environment)
    seconds = settings.check_deadline_seconds
    return tuple(due) if seconds is None else tuple(check.model_copy(update={"deadline": float(seconds)}) for check in due)


def _without_way_back(step: ProveStep, error: CheckError) -> CheckError:
    """Say that the classes stay as this run has made them, so that nobody looks for a way back."""
    stay = " and ".join(f"{tag} of {script}" for script, tag in step.classes.items())
    todo = f"{error.todo.rstrip('.')}. The Durable Object migration {stay} stays, and crane rollback cannot go back past it: fix forward"
    return CheckError(error.where, error.what, todo)


async def _with_way_back(step: ProveStep, served: Served, error: CheckError) -> CheckError:
    """In production the release serves already: name the version that served before it and the command that returns to it."""
    if step.settings.environment != "production":
        return error
    script = served.expected.script
    try:
        async with open_account(step.settings) as account:
            deployments = await account.deployments(script)
    except ApiError:
        return error
    # A deployment may have been sent twice, and steps of a rollout come in between, so the one before may be of the same version.
    served_before = [deployment.traffic for deployment in deployments[1:] if not deployment.is_step]
    before = next((traffic for traffic in served_before if traffic != {served.version: 100}), {})
    if len(before) != 1:
        return CheckError(error.where, error.what, f"{error.todo}. No single version of {script} served before this one")
    (version,) = before
    way_back = "To put all workers back to the release before: crane rollback -s production"
    alone = f"Before it, version {version} served; for this worker alone: wrangler rollback {version} --name {script}"
    return CheckError(error.where, error.what, f"{error.todo}. {way_back}. {alone}")
