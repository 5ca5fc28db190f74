"""Bringing an older proven release back: which migrations its databases keep although its own files lack them. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

from crane_infra.config.settings import Settings
from crane_infra.errors import MigrationError, SettingsError
from crane_infra.migrations.files.read import MigrationFile, number_of
from crane_infra.migrations.ledger import Ledger
from crane_infra.migrations.plan import make_plan
from crane_infra.release.manifest import Release
from crane_infra.release.proof import Proof, readable


def require_meant(settings: Settings, release: Release, staging: Mapping[str, Any]) -> None:
    """Make sure that ``rollback-to``, where it is set, names these files.

    Raises SettingsError with the commit of the release that it names, where a proof tells it.
    """
    wanted, where = settings.rollback_to, f"Pulumi.{settings.environment}.yaml rollback-to"
    if wanted is None:
        return
    if settings.environment != "production":
        raise SettingsError(where, f"{settings.environment} proves releases, it does not go back to one", "Remove it, and deploy the files")
    if not release.digest.startswith(wanted):
        proofs = [proof for entry in staging.get("proofs") or [] if (proof := readable(entry))]
        commit = next((proof.commit for proof in proofs if proof.digest.startswith(wanted) and proof.commit), None)
        todo = f"Check out {commit or 'the commit of its proof'} with the bundles of then, or remove rollback-to"
        raise SettingsError(where, f"names {wanted[:12]}, but these files are release {release.digest[:12]}", todo)


Held = Mapping[str, tuple[MigrationFile, ...]]


def migrations_after(outputs: Mapping[str, Any], proof: Proof) -> dict[str, tuple[MigrationFile, ...]]:
    """The migrations by database that proofs newer than ``proof`` list; they have no statements here, since they are never applied."""
    found: dict[str, dict[str, MigrationFile]] = {}
    for entry in outputs.get("proofs") or []:
        newer = readable(entry)
        if newer is not None and newer.digest == proof.digest:
            break
        for name, database in (newer.manifest.get("databases") or {}).items() if newer else ():
            own = found.setdefault(name, {})
            for one in database["migrations"]:
                own.setdefault(one["name"], MigrationFile(number_of(one["name"]) or 0, one["name"], one["name"], one["sha256"], ()))
    return {name: tuple(files.values()) for name, files in found.items()}


def hold(files: Sequence[MigrationFile], later: Sequence[MigrationFile], ledger: Ledger, where: str) -> tuple[MigrationFile, ...]:
    """``files``, and those of ``later`` that the ledger has besides.

    Raises MigrationError where anything else is in the ledger, or where not all of these are.
    """
    own = {file.name for file in files}
    kept = (*files, *(file for file in later if file.name not in own and ledger.entry(file.name)))
    plan = make_plan(kept, ledger, where)
    for file in (*plan.apply, *plan.adopt):
        raise MigrationError(
            file.path, f"is not recorded as done in {where}, and a rollback applies nothing", "Remove rollback-to and promote"
        )
    return kept
