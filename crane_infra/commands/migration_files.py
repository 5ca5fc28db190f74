"""Works on migration files without a database: creates the next one, and judges those that are new since a git revision."""

import re
from collections.abc import Mapping
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from crane_infra.config.catalog import Catalog
from crane_infra.config.environments import ENVIRONMENTS
from crane_infra.config.settings import DatabaseSettings
from crane_infra.config.stackfile import stack_config
from crane_infra.errors import MigrationError, SettingsError
from crane_infra.frozen import first_fault
from crane_infra.migrations.files.names import order_of
from crane_infra.migrations.files.read import from_empty
from crane_infra.migrations.files.strict import faults_of_pending
from crane_infra.migrations.lint.judge import Accepted, Examined, accepting, examine, examine_each, with_faults
from crane_infra.programs import run
from crane_infra.release.schemas import left_out_of, read_schema_files, shown_as

_DATABASES = TypeAdapter(dict[str, DatabaseSettings])
_TEXT = "-- Describe what this migration does. Declare its kind with `-- crane: expand` or `-- crane: contract` on a line of its own.\n"


def new_migration(catalog: Catalog, workers_dir: Path, database: str, name: str) -> Path:
    """Create an empty migration with the next free number, and return its path.

    Raises MigrationError for an invalid name, an unknown database, a folder that cannot be read, and one whose last file has no number.
    """
    if (declared := catalog.databases.get(database)) is None:
        known = ", ".join(catalog.databases)
        raise MigrationError(f"database {database}", "is not in the catalog", f"Use one of {known}")
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", name):
        raise MigrationError(name, "is not a valid name of a migration", "Use letters, digits, - and _")
    folder = workers_dir / declared.migrations
    files, _ = read_schema_files(declared, workers_dir)
    number = max((file.number for file in files if file.number is not None), default=declared.baseline) + 1
    path = folder / f"{number:04}_{name}.sql"
    if files and order_of(path.name) < files[-1].order:
        todo = "Write the file yourself, with a name that sorts after it"
        raise MigrationError(shown_as(path, workers_dir), f"it would come before {files[-1].name}, which has no number", todo)
    path.write_text(_TEXT, encoding="utf-8")
    return path


def lint_folders(catalog: Catalog, workers_dir: Path, since: str | None, accepted: Mapping[str, Accepted]) -> list[Examined]:
    """Judge the files of every database: each on its own, or as one release those that the git revision ``since`` lacks.

    ``accepted`` maps databases to what is accepted. Raises MigrationError where the files or the revision cannot be read.
    """
    results: list[Examined] = []
    for name, declared in catalog.databases.items():
        files, base = read_schema_files(declared, workers_dir)
        ordered = from_empty(files, base)
        if since is None:
            # Any of them may be applied somewhere, where its faults do not matter.
            examined = with_faults(examine_each(ordered), faults_of_pending(files, files), "warning")
        else:
            known = _names_at(since, workers_dir / declared.migrations, shown_as(workers_dir / declared.migrations, workers_dir))
            new = [file for file in files if file.name not in known]
            examined = with_faults(examine(ordered, new), faults_of_pending(new, files), "error")
        results += accepting(examined, accepted.get(name, {}))
    return results


def left_out(catalog: Catalog, workers_dir: Path) -> dict[str, tuple[str, ...]]:
    """What lies in the folder of each database's migrations and is none, by database; raises as ``lint_folders`` does."""
    every = {name: left_out_of(declared, workers_dir) for name, declared in catalog.databases.items()}
    return {name: names for name, names in every.items() if names}


def accepted_by_all(root: Path, project: str) -> dict[str, Accepted]:
    """The findings that the stack files of all environments accept, by database; read without Pulumi.

    Raises SettingsError where a stack file cannot be read.
    """
    first, *others = (_accepted(root, project, environment) for environment in ENVIRONMENTS)
    return {
        name: {
            file: [rule for rule in rules if all(rule in other.get(name, {}).get(file, ()) for other in others)]
            for file, rules in findings.items()
        }
        for name, findings in first.items()
    }


def _accepted(root: Path, project: str, environment: str) -> dict[str, dict[str, tuple[str, ...]]]:
    try:
        databases = _DATABASES.validate_python(stack_config(root, environment).get(f"{project}:databases") or {})
    except ValidationError as error:
        path, what = first_fault(error)
        raise SettingsError(f"Pulumi.{environment}.yaml {project}:databases.{path}", what, "Correct it in the stack file") from None
    return {name: database.accept_findings for name, database in databases.items()}


def _names_at(revision: str, folder: Path, shown: str) -> set[str]:
    """The names of the files in a folder at a git revision; empty if the revision lacks the folder."""
    command = ["git", "-C", str(folder), "ls-tree", "-r", "--name-only", "-z", "--end-of-options", revision, "./"]
    result = run(command)
    if result.returncode:
        message = (result.stderr.strip() or "no output").splitlines()[0]
        what = f"git cannot list its files at {revision} ({message})"
        raise MigrationError(shown, what, "Name a revision of the repository that contains it")
    return set(filter(None, result.stdout.split("\0")))
