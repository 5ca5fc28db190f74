"""What the hooks do: bring a database up to date; look at a release and check it. No Pulumi in here but the log.

Prevents a record of a migration that did not run, and a proof of a release that nobody saw live.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from crane_infra.checks.model import Check
from crane_infra.checks.run import Target, run_checks, select
from crane_infra.config.catalog import Catalog, Worker
from crane_infra.config.settings import Settings
from crane_infra.d1.client import D1
from crane_infra.errors import ApiError, CheckError
from crane_infra.live.account import connect, deployments
from crane_infra.live.expected import expected_heads, expected_versions, require_live
from crane_infra.migrations.apply import bring_up_to
from crane_infra.migrations.files.read import SchemaFiles
from crane_infra.release.proof import Proof

Log = Callable[[str], None]


async def migrate_database(settings: Settings, name: str, database_id: str, wanted: SchemaFiles, *, release: str, log: Log) -> None:
    """Apply the pending migrations of one database, called ``name``.

    Raises MigrationError that names the file, what was applied and what is pending; ApiError where D1 does not answer.
    """
    async with connect(settings) as client:
        await bring_up_to(D1(client, settings.account_id, database_id, name), wanted, release=release, log=log)


@dataclass(frozen=True)
class ReleaseStep:
    """What the release step needs besides the proof: ``secrets`` are values by worker and binding."""

    settings: Settings
    catalog: Catalog
    secrets: Mapping[str, Mapping[str, str]] = field(repr=False)
    log: Log


async def prove(step: ReleaseStep, claimed: Mapping[str, Any]) -> None:
    """Make sure that a claimed proof is true: look at what is live, then run the checks on the live addresses.

    Raises LiveError, CheckError or ApiError.
    """
    proof = Proof.model_validate(claimed)
    async with connect(step.settings) as client:
        await require_live(client, proof.account, expected_versions(proof), expected_heads(proof))
    for name in step.catalog.workers:
        await _check(step, name, proof)


async def _check(step: ReleaseStep, name: str, proof: Proof) -> None:
    worker, settings = step.catalog.workers[name], step.settings
    version = proof.workers[name].version if worker.reports_version else None
    target = Target(proof.workers[name].script, settings.url(name), version, step.secrets[name])
    try:
        passed = await run_checks(target, _due(worker, settings))
    except CheckError as error:
        raise await _with_way_back(step, proof.workers[name].script, error) from None
    step.log(f"{target.worker}: {len(passed)} checks passed on {target.url}")


def _due(worker: Worker, settings: Settings) -> tuple[Check, ...]:
    """The checks of this environment, with its own deadline where it sets one."""
    due = select(worker.checks, settings.environment)
    seconds = settings.check_deadline_seconds
    return tuple(due) if seconds is None else tuple(check.model_copy(update={"deadline": float(seconds)}) for check in due)


async def _with_way_back(step: ReleaseStep, script: str, error: CheckError) -> CheckError:
    """In production the release serves already: name the version that served before it and the command that returns to it."""
    if step.settings.environment != "production":
        return error
    try:
        async with connect(step.settings) as client:
            _, before, *_ = [*await deployments(client, step.settings.account_id, script), None, None]
    except ApiError:
        return error
    if before is None or len(before.shares) != 1:
        return CheckError(error.where, error.what, f"{error.todo}. No single version of {script} served before this one")
    (version,) = before.shares
    way_back = f"Before it, version {version} served: wrangler rollback {version} --name {script}"
    return CheckError(error.where, error.what, f"{error.todo}. {way_back}")
