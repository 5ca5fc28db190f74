"""Plans an import: reads the files of wrangler and the clone's own, and says what each file would become. Writes nothing."""

import difflib
import os
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crane_infra.config.catalog import Catalog
from crane_infra.config.stackfile import project_name, stack_config
from crane_infra.errors import WranglerError
from crane_infra.wrangler.findings import Findings, Note, printable
from crane_infra.wrangler.read import TOP, WranglerFile, read_file
from crane_infra.wrangler.source import source
from crane_infra.wrangler.stackfile import edited, merged
from crane_infra.wrangler.translate import Translated, translate


@dataclass(frozen=True)
class Change:
    """A file of the clone, before and after."""

    path: Path
    name: str
    before: str
    after: str

    @property
    def diff(self) -> str:
        """What changes, as a unified diff; empty where nothing does."""
        before, after = (text.splitlines(keepends=True) for text in (self.before, self.after))
        return "".join(difflib.unified_diff(before, after, self.name, self.name))

    def write(self) -> None:
        """Write the file; raises WranglerError."""
        try:
            self.path.write_text(self.after, encoding="utf-8")
        except OSError as error:
            raise WranglerError(self.name, f"cannot be written ({type(error).__name__})", "Correct its permissions") from None


@dataclass(frozen=True)
class Plan:
    """What an import does: how the environments are taken, the files, what is not carried over, and what is left to do."""

    environments: tuple[str, ...]
    changes: tuple[Change, ...]
    notes: tuple[Note, ...]
    steps: tuple[str, ...]


def plan_import(paths: Sequence[Path], root: Path, staging: str | None, production: str | None) -> Plan:
    """Plan the import of these files into the clone at ``root``; raises WranglerError with every fault in them."""
    findings = Findings()
    read = [read_file(path, findings, staging, production) for path in paths]
    files = [file for file in read if file is not None]
    findings.stop_at_faults()
    translated = translate(files, findings)
    project = project_name(root)
    catalog = root / "crane_infra" / "catalog.py"
    changes = [Change(catalog, "crane_infra/catalog.py", _text_of(catalog), source(translated.catalog))]
    for place, said in translated.stacks.items():
        file = root / f"Pulumi.{place}.yaml"
        before = _text_of(file)
        settings = _with_the_users(stack_config(root, place), project, place, said, translated)
        settings["workers-dir"] = Path(os.path.relpath(said["workers-dir"], root)).as_posix()
        changes.append(Change(file, file.name, before, edited(before, file.name, project, settings)))
    steps = _steps(translated, files)
    return Plan(tuple(map(_mapping, files)), tuple(changes), findings.notes, steps)


def _with_the_users(config: dict[str, Any], project: str, place: str, said: dict[str, Any], translated: Translated) -> dict[str, Any]:
    """What wrangler says, completed by what the stack file says of the same workers and databases."""
    settings = dict(said)
    for kind in ("databases", "workers"):
        old = config.get(f"{project}:{kind}")
        entries = old if isinstance(old, dict) else {}
        settings[kind] = {
            name: merged(
                entries.get(name),
                entry,
                keep_old=place == "staging" and (name in translated.derived or (kind == "databases" and bool(translated.derived))),
            )
            for name, entry in said[kind].items()
        }
    for name, entry in settings["workers"].items():
        _drop_unknown(entry, translated.catalog, name)
    return settings


def _drop_unknown(entry: dict[str, Any], catalog: Catalog, worker: str) -> None:
    """Take out variables and bindings that the catalog no longer has: a run would refuse them."""
    declared = catalog.workers[worker]
    known = {"variables": {*declared.variables, *declared.environment_variables}, "bindings": {*declared.bindings}}
    for kind, names in known.items():
        if isinstance(inner := entry.get(kind), dict):
            entry[kind] = {name: value for name, value in inner.items() if name in names}


def _text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""
    except (OSError, ValueError) as error:
        raise WranglerError(path.name, f"cannot be opened as text ({type(error).__name__})", "Save it as UTF-8") from None


def _mapping(file: WranglerFile) -> str:
    names = [
        environment and (environment.name if environment.name == TOP else f"env.{environment.name}")
        for environment in (file.staging, file.production)
    ]
    return f"{file.shown}: staging is {printable(names[0] or 'new')}, production is {printable(str(names[1]))}"


def _steps(translated: Translated, files: Sequence[WranglerFile]) -> tuple[str, ...]:
    top = Path(translated.stacks["production"]["workers-dir"])
    missing = [entry.migrations for entry in translated.catalog.databases.values() if not (top / entry.migrations).is_dir()]
    build = _build(files[0])
    return (
        *(f"Create the folder {printable(folder)}, or correct its path in crane_infra/catalog.py" for folder in dict.fromkeys(missing)),
        f"Build each worker into dist beside its file: {build}",
        "Set crane-infra:workers-subdomain in both stack files: <worker>.<workers-subdomain>.workers.dev",
        "Declare secrets in crane_infra/catalog.py, as secrets=(Secret(binding=NAME, key=NAME),). wrangler secret list names them",
        "Edit the check of each worker in crane_infra/catalog.py",
    )


def _build(file: WranglerFile) -> str:
    """The command that builds a worker."""
    folder, name = os.path.split(file.shown)
    words = ["npx", "wrangler", "deploy", "--dry-run", "--outdir", "dist", "--config", name]
    environment = [] if file.production.name == TOP else ["--env", printable(file.production.name)]
    return f"cd {shlex.quote(folder or '.')} && {shlex.join([*words, *environment])}"
