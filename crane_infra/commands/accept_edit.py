"""Accepts edits of applied migrations that change no meaning, for ``crane migrations accept-edit``: finds their earlier versions.

Production takes the edits that staging has accepted before, or has applied in the edited form; both its versions of a file go on, so nothing has to be
released in between.
"""

import asyncio
import hashlib
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

from crane_infra.commands.databases import ManagedDatabase, managed
from crane_infra.config.catalog import Catalog
from crane_infra.config.settings import Settings
from crane_infra.errors import MigrationError, refuse
from crane_infra.live.account import open_account
from crane_infra.migrations.edits import accept_edits, edited_files
from crane_infra.migrations.files.read import MigrationFile
from crane_infra.migrations.ledger import read_ledger
from crane_infra.release.outputs import StackOutputs


def accept_edits_of(
    settings: Settings, catalog: Catalog, outputs_of: Callable[[str], StackOutputs], database: str, before: Path | None
) -> tuple[str, ...]:
    """Accept the edits of the applied files of a database, called ``database`` in the catalog; returns the names of the files.

    Earlier versions come from git, and from the folder ``before``. Raises MigrationError for each edit that staging has to accept first, else as
    ``accept_edits`` does.
    """
    return asyncio.run(_accept(settings, catalog, outputs_of, database, before))


async def _accept(
    settings: Settings, catalog: Catalog, outputs_of: Callable[[str], StackOutputs], database: str, before: Path | None
) -> tuple[str, ...]:
    outputs = outputs_of(settings.environment)
    async with managed(settings, catalog, outputs, database) as (target,):
        if settings.environment == "production":
            # It applies nothing, so neither the gate nor a freeze stops it.
            await _require_accepted_in_staging(settings, outputs_of("staging"), target)
        contents = _by_digest(_earlier_contents(settings, catalog, database, before))
        return await accept_edits(target.db, target.schema, contents)


async def _require_accepted_in_staging(settings: Settings, staging: StackOutputs, target: ManagedDatabase) -> None:
    edited = edited_files(target.schema, await read_ledger(target.db))
    if not edited:
        return
    database_id = staging.database_id(target.name)
    if database_id is None:
        what = "staging has not created it yet, so it cannot have accepted the edits of its files"
        raise MigrationError(f"database {target.name}", what, "Run pulumi up -s staging first")
    async with open_account(settings) as account:
        ledger = await read_ledger(account.database(database_id, f"the database {target.name} of staging"))
    entries = ((each.file, ledger.base if each.file is target.schema.base else ledger.entry(each.file.name)) for each in edited)
    refuse([_unknown_in_staging(file, target.name) for file, entry in entries if not (entry and entry.has(file.sha256))])


def _unknown_in_staging(file: MigrationFile, database: str) -> MigrationError:
    what = f"staging has not accepted this version of it ({file.sha256[:8]})"
    return MigrationError(
        file.path, what, f"Run crane migrations accept-edit -s staging -d {database} with the same files, then this command again"
    )


def _by_digest(contents: Iterator[bytes]) -> dict[str, bytes]:
    return {hashlib.sha256(content).hexdigest(): content for content in contents}


def _earlier_contents(settings: Settings, catalog: Catalog, database: str, before: Path | None) -> Iterator[bytes]:
    declared = catalog.databases[database]
    places = [settings.workers_dir / declared.migrations]
    places += [settings.workers_dir / declared.base] if declared.base else []
    if before is not None:
        if not before.is_dir():
            raise MigrationError(f"--before {before}", "the folder does not exist", "Name the folder of the earlier files")
        yield from (path.read_bytes() for path in before.rglob("*.sql") if path.is_file())
    for place in places:
        folder = place if place.is_dir() else place.parent
        yield from _in_git(folder, "." if place.is_dir() else place.name)


def _in_git(folder: Path, path: str) -> Iterator[bytes]:
    """Every version of the SQL files below ``path`` in the history of the clone; none outside of one."""
    listed = _git(folder, "log", "--all", "--format=", "--raw", "--no-abbrev", "--no-renames", "-m", "--", path)
    blobs = {line.split()[3] for line in listed.decode("utf-8", "replace").splitlines() if line.startswith(":") and line.endswith(".sql")}
    for blob in sorted(blobs - {"0" * 40}):
        yield _git(folder, "cat-file", "blob", blob)


def _git(folder: Path, *words: str) -> bytes:
    result = subprocess.run(["git", "-C", str(folder), *words], capture_output=True, check=False)  # noqa: S603, S607
    return result.stdout if result.returncode == 0 else b""
