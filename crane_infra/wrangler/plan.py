"""Plans an import: reads the files of wrangler and the clone's own, and says what each file would become. Writes nothing."""

import os
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crane_infra.config.catalog import Catalog
from crane_infra.config.file_change import FileChange, text_of
from crane_infra.config.stack_edit import edited, merged
from crane_infra.config.stackfile import project_name, stack_config
from crane_infra.wrangler.assets import OTHER_BUNDLE
from crane_infra.wrangler.findings import Findings, Note, printable
from crane_infra.wrangler.read import TOP, WranglerFile, read_file
from crane_infra.wrangler.source import source
from crane_infra.wrangler.translate import Translated, translate


@dataclass(frozen=True)
class Plan:
    """What an import does: how the environments are taken, the files, what is not carried over, and what is left to do."""

    environments: tuple[str, ...]
    changes: tuple[FileChange, ...]
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
    changes = [FileChange(catalog, "crane_infra/catalog.py", text_of(catalog), source(translated.catalog))]
    for place, said in translated.stacks.items():
        file = root / f"Pulumi.{place}.yaml"
        before = text_of(file)
        settings = _with_the_users(stack_config(root, place), project, place, said, translated)
        settings["workers-dir"] = Path(os.path.relpath(said["workers-dir"], root)).as_posix()
        changes.append(FileChange(file, file.name, before, edited(before, file.name, project, settings)))
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


def _mapping(file: WranglerFile) -> str:
    names = [
        environment and (environment.name if environment.name == TOP else f"env.{environment.name}")
        for environment in (file.staging, file.production)
    ]
    return f"{file.shown}: staging is {printable(names[0] or 'new')}, production is {printable(str(names[1]))}"


def _steps(translated: Translated, files: Sequence[WranglerFile]) -> tuple[str, ...]:
    top = Path(translated.stacks["production"]["workers-dir"])
    missing = [entry.migrations for entry in translated.catalog.databases.values() if not (top / entry.migrations).is_dir()]
    builds = {Path(worker.bundle).name for worker in translated.catalog.workers.values()}
    build = _build(files[0], Path(translated.catalog.workers[files[0].production.script].bundle).name)
    return (
        *(f"Create the folder {printable(folder)}, or correct its path in crane_infra/catalog.py" for folder in dict.fromkeys(missing)),
        f"Build each worker into dist beside its file: {build}",
        *([f"Build a worker whose static assets are in dist into {OTHER_BUNDLE} instead"] if OTHER_BUNDLE in builds else []),
        "Set crane-infra:workers-subdomain in both stack files: <worker>.<workers-subdomain>.workers.dev",
        "Declare secrets in crane_infra/catalog.py, as secrets=(Secret(binding=NAME, key=NAME),). wrangler secret list names them",
        "Edit the check of each worker in crane_infra/catalog.py",
    )


def _build(file: WranglerFile, bundle: str) -> str:
    """The command that builds a worker."""
    folder, name = os.path.split(file.shown)
    words = ["npx", "wrangler", "deploy", "--dry-run", "--outdir", bundle, "--config", name]
    environment = [] if file.production.name == TOP else ["--env", printable(file.production.name)]
    return f"cd {shlex.quote(folder or '.')} && {shlex.join([*words, *environment])}"
