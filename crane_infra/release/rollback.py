"""Rolling back to an older proven release: which later migrations its databases keep. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

from crane_infra.config.settings import Settings
from crane_infra.errors import MigrationError, SettingsError
from crane_infra.migrations.files.names import number_of
from crane_infra.migrations.files.read import MigrationFile
from crane_infra.migrations.ledger import Ledger
from crane_infra.migrations.plan import make_plan
from crane_infra.release.manifest import Release
from crane_infra.release.order import numbers_of
from crane_infra.release.proof import Proof, proofs_in


def require_meant(settings: Settings, release: Release, staging: Mapping[str, Any]) -> None:
    """If ``rollback-to`` is set, make sure that it names the release of these files.

    Raises SettingsError with the commit to check out, if a proof has it.
    """
    target, where = settings.rollback_to, f"{settings.file} rollback-to"
    if target is None:
        return
    if settings.environment != "production":
        raise SettingsError(where, f"only production rolls back; {settings.environment} proves releases", "Remove it, and deploy the files")
    if not release.digest.startswith(target):
        commit = next((proof.commit for proof in proofs_in(staging) if proof.digest.startswith(target) and proof.commit), None)
        todo = f"Check out {commit or 'the commit of its proof'} with the bundles of that release, or remove rollback-to"
        raise SettingsError(where, f"names {target[:12]}, but these files are release {release.digest[:12]}", todo)


ExpectedMigrations = Mapping[str, tuple[MigrationFile, ...]]
"""The migrations that the ledger of each database should list, by catalog name."""


def migrations_after(outputs: Mapping[str, Any], proof: Proof) -> dict[str, tuple[MigrationFile, ...]]:
    """The migrations by database that releases newer than that of ``proof`` list. They are never applied, so they come without statements.

    Newer is what was first proven later: ``proof`` may be one of several of its release.
    """
    later: dict[str, dict[str, MigrationFile]] = {}
    numbers = numbers_of(outputs)
    for newer in proofs_in(outputs):
        if numbers[newer.digest] <= numbers.get(proof.digest, 0):
            continue
        for name, database in newer.manifest.get("databases", {}).items():
            files = later.setdefault(name, {})
            for listed in database["migrations"]:
                file = MigrationFile(number_of(listed["name"]), listed["name"], listed["name"], listed["sha256"], ())
                files.setdefault(file.name, file)
    return {name: tuple(files.values()) for name, files in later.items()}


def expected_after_rollback(
    files: Sequence[MigrationFile], later: Sequence[MigrationFile], ledger: Ledger, where: str
) -> tuple[MigrationFile, ...]:
    """The migrations of a release, and those of ``later`` that its database already has. ``where`` names the database in an error.

    Raises MigrationError if the ledger lists any other migration, or lacks one of the release.
    """
    names = {file.name for file in files}
    expected = (*files, *(file for file in later if file.name not in names and ledger.entry(file.name)))
    plan = make_plan(expected, ledger, where)
    for file in (*plan.apply, *plan.adopt):
        what = f"is not recorded as done in {where}, and a rollback applies no migrations"
        raise MigrationError(file.path, what, "Promote a newer release that has it, without rollback-to")
    return expected
