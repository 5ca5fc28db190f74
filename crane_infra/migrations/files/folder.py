"""Finds the migrations in a folder: files ``*.sql``, and ``migration.sql`` in a folder below (as drizzle-kit and prisma write them).

Reads names only. SQL that would be left out without a reason is an error: a release without its schema could be proven otherwise.
"""

import os
from pathlib import Path
from typing import NamedTuple

from crane_infra.errors import MigrationError

NESTED = "migration.sql"


class FoundFiles(NamedTuple):
    """The names of the migrations in a folder, relative to it, and what is left out, each with a reason where one is needed."""

    migrations: tuple[str, ...]
    left_out: tuple[str, ...]


def find_migrations(folder: Path, shown_as: str, base: Path | None = None) -> FoundFiles:
    """Find the migrations in ``folder``, which errors call ``shown_as``; ``base`` is the base schema, which may lie there too.

    Raises MigrationError for a missing folder, for SQL in a folder below that is not a migration, and for files without any migration.
    """
    if not folder.is_dir():
        raise MigrationError(shown_as, "the folder does not exist", "Create it, or correct the path of the migrations in the catalog")
    migrations, left_out = list[str](), list[str]()
    own_base = base and base.resolve()
    with os.scandir(folder) as listed:
        entries = sorted(listed, key=lambda entry: entry.name)
    for entry in entries:
        if own_base and (folder / entry.name).resolve() == own_base:
            continue
        if _is_folder(entry):
            _look_below(folder / entry.name, shown_as, migrations, left_out)
        elif entry.name.endswith(".sql") and not entry.name.startswith("."):
            migrations.append(entry.name)
        else:
            left_out.append(_why_not(entry.name))
    _require_migrations(shown_as, migrations, left_out)
    return FoundFiles(tuple(migrations), tuple(left_out))


def _is_folder(entry: os.DirEntry[str]) -> bool:
    """The listing itself says it of all but links."""
    return Path(entry).is_dir() if entry.is_symlink() else entry.is_dir()


def _look_below(path: Path, shown_as: str, migrations: list[str], left_out: list[str]) -> None:
    if path.name.startswith(("_", ".")):
        left_out.append(f"{path.name}/")
        return
    sql = [file.relative_to(path).as_posix() for file in sorted(path.rglob("*")) if _is_sql(file) and file.is_file()]
    if NESTED in sql:
        migrations.append(f"{path.name}/{NESTED}")
        left_out += [f"{path.name}/{name}" for name in sql if name != NESTED]
    elif sql:
        what = f"it holds {sql[0]} but no {NESTED}, so it is not a migration"
        todo = f"Name the file {NESTED}, move it into the folder above, or let the folder's name begin with _ to leave it out"
        raise MigrationError(f"{shown_as}/{path.name}", what, todo)
    else:
        left_out.append(f"{path.name}/")


def _require_migrations(shown_as: str, migrations: list[str], left_out: list[str]) -> None:
    meant = [name for name in left_out if not name.startswith(".") and not name.lower().endswith(".md")]
    if meant and not migrations:
        what = f"it holds {', '.join(meant)} but no migration"
        todo = f"Name the migrations NNNN_name.sql or NNNN_name/{NESTED}, or correct the path of the migrations in the catalog"
        raise MigrationError(shown_as, what, todo)


def _is_sql(path: Path) -> bool:
    return path.name.lower().endswith(".sql")


def _why_not(name: str) -> str:
    return (
        f"{name} (only names that end in .sql, in lower case, are migrations)" if name.lower().endswith(".sql") and name[0] != "." else name
    )
