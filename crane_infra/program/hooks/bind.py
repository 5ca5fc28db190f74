"""Binds the steps to the resources before which they run: one function for each hook of an environment."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

import pulumi

from crane_infra.at_once import all_at_once
from crane_infra.errors import LiveError
from crane_infra.live.expected import ExpectedHead
from crane_infra.live.first_update import scripts_with
from crane_infra.live.promotion import require_open
from crane_infra.migrations.ledger import Ledger, head_of
from crane_infra.program.announce.declared import declared_script
from crane_infra.program.announce.gate import require_not_frozen
from crane_infra.program.announce.plan import Plan
from crane_infra.program.casing import snake
from crane_infra.program.components.database import Database
from crane_infra.program.components.worker import Worker
from crane_infra.program.hooks.adapter import Action, around, before
from crane_infra.program.hooks.candidates import Candidates, Leaves
from crane_infra.program.hooks.script_settings import SettingsGuard
from crane_infra.program.hooks.shared_look import SharedLook
from crane_infra.program.hooks.steps import Log, Logs, ProveStep, judged_as_used, migrate_database, prove, require_schemas, seed_database
from crane_infra.program.preparation import Prepared
from crane_infra.program.waiting import Activity, Watch
from crane_infra.release.exported import proofs_of
from crane_infra.release.gate import Verdict
from crane_infra.release.schemas import schema_files_of


def keep_settings_around(run: Prepared, plan: Plan, name: str) -> pulumi.ResourceHookBinding | None:
    """Around an update of a script's settings: change only what is declared. None where a preview could not read the settings."""
    declared = run.settings.workers[name].declared
    if (sent := plan.settings.script(name, declared)) is None:
        return None
    guard = SettingsGuard(run.settings, run.settings.script(name), declared, sent, _log(run))

    async def first(args: pulumi.ResourceHookArgs) -> None:
        guard.announce(snake(dict(args.old_outputs or {})))
        if not pulumi.runtime.is_dry_run():
            await guard.check()

    async def then(_: pulumi.ResourceHookArgs) -> None:
        await guard.restore()

    deadline = run.settings.hook_deadline_minutes * 60.0
    return around(f"{name}-settings", first, then, deadline=deadline, redact=run.redact)


def migrate_before(run: Prepared, plan: Plan, name: str) -> pulumi.ResourceHookBinding:
    """Before the schema record of a database is written: apply its pending migrations; in a rollback only check its ledger."""
    settings, files, shown = run.settings, plan.migrations[name], run.settings.databases[name].name

    async def migrate(args: pulumi.ResourceHookArgs) -> None:
        database_id = (args.new_inputs or {})["input"]["id"]
        if database_id == settings.databases[name].recreate:
            what = f"Pulumi's state still has {database_id}, which recreate gives up"
            raise LiveError(f"database {shown}", what, f"Run pulumi refresh -s {settings.environment}, then the same command again")
        if settings.rollback_to:
            await require_schemas(settings, [ExpectedHead(settings.environment, shown, database_id, head_of(files))])
        else:
            schema = schema_files_of(settings, name, files, run.release.bases.get(name))
            schema = replace(schema, has_ledger=bool(run.last.migrations(name)))
            if database_id != run.database_id(name):
                schema = await judged_as_used(settings, database_id, schema, scripts_with(settings, run.catalog, name))
            activity = Activity(_progress(run))
            logs = Logs(_log(run), activity)
            known = plan.ledgers.get(name) if database_id == run.database_id(name) else Ledger()
            work = migrate_database(settings, shown, database_id, schema, release=run.release.digest, logs=logs, known=known)
            await Watch(activity.say).during(work, activity)
            if name in run.seeds or name in plan.seeds.completes:
                seeds = run.seeds.get(name, ())
                await seed_database(settings, name, database_id, seeds, others=run.others_databases, log=_progress(run))

    return _bind(run, f"{name}-schema", migrate)


def check_before_traffic(
    run: Prepared, plan: Plan, verdict: Verdict | None, workers: Mapping[str, Worker], databases: Mapping[str, Database]
) -> Callable[[str], pulumi.ResourceHookBinding]:
    """Before a version gets traffic: check once more that each schema is there and that the gate is still open, then try the version.

    ``--target`` may have left the schema out, staging may have changed during the run, and somebody may have frozen production. All candidates
    share the look before they join. A worker whose turn comes after the trials looks at its own databases again.
    """

    async def gate() -> None:
        if verdict is not None:
            await require_open(run.settings, verdict)

    open_gate = SharedLook(gate)

    async def look(names: Iterable[str]) -> None:
        heads = [await _expected_head(run, plan, name, databases[name]) for name in names]
        await all_at_once([require_schemas(run.settings, heads), open_gate()])

    async def join() -> None:
        await look(databases)

    async def follow(worker: str) -> None:
        await look(sorted({*run.catalog.workers[worker].databases.values()}))

    async def not_frozen() -> None:
        if verdict is not None:
            await asyncio.to_thread(require_not_frozen, run.settings, verdict)

    leaves = Leaves(join, follow, not_frozen)
    candidates = Candidates(run, plan, workers, _log(run), Activity(_progress(run)), leaves)

    def check(worker: str) -> Action:
        async def check_one(_: pulumi.ResourceHookArgs) -> None:
            await candidates.require(worker)

        return check_one

    return lambda worker: _bind(run, f"{worker}-traffic", check(worker), more_seconds=run.settings.longest_rollout_seconds)


def prove_before(run: Prepared, plan: Plan) -> pulumi.ResourceHookBinding:
    """Before the release record is written: set back what somebody changed of the declared settings, then prove what the record claims."""
    returned = [declared_script(run, name) for name in run.catalog.workers if name in plan.settings.returned]
    secrets = {name: run.secrets_of(name) for name in run.catalog.workers}
    activity = Activity(_progress(run))
    classes = {run.settings.script(name): sent.sent.new for name, sent in plan.classes.pending.items()}
    step = ProveStep(run.settings, run.catalog, secrets, _log(run), returned, classes, activity)

    async def check(args: pulumi.ResourceHookArgs) -> None:
        claim, *older = proofs_of((args.new_inputs or {})["input"])
        await Watch(activity.say).during(prove(step, claim, older), activity)

    return _bind(run, "release", check)


async def _expected_head(run: Prepared, plan: Plan, name: str, database: Database) -> ExpectedHead:
    return ExpectedHead(
        run.settings.environment, run.settings.databases[name].name, str(await database.d1.id.future()), head_of(plan.migrations[name])
    )


def _log(run: Prepared) -> Log:
    return lambda text: pulumi.log.info(run.redact(text))


def _progress(run: Prepared) -> Log:
    """Lines that a terminal shows beside the step while it runs, and that stay in the log of a CI run."""
    return lambda text: pulumi.log.info(run.redact(text), ephemeral=True)


def _bind(run: Prepared, name: str, action: Action, *, more_seconds: float = 0) -> pulumi.ResourceHookBinding:
    return before(name, action, deadline=run.settings.hook_deadline_minutes * 60.0 + more_seconds, redact=run.redact)
