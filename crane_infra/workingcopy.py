"""Migration files without a database: the next one, and what lint says of those that are new since a git revision.

Prevents a number taken twice, and a review that looks at files which were applied long ago.
"""

import re
import subprocess
from pathlib import Path

from crane_infra.catalog import Catalog
from crane_infra.errors import MigrationError
from crane_infra.migrations.files import from_empty, read_migrations
from crane_infra.migrations.lint import Examined, examine, examine_each
from crane_infra.release import read_schema_files

_TEXT = "-- Say what this does. `-- crane: expand` or `-- crane: contract` on a line of its own says which kind it is.\n"


def new_migration(catalog: Catalog, workers_dir: Path, database: str, name: str) -> Path:
    """Make an empty migration with the next free number.

    Raises MigrationError for a name that is none, an unknown database, and a folder that cannot be read.
    """
    if (declared := catalog.databases.get(database)) is None:
        known = ", ".join(catalog.databases)
        raise MigrationError(f"database {database}", "the catalog has no such database", f"Use one of {known}")
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", name):
        raise MigrationError(name, "it is no name of a migration", "Use letters, digits, - and _")
    folder = workers_dir / declared.migrations
    number = max((file.number for file in read_migrations(folder, str(folder))), default=declared.baseline) + 1
    path = folder / f"{number:04}_{name}.sql"
    path.write_text(_TEXT, encoding="utf-8")
    return path


def lint_folders(catalog: Catalog, workers_dir: Path, since: str | None) -> list[Examined]:
    """Judge the files of every database: each one alone, or as one release those that the git revision ``since`` does not have.

    Raises MigrationError where files or revision cannot be read.
    """
    found: list[Examined] = []
    for declared in catalog.databases.values():
        files, base = read_schema_files(declared, workers_dir)
        ordered = from_empty(files, base)
        if since is None:
            found += examine_each(ordered)
        else:
            old = _names_at(since, workers_dir / declared.migrations)
            found += examine(ordered, [file for file in files if file.name not in old])
    return found


def _names_at(revision: str, folder: Path) -> set[str]:
    """The names in a folder as a git revision has it; none where the folder is not in it."""
    command = ["git", "-C", str(folder), "ls-tree", "--name-only", "-z", "--end-of-options", revision, "./"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    if ended.returncode:
        said = (ended.stderr.strip() or "no output").splitlines()[0]
        raise MigrationError(
            str(folder), f"git cannot tell what {revision} has ({said})", "Name a revision of the repository that holds it"
        )
    return set(filter(None, ended.stdout.split("\0")))
