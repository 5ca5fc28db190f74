"""What an environment exports: its proofs, and a readable account of what is particular to it.

Only claims; the release step's hook makes sure that a claim is true before it is written. Prevents outputs that a reviewer
cannot judge, and a secret's value among them: secrets appear as fingerprints.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pulumi

from crane_infra.checks.run import select
from crane_infra.config.settings import Settings
from crane_infra.config.variables import variables_of
from crane_infra.migrations.ledger import head_of
from crane_infra.program.preparation import Prepared
from crane_infra.release.origin import commit, versions
from crane_infra.release.proof import PROOF_SCHEMA, Proof, ProvenDatabase, ProvenHead, ProvenWorker, extended
from crane_infra.release.rollback import Held


@dataclass(frozen=True)
class Standing:
    """What each ledger is to hold, and for which workers the version was uploaded anew, with the mark of the deployment it replaced."""

    held: Held
    anew: Mapping[str, str]


def proofs_with_claim(
    prepared: Prepared, versions_by_worker: Mapping[str, str], ids: Mapping[str, str], held: Held
) -> list[dict[str, Any]]:
    """The proofs with this release's claim in front. ``ids`` are those of the databases."""
    claimed = _claim(prepared, versions_by_worker, ids, held)
    return extended(prepared.last.get("proofs") or [], claimed, _renewal(prepared.settings))


def _renewal(settings: Settings) -> timedelta | None:
    """Where proofs expire, a second look renews one that has had half of its time."""
    days = settings.proof_max_age_days
    return timedelta(days=days) / 2 if days else None


def _claim(prepared: Prepared, versions_by_worker: Mapping[str, str], ids: Mapping[str, str], held: Held) -> Proof:
    """What is claimed of this release; the release step's hook makes sure that it is true before it is written."""
    settings, release = prepared.settings, prepared.release
    heads = {name: head_of(files) for name, files in held.items()}
    return Proof(
        schema=PROOF_SCHEMA,
        project=settings.project,
        environment=settings.environment,
        account=settings.account_id,
        digest=release.digest,
        manifest=release.manifest,
        workers={
            name: ProvenWorker(script=settings.script(name), version=version, tag=release.tag(name))
            for name, version in versions_by_worker.items()
        },
        databases={
            name: ProvenDatabase(
                id=ids[name],
                name=settings.databases[name].name,
                head=ProvenHead(name=head.name, count=head.count, digest=head.digest),
            )
            for name, head in heads.items()
        },
        checks={
            name: tuple(check.name for check in select(worker.checks, settings.environment))
            for name, worker in prepared.catalog.workers.items()
        },
        commit=commit(settings.root),
        proven_at=datetime.now(UTC),
        versions=versions(),
    )


def declared_crons(prepared: Prepared, worker: str) -> tuple[str, ...] | None:
    """The schedules to declare; None where a worker never had any.

    Deleting the resource tells Cloudflare nothing, so a worker that had schedules once keeps an empty list of them.
    """
    crons = prepared.settings.workers[worker].crons
    had = ((prepared.last.get("environment") or {}).get("workers") or {}).get(worker, {}).get("crons")
    return crons if crons or had is not None else None


def environment_record(prepared: Prepared, ids: Mapping[str, pulumi.Input[str]], anew: Mapping[str, str]) -> dict[str, Any]:
    """What is particular to this environment, for people and for the other stack to read: never a secret's value.

    ``ids`` are those of the databases. All else is known before anything runs.
    """
    settings = prepared.settings
    return {
        "databases": {
            name: {"name": own.name, "id": ids[name], "adopted": own.adopt is not None} for name, own in settings.databases.items()
        },
        "workers": {
            name: {
                "script": settings.script(name),
                "url": settings.url(name),
                "adopted": own.adopt,
                "variables": variables_of(name, prepared.catalog, settings),
                "crons": None if (crons := declared_crons(prepared, name)) is None else list(crons),
                "services": dict(own.services),
                **({"uploaded-anew-for": anew[name]} if name in anew else {}),
            }
            for name, own in settings.workers.items()
        },
        "secrets": dict(prepared.fingerprints),
    }
