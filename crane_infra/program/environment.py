"""Declares one environment, top to bottom: the gate, databases, workers, schemas, routing, and the release's proof.

Prevents a production that runs what staging did not, and a version that serves before its schema is there.
"""

from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pulumi

from crane_infra.config.catalog import Catalog
from crane_infra.config.settings import Settings
from crane_infra.config.variables import variables_of
from crane_infra.errors import CraneError
from crane_infra.live.expected import ExpectedHead, require_schemas
from crane_infra.live.promotion import require_open
from crane_infra.migrations.files.read import MigrationFile
from crane_infra.migrations.ledger import head_of
from crane_infra.program.announce.adoptions import announce_adoptions
from crane_infra.program.announce.gate import pass_gate
from crane_infra.program.announce.held import held_migrations
from crane_infra.program.announce.manual import look_at_deployments, returned
from crane_infra.program.announce.migrations import announce_migrations, look_at_ledgers
from crane_infra.program.background import begin
from crane_infra.program.components.database import Database, DatabaseConfig, SchemaStep, declare_schema
from crane_infra.program.components.release import declare_release, written
from crane_infra.program.components.routing import Routing, RoutingConfig
from crane_infra.program.components.worker import Worker, WorkerConfig
from crane_infra.program.exports import Standing, declared_crons, environment_record, proofs_with_claim
from crane_infra.program.hooks.adapter import Action, before
from crane_infra.program.hooks.steps import Log, ReleaseStep, migrate_database, prove
from crane_infra.program.preparation import Prepared, prepare
from crane_infra.release.gate import Verdict
from crane_infra.release.rollback import Held
from crane_infra.release.schemas import wanted_of

USER_WAS_TOLD = 32
ENGINE = ">=3.238.0"  # the first in which a failing after-hook fails the run


@contextmanager
def refusals_in_one_line() -> Iterator[None]:
    """Says an error that a user can mend in one line and ends the program.

    With Pulumi's own RunError the engine adds a line of its own about an unhandled error. This exit code tells the language
    host that the user has been told (pulumi-language-python-exec: "an error message was displayed to the user").
    """
    try:
        yield
    except CraneError as error:
        pulumi.log.error(str(error))
        raise SystemExit(USER_WAS_TOLD) from None


def require_engine() -> None:
    """End the program, before anything is declared, where the engine is too old: one that knows no hooks would run none."""
    pulumi.require_pulumi_version(ENGINE)


def declare(settings: Settings, catalog: Catalog) -> None:
    """Declare the environment that ``settings`` describe.

    Raises a CraneError before the first resource where anything is wrong or the gate is closed.
    """
    prepared = prepare(settings, catalog)
    verdict = pass_gate(prepared)
    ledgers, deployments = begin(look_at_ledgers(prepared)), begin(look_at_deployments(prepared))
    announce_adoptions(prepared)
    announce_migrations(prepared, ledgers)
    held, anew = held_migrations(prepared, verdict), returned(prepared, deployments)
    databases = {name: Database(name, DatabaseConfig(settings.account_id, own)) for name, own in settings.databases.items()}
    workers = {name: _worker(prepared, name, databases, anew.get(name, "never")) for name in catalog.workers}
    uploaded = [worker.version for worker in workers.values()]
    schemas = [declare_schema(database, _schema_step(prepared, name, held[name]), uploaded) for name, database in databases.items()]
    ready = _ready_for_traffic(prepared, _heads(prepared, databases, held), verdict)
    routings = {name: Routing(name, _routing(prepared, name, worker, ready), schemas) for name, worker in workers.items()}
    routed: list[pulumi.Resource] = [routing.deployment for routing in routings.values()]
    record = _record(prepared, workers, databases, Standing(held, anew))
    release = declare_release(record, _hook(prepared, "release", _prove(prepared)), [*schemas, *routed])
    outputs = written(release, prepared.last)
    pulumi.export("proofs", outputs.apply(lambda held: held.get("proofs") or []))
    pulumi.export("environment", outputs.apply(lambda held: held.get("environment") or {}))


