"""What an environment records and exports: its proofs, their order, a readable record of what is particular to it, and a few lines for people.

Proofs are claims. The release step's hook checks that a claim is true before it is written. Secrets appear as fingerprints only.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pulumi

from crane_infra.checks.run import select
from crane_infra.config.script_settings import ScriptSettings
from crane_infra.config.settings import KEY_NAME, Settings
from crane_infra.config.variables import variables_of
from crane_infra.migrations.ledger import head_of
from crane_infra.program.announce.plan import Plan
from crane_infra.program.components.database import Database
from crane_infra.program.components.release import written
from crane_infra.program.components.worker import Worker
from crane_infra.program.preparation import Prepared
from crane_infra.release.exported import OUTPUTS, SEEDS_DUE, exported, for_people, history
from crane_infra.release.order import numbers_with
from crane_infra.release.origin import versions
from crane_infra.release.proof import PROOF_SCHEMA, Proof, ProvenDatabase, ProvenHead, ProvenWorker, extended
from crane_infra.release.seal import KeySealer


def release_record(prepared: Prepared, plan: Plan, workers: Mapping[str, Worker], databases: Mapping[str, Database]) -> dict[str, Any]:
    """The input of the release step.

    The environment stands apart from the proofs, whose version ids no preview knows, so that a preview shows its changes.
    """
    ids = {name: database.d1.id for name, database in databases.items()}
    known = pulumi.Output.all(workers={name: worker.version.id for name, worker in workers.items()}, databases=ids)
    return {
        "proofs": known.apply(lambda known: history_record(prepared, plan, known["workers"], known["databases"])),
        "environment": environment_record(prepared, plan, ids),
    }


def export(prepared: Prepared, release: pulumi.Stash) -> None:
    """Export what the release step wrote; the stack's last outputs where that step was left out.

    A preview does not know what the step will hold: it shows the lines for people, which depend on no version.
    """
    stack = prepared.settings.environment
    outputs = written(release, prepared.last.recorded).apply(lambda record: exported(stack, record))
    known = expected_for_people(prepared) if pulumi.runtime.is_dry_run() else {}
    for name in OUTPUTS:
        pulumi.export(name, known.get(name) or outputs.apply(partial(_output, name)))


def _output(name: str, values: Mapping[str, Any]) -> Any:  # noqa: ANN401 - JSON
    return values.get(name)


def expected_for_people(prepared: Prepared) -> dict[str, Any]:
    """The lines for people once the release of this run is proven."""
    settings, release, newest = prepared.settings, prepared.release, prepared.last.newest
    is_proven = newest is not None and newest.digest == release.digest
    shown_commit = newest.commit if newest and is_proven else prepared.commit
    return for_people(settings.environment, release.digest, shown_commit, {name: settings.url(name) for name in settings.workers})


def history_record(prepared: Prepared, plan: Plan, version_ids: Mapping[str, str], database_ids: Mapping[str, str]) -> str:
    """The proofs with this release's claim in front, the order of releases and when seeds were due; one text, the last one where nothing changed."""
    proofs = proofs_with_claim(prepared, plan, version_ids, database_ids)
    return history({"proofs": proofs, **releases_record(prepared), SEEDS_DUE: dict(plan.seeds.marks)}, prepared.last.history)


def releases_record(prepared: Prepared) -> dict[str, dict[str, int]]:
    """The order in which this stack first proved its releases, with this one; see release/order.py."""
    numbers = numbers_with(prepared.last.raw, prepared.release.digest)
    return {"releases": numbers} if numbers else {}


def proofs_with_claim(
    prepared: Prepared, plan: Plan, version_ids: Mapping[str, str], database_ids: Mapping[str, str]
) -> list[dict[str, Any]]:
    """The proofs with this release's claim in front; ids are by catalog name."""
    claim = _claim(prepared, plan, version_ids, database_ids)
    seal = KeySealer(prepared.signing_key) if prepared.signing_key else None
    return extended(prepared.last.proofs, claim, _renewal(prepared.settings), seal)


def environment_record(prepared: Prepared, plan: Plan, database_ids: Mapping[str, pulumi.Input[str]]) -> dict[str, Any]:
    """What is particular to this environment, for people and for the other stack to read; known before anything runs but for the ids."""
    return {
        "databases": {
            name: {
                "name": database.name,
                "id": database_ids[name],
                "adopted": database.adopted is not None,
                **({"read-replication": database.read_replication} if database.read_replication else {}),
            }
            for name, database in prepared.settings.databases.items()
        },
        "workers": {name: _worker_record(prepared, plan, name) for name in prepared.settings.workers},
        "secrets": dict(prepared.fingerprints),
    }


def _worker_record(prepared: Prepared, plan: Plan, name: str) -> dict[str, Any]:
    settings, crons = prepared.settings, prepared.crons_of(name)
    declared = settings.workers[name].declared
    return {
        "script": settings.script(name),
        "url": settings.url(name),
        "adopted": settings.workers[name].adopted,
        "variables": variables_of(name, prepared.catalog, settings),
        "crons": None if crons is None else list(crons),
        "services": {binding: service.form for binding, service in settings.workers[name].services.items()},
        **({"bindings": dict(settings.workers[name].bindings)} if settings.workers[name].bindings else {}),
        **({"settings": declared} if declared != ScriptSettings().declared else {}),
        **({"settings-returned": plan.settings.marks[name]} if name in plan.settings.marks else {}),
        **({"class-migrations": plan.classes.sent[name].sent.form} if name in plan.classes.sent else {}),
        **({"uploaded-anew-for": plan.reuploads[name]} if name in plan.reuploads else {}),
    }


def _claim(prepared: Prepared, plan: Plan, version_ids: Mapping[str, str], database_ids: Mapping[str, str]) -> Proof:
    settings, release = prepared.settings, prepared.release
    return Proof(
        schema=PROOF_SCHEMA,
        project=settings.project,
        environment=settings.environment,
        account=settings.account_id,
        digest=release.digest,
        manifest=release.manifest,
        workers={
            name: ProvenWorker(
                script=settings.script(name),
                version=version,
                tag=release.tag(name),
                secrets=prepared.fingerprints_of(name),
                crons=prepared.crons_of(name),
            )
            for name, version in version_ids.items()
        },
        databases={name: _proven_database(prepared, plan, name, database_ids[name]) for name in plan.migrations},
        checks={
            name: tuple(check.name for check in select(worker.checks, settings.environment))
            for name, worker in prepared.catalog.workers.items()
        },
        commit=prepared.commit,
        proven_at=datetime.now(UTC),
        versions=versions(),
        fingerprint_key=prepared.fingerprints.get(KEY_NAME),
    )


def _proven_database(prepared: Prepared, plan: Plan, name: str, database_id: str) -> ProvenDatabase:
    head = head_of(plan.migrations[name])
    proven = ProvenHead(name=head.name, count=head.count, digest=head.digest)
    return ProvenDatabase(id=database_id, name=prepared.settings.databases[name].name, head=proven)


def _renewal(settings: Settings) -> timedelta | None:
    """Where proofs expire, another run renews one that has had half of its time."""
    days = settings.proof_max_age_days
    return timedelta(days=days) / 2 if days else None
