"""Builds the resources of an environment from what was prepared: one function for each act of the story in environment.py."""

from collections.abc import Mapping, Sequence

import pulumi

from crane_infra.config.bound import bindings_of
from crane_infra.config.variables import variables_of
from crane_infra.program.announce.plan import Plan
from crane_infra.program.components import release
from crane_infra.program.components.database import Database, DatabaseConfig, SchemaStep, declare_schema
from crane_infra.program.components.point import declare_point
from crane_infra.program.components.routing import Routing, RoutingConfig
from crane_infra.program.components.worker import UploadedAssets, Worker, WorkerConfig
from crane_infra.program.exports import release_record
from crane_infra.program.hooks.bind import check_before_traffic, keep_settings_around, migrate_before, prove_before
from crane_infra.program.hooks.existing import refuse_existing_database, refuse_existing_worker
from crane_infra.program.preparation import Prepared
from crane_infra.release.gate import Verdict


def declare_databases(run: Prepared, plan: Plan) -> dict[str, Database]:
    """The databases by catalog name."""
    configs = {
        name: DatabaseConfig(
            account=run.account,
            settings=database,
            read_replication=plan.settings.replication(name, database.read_replication),
            created=refuse_existing_database(run, name),
        )
        for name, database in run.settings.databases.items()
    }
    return {name: Database(name, config) for name, config in configs.items()}


def declare_workers(run: Prepared, plan: Plan, databases: Mapping[str, Database]) -> dict[str, Worker]:
    """The workers by catalog name, each with its newest version, which gets no traffic yet. A worker waits for those that it calls."""
    workers: dict[str, Worker] = {}
    for name, called in run.calls.items():
        workers[name] = Worker(name, _worker_config(run, plan, name, databases), after=[workers[other].version for other in called])
    return workers


def declare_uploaded(workers: Mapping[str, Worker]) -> pulumi.Stash:
    """The point at which every version is uploaded."""
    return declare_point("all-versions", "uploaded", [worker.version for worker in workers.values()])


def declare_schemas(run: Prepared, plan: Plan, databases: Mapping[str, Database], after: pulumi.Resource) -> pulumi.Stash:
    """The schema step of each database, and the point at which every schema is up to date."""
    steps = {
        name: SchemaStep(
            plan.migrations[name],
            migrate_before(run, plan, name),
            run.settings.databases[name].recreate,
            run.seeds.get(name, ()),
            plan.seeds.marks.get(name),
        )
        for name in databases
    }
    schemas = [declare_schema(databases[name], step, [after]) for name, step in steps.items()]
    return declare_point("all-schemas", "up to date", [after, *schemas])


def declare_routes(
    run: Prepared,
    plan: Plan,
    verdict: Verdict | None,
    workers: Mapping[str, Worker],
    databases: Mapping[str, Database],
    after: pulumi.Resource,
) -> list[pulumi.Resource]:
    """The deployment and the schedules of each worker. A worker waits for those that it calls."""
    checked = check_before_traffic(run, plan, verdict, workers, databases)
    configs = {
        name: RoutingConfig(
            account=run.account,
            script=run.settings.script(name),
            version=worker.version.id,
            crons=run.crons_of(name),
            ready=checked(name),
        )
        for name, worker in workers.items()
    }
    routes: dict[str, pulumi.Resource] = {}
    for name, called in run.calls.items():
        routes[name] = Routing(name, configs[name], [after, *(routes[other] for other in called)]).deployment
    return list(routes.values())


def declare_release(
    run: Prepared, plan: Plan, workers: Mapping[str, Worker], databases: Mapping[str, Database], after: Sequence[pulumi.Resource]
) -> pulumi.Stash:
    """The release step: the proof and the record of the environment, written once the hook has seen that the proof is true."""
    return release.declare_release(release_record(run, plan, workers, databases), prove_before(run, plan), after)


def _uploaded_assets(run: Prepared, name: str) -> UploadedAssets | None:
    declared = run.catalog.workers[name].assets
    if declared is None:
        return None
    return UploadedAssets(run.asset_folders[name], declared.config, run.release.assets[name].rules)


def _worker_config(run: Prepared, plan: Plan, name: str, databases: Mapping[str, Database]) -> WorkerConfig:
    settings, declared, classes = run.settings, run.catalog.workers[name], plan.classes.sent.get(name)
    return WorkerConfig(
        account=run.account,
        script=settings.script(name),
        adopt=settings.workers[name].adopted,
        addresses=settings.workers[name].declared["subdomain"],
        settings=plan.settings.script(name, settings.workers[name].declared),
        keep=keep_settings_around(run, plan, name),
        catalog=declared,
        bundle=run.release.bundles[name],
        assets=_uploaded_assets(run, name),
        tag=run.release.tag(name),
        message=run.upload_message(name),
        variables=variables_of(name, run.catalog, settings),
        secrets=run.secrets_of(name),
        databases={binding: databases[database].d1.id for binding, database in declared.databases.items()},
        services=settings.services_of(name),
        others=bindings_of(name, run.catalog, settings),
        class_migrations=classes.form(settings.script) if classes else None,
        reupload=plan.reuploads.get(name),
        created=refuse_existing_worker(run, name),
    )
