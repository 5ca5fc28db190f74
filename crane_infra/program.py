"""Declares one environment, top to bottom: the gate, databases, workers, schemas, routing, and the release's proof.

Prevents a production that runs what staging did not, and a version that serves before its schema is there.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import pulumi

from crane_infra.catalog import Catalog
from crane_infra.components.database import Database, DatabaseConfig, SchemaStep, declare_schema
from crane_infra.components.routing import Routing, RoutingConfig
from crane_infra.components.worker import Worker, WorkerConfig
from crane_infra.consistency import variables_of
from crane_infra.errors import CraneError
from crane_infra.hooks import Action, before
from crane_infra.preparation import Prepared, pass_gate, prepare
from crane_infra.record import release_record
from crane_infra.settings import Settings
from crane_infra.steps import Log, ReleaseStep, migrate_database, prove

ENGINE = ">=3.238.0"  # the first in which a failing after-hook fails the run


@contextmanager
def refusals_in_one_line() -> Iterator[None]:
    """Turns an error that a user can mend into Pulumi's kind that is printed without a traceback."""
    try:
        yield
    except CraneError as error:
        raise pulumi.RunError(str(error)) from None


def require_engine() -> None:
    """End the program, before anything is declared, where the engine is too old: one that knows no hooks would run none."""
    pulumi.require_pulumi_version(ENGINE)


def declare(settings: Settings, catalog: Catalog) -> None:
    """Declare the environment that ``settings`` describe.

    Raises a CraneError before the first resource where anything is wrong or the gate is closed.
    """
    prepared = prepare(settings, catalog)
    pass_gate(prepared)
    databases = {name: Database(name, DatabaseConfig(settings.account_id, own)) for name, own in settings.databases.items()}
    workers = {name: _worker(prepared, name, databases) for name in catalog.workers}
    uploaded = [worker.version for worker in workers.values()]
    schemas = [declare_schema(database, _schema_step(prepared, name), uploaded) for name, database in databases.items()]
    routings = {name: Routing(name, _routing(prepared, name, worker), schemas) for name, worker in workers.items()}
    routed: list[pulumi.Resource] = [routing.deployment for routing in routings.values()]
    release = _declare_release(prepared, databases, workers, [*schemas, *routed])
    pulumi.export("proofs", release.input.apply(lambda given: given["proofs"]))
    pulumi.export("environment", release.input.apply(lambda given: given["environment"]))


def _worker(prepared: Prepared, name: str, databases: Mapping[str, Database]) -> Worker:
    settings, declared = prepared.settings, prepared.catalog.workers[name]
    return Worker(
        name,
        WorkerConfig(
            account_id=settings.account_id,
            script=settings.script(name),
            adopt=settings.workers[name].adopt,
            catalog=declared,
            bundle=prepared.release.bundles[name],
            tag=prepared.release.tag(name),
            variables=variables_of(name, prepared.catalog, settings),
            secrets=prepared.secrets_of(name),
            databases={binding: databases[database].d1.id for binding, database in declared.databases.items()},
            services={binding: settings.script(service) for binding, service in settings.workers[name].services.items()},
        ),
    )


def _schema_step(prepared: Prepared, name: str) -> SchemaStep:
    settings, files = prepared.settings, prepared.release.migrations[name]

    async def migrate(args: pulumi.ResourceHookArgs) -> None:
        database_id = (args.new_inputs or {})["input"]["id"]
        shown = settings.databases[name].name
        await migrate_database(settings, shown, database_id, files, release=prepared.release.digest, log=_log(prepared))

    return SchemaStep(files, migrate, _deadline(settings), prepared.redact)


def _routing(prepared: Prepared, name: str, worker: Worker) -> RoutingConfig:
    """Deleting a cron resource tells Cloudflare nothing, so a worker that had crons is told of none before it is let go."""
    crons = prepared.settings.workers[name].crons
    had = ((prepared.last.get("environment") or {}).get("workers") or {}).get(name, {}).get("crons")
    return RoutingConfig(prepared.settings.account_id, prepared.settings.script(name), worker.version.id, crons if crons or had else None)


def _declare_release(
    prepared: Prepared, databases: Mapping[str, Database], workers: Mapping[str, Worker], after: list[pulumi.Resource]
) -> pulumi.Stash:
    """The release step: the proofs and the readable environment, written only once the newest proof was seen to be true."""
    ids = pulumi.Output.all(
        workers={name: worker.version.id for name, worker in workers.items()},
        databases={name: database.d1.id for name, database in databases.items()},
    )
    return pulumi.Stash(
        "release",
        input=ids.apply(lambda known: release_record(prepared, known["workers"], known["databases"])),
        opts=pulumi.ResourceOptions(
            protect=True,
            depends_on=after,
            hooks=before("release", _prove(prepared), deadline=_deadline(prepared.settings), redact=prepared.redact),
        ),
    )


def _prove(prepared: Prepared) -> Action:
    secrets = {name: prepared.secrets_of(name) for name in prepared.catalog.workers}
    step = ReleaseStep(prepared.settings, prepared.catalog, secrets, _log(prepared))

    async def look(args: pulumi.ResourceHookArgs) -> None:
        await prove(step, (args.new_inputs or {})["input"]["proofs"][0])

    return look


def _log(prepared: Prepared) -> Log:
    return lambda text: pulumi.log.info(prepared.redact(text))


def _deadline(settings: Settings) -> float:
    return settings.hook_deadline_minutes * 60.0
