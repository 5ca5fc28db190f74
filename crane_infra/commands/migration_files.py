"""Migration files without a database: the next one, and what lint says of those that are new since a git revision.

Prevents a number taken twice, and a review that looks at files which were applied long ago.
"""

import re
import subprocess
from collections.abc import Mapping
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from crane_infra.config.catalog import Catalog
from crane_infra.config.settings import ENVIRONMENTS, DatabaseSettings
from crane_infra.config.stackfile import stack_config
from crane_infra.errors import MigrationError, SettingsError
from crane_infra.frozen import first_fault
from crane_infra.migrations.files.read import from_empty, read_migrations
from crane_infra.migrations.lint.judge import Accepted, Examined, accepting, examine, examine_each
from crane_infra.release.schemas import read_schema_files

_DATABASES = TypeAdapter(dict[str, DatabaseSettings])
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


def lint_folders(catalog: Catalog, workers_dir: Path, since: str | None, accepted: Mapping[str, Accepted]) -> list[Examined]:
    """Judge the files of every database: each one alone, or as one release those that the git revision ``since`` does not have.

    ``accepted`` is by database. Raises MigrationError where files or revision cannot be read.
    """
    found: list[Examined] = []
    for name, declared in catalog.databases.items():
        files, base = read_schema_files(declared, workers_dir)
        ordered = from_empty(files, base)
        if since is None:
            examined = examine_each(ordered)
        else:
            old = _names_at(since, workers_dir / declared.migrations)
            examined = examine(ordered, [file for file in files if file.name not in old])
        found += accepting(examined, accepted.get(name, {}))
    return found


def accepted_by_all(root: Path, project: str) -> dict[str, Accepted]:
    """The findings that the stack files of every environment accept, by database; read without Pulumi.

    Raises SettingsError where a stack file cannot be read.
    """
    first, *others = (_accepted(root, project, environment) for environment in ENVIRONMENTS)
    return {
        name: {
            file: [rule for rule in rules if all(rule in other.get(name, {}).get(file, ()) for other in others)]
            for file, rules in own.items()
        }
        for name, own in first.items()
    }


def _accepted(root: Path, project: str, environment: str) -> dict[str, dict[str, tuple[str, ...]]]:
    try:
        databases = _DATABASES.validate_python(stack_config(root, environment).get(f"{project}:databases") or {})
    except ValidationError as error:
        path, what = first_fault(error)
        raise SettingsError(f"Pulumi.{environment}.yaml {project}:databases.{path}", what, "Correct it in the stack file") from None
    return {name: own.accept_findings for name, own in databases.items()}


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
