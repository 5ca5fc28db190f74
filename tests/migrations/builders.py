"""Short builders of migration files and ledgers for tests."""

import shutil
from collections.abc import Mapping
from pathlib import Path

from crane_infra.migrations.files.names import number_of
from crane_infra.migrations.files.read import MigrationFile, read_migrations
from crane_infra.migrations.ledger import Ledger, LedgerEntry

SHOWN = "workers/x/migrations"


def write_files(folder: Path, files: Mapping[str, str | bytes]) -> tuple[MigrationFile, ...]:
    """Make ``folder`` hold exactly these files, and read them."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for name, content in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_migrations(folder, SHOWN)


def file(name: str, sha256: str = "", statements: tuple[str, ...] = ("SELECT 1",)) -> MigrationFile:
    """One file; its digest is made from its name where none is given."""
    return MigrationFile(number_of(name), name, f"{SHOWN}/{name}", sha256 or f"sha-of-{name}", statements)


def applied(one: MigrationFile, *, by_wrangler: bool = False) -> LedgerEntry:
    """Build the entry of a file that is done."""
    if by_wrangler:
        return LedgerEntry(one.name, listed=True)
    return LedgerEntry(
        one.name, listed=True, sha256=one.sha256, origin="applied", token="token", started_at="2026-01-01", done_at="2026-01-01"
    )


def ledger(*entries: LedgerEntry, populated: bool = True) -> Ledger:
    """Build the ledger of a database that is in use."""
    return Ledger(entries, populated, ready=True)