def _worker(prepared: Prepared, name: str, databases: Mapping[str, Database], anew: str) -> Worker:
    settings, declared = prepared.settings, prepared.catalog.workers[name]
    return Worker(
        name,
        WorkerConfig(
            account_id=settings.account_id,
            script=settings.script(name),
            adopt=settings.workers[name].adopt,
            workers_dev=settings.workers[name].workers_dev,
            catalog=declared,
            bundle=prepared.release.bundles[name],
            tag=prepared.release.tag(name),
            variables=variables_of(name, prepared.catalog, settings),
            secrets=prepared.secrets_of(name),
            databases={binding: databases[database].d1.id for binding, database in declared.databases.items()},
            services={binding: settings.script(service) for binding, service in settings.workers[name].services.items()},
            anew=anew,
        ),
    )


def _schema_step(prepared: Prepared, name: str, held: tuple[MigrationFile, ...]) -> SchemaStep:
    settings, shown = prepared.settings, prepared.settings.databases[name].name

    async def migrate(args: pulumi.ResourceHookArgs) -> None:
        database_id = (args.new_inputs or {})["input"]["id"]
        if settings.rollback_to:
            await require_schemas(settings, [ExpectedHead(shown, database_id, head_of(held))])
        else:
            wanted = wanted_of(settings, name, held, prepared.release.bases.get(name))
            await migrate_database(settings, shown, database_id, wanted, release=prepared.release.digest, log=_log(prepared))

    return SchemaStep(held, prepared.release.bases.get(name), _hook(prepared, f"{name}-schema", migrate))


Heads = Callable[[], Awaitable[list[ExpectedHead]]]


def _heads(prepared: Prepared, databases: Mapping[str, Database], held: Held) -> Heads:
    async def known() -> list[ExpectedHead]:
        return [
            ExpectedHead(prepared.settings.databases[name].name, str(await database.d1.id.future()), head_of(held[name]))
            for name, database in databases.items()
        ]

    return known


def _ready_for_traffic(prepared: Prepared, heads: Heads, verdict: Verdict | None) -> Action:
    """Looks once more before a version gets traffic: ``--target`` may have left the schema out, staging may have moved on."""

    async def look(_: pulumi.ResourceHookArgs) -> None:
        await require_schemas(prepared.settings, await heads())
        if verdict is not None:
            await require_open(prepared.settings, verdict)

    return look


def _routing(prepared: Prepared, name: str, worker: Worker, ready: Action) -> RoutingConfig:
    return RoutingConfig(
        account_id=prepared.settings.account_id,
        script=prepared.settings.script(name),
        version=worker.version.id,
        crons=declared_crons(prepared, name),
        ready=_hook(prepared, f"{name}-traffic", ready),
    )


def _record(prepared: Prepared, workers: Mapping[str, Worker], databases: Mapping[str, Database], standing: Standing) -> dict[str, Any]:
    ids = pulumi.Output.all(
        workers={name: worker.version.id for name, worker in workers.items()},
        databases={name: database.d1.id for name, database in databases.items()},
    )
    return {
        "proofs": ids.apply(lambda known: proofs_with_claim(prepared, known["workers"], known["databases"], standing.held)),
        # Apart from the proofs, whose version ids no preview knows: a preview shows it, changed variables and fingerprints included.
        "environment": environment_record(prepared, {name: database.d1.id for name, database in databases.items()}, standing.anew),
    }


def _prove(prepared: Prepared) -> Action:
    secrets = {name: prepared.secrets_of(name) for name in prepared.catalog.workers}
    step = ReleaseStep(prepared.settings, prepared.catalog, secrets, _log(prepared))

    async def look(args: pulumi.ResourceHookArgs) -> None:
        await prove(step, (args.new_inputs or {})["input"]["proofs"][0])

    return look


def _log(prepared: Prepared) -> Log:
    return lambda text: pulumi.log.info(prepared.redact(text))


def _hook(prepared: Prepared, name: str, action: Action) -> pulumi.ResourceHookBinding:
    return before(name, action, deadline=prepared.settings.hook_deadline_minutes * 60.0, redact=prepared.redact)
