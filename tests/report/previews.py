"""What a preview leaves: the engine's JSON, and the record and the log of the program.

The JSON has the shape that the pinned engine prints (tests/report/test_previews.py reports from the real one), cut to what a report may read.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from crane_infra.config.environments import Environment
from crane_infra.config.settings import Settings
from crane_infra.errors import WOULD_REFUSE
from crane_infra.migrations.lint.judge import examine
from crane_infra.release.preview_record import PreviewRecord, RecordedAdoption, RecordedCosts, RecordedDatabase
from crane_infra.release.staged_modules import path_of
from crane_infra.report.files import Files

Json = dict[str, Any]
Logged = tuple[tuple[str, str], ...]
"""Lines of a log: severity and text."""
UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"  # how the engine writes a value that only the update will know
DATABASE = "crane:infra:Database$cloudflare:index/d1Database:D1Database"
VERSION = "crane:infra:Worker$cloudflare:index/workerVersion:WorkerVersion"
SCHEMA = "crane:infra:Database$pulumi:index:Stash"


@dataclass(frozen=True)
class ProgramLog:
    """What the program records, and the lines that it logs about it."""

    databases: Mapping[str, RecordedDatabase]
    adoptions: tuple[RecordedAdoption, ...]
    refusals: tuple[str, ...]
    logged: Logged

    def record(self, files: Files, settings: Settings) -> str | None:
        """The file that the program writes; None where the files do not make a release."""
        if files.release is None:
            return None
        return PreviewRecord(
            environment=settings.environment,
            release=files.release.digest,
            databases=self.databases,
            adoptions=self.adoptions,
            refusals=self.refusals,
            logged=tuple(text for _, text in self.logged),
        ).model_dump_json()


def program_log(
    files: Files,
    settings: Settings,
    before: Files | None,
    adoptions: tuple[RecordedAdoption, ...],
    refusals: tuple[str, ...],
    costs: Mapping[str, tuple[RecordedCosts, ...]],
) -> ProgramLog:
    """What the program tells of ledgers that hold the files of ``before``; an adopted database has been migrated by wrangler.

    ``costs`` are what it counted, by database.
    """
    databases, logged = dict[str, RecordedDatabase](), list[tuple[str, str]]()
    for name, migrations in files.migrations.items():
        database = settings.databases[name]
        if database.adopt:
            databases[name] = RecordedDatabase(imports=tuple(file.name for file in migrations))
            logged.append(("info", f"{database.name}: imports {databases[name].imports}"))
            continue
        done = {file.name for file in before.migrations[name]} if before else set()
        pending = [file for file in migrations if file.name not in done]
        databases[name] = RecordedDatabase(pending=tuple(file.name for file in pending), costs=costs.get(name, ()))
        logged += [("info", f"{database.name}: counted {cost.table} of {cost.file}") for cost in costs.get(name, ())]
        for examined in examine(migrations, pending):
            logged.append(("info", f"{database.name}: pending {examined.file.name}"))
            logged += [("warning", f"{database.name}: {finding}") for finding in examined.findings]
    logged += [("info", str(adoption)) for adoption in adoptions]
    logged += [("warning", f"{refusal} {WOULD_REFUSE}") for refusal in refusals]
    if settings.environment == "production":
        logged.append(("warning", "production gate closed: as the program says it."))
    return ProgramLog(databases, adoptions, refusals, tuple(logged))


def preview_json(environment: Environment, last: Json | None, logged: Logged, steps: tuple[Json, ...]) -> Json:
    """What the engine prints for a stack with these outputs."""
    root: Json = {"op": "same", "urn": urn(environment, "pulumi:pulumi:Stack", f"crane-infra-{environment}")}
    root |= {"op": "create"} if last is None else {"oldState": {"outputs": last}}
    diagnostics = [{"message": f"{'error: ' if severity == 'error' else ''}{text}\n", "severity": severity} for severity, text in logged]
    digest: Json = {"config": {}, "steps": [root, *steps], "changeSummary": {}}
    return digest | ({"diagnostics": diagnostics} if diagnostics else {})


def planned_steps(environment: Environment, files: Files, before: Files | None, last: Json, exported: Json) -> Iterator[Json]:
    """The steps from the files ``before`` to ``files``; ``exported`` is the record of the environment."""
    rotated = last.get("environment", {}).get("secrets") != exported["secrets"]
    for name in files.bundles:
        if rotated or before is None or before.manifest["workers"].get(name) != files.manifest["workers"][name]:
            yield _step(environment, VERSION, name, {"inputs": _version(before, name)} if before else None, _version(files, name))
    for name in files.migrations if before is None else ():
        op = "import" if exported["databases"][name]["adopted"] else "create"
        yield _step(environment, DATABASE, name, None, {"name": exported["databases"][name]["name"]}) | {"op": op}
    for name in files.migrations:
        if before is None or before.migrations[name] != files.migrations[name]:
            old = {"inputs": _schema(before, name)} if before else None
            yield _step(environment, SCHEMA, f"{name}-schema", old, _schema(files, name))
    new = {"input": {"environment": exported, "proofs": UNKNOWN}}
    if last.get("environment") != exported or before is None or before.manifest != files.manifest:
        yield _step(environment, "pulumi:index:Stash", "release", {"inputs": {"input": last}} if last else None, new)


def _step(environment: Environment, kind: str, name: str, old: Json | None, new: Json) -> Json:
    op = "create" if old is None else "replace" if kind.endswith("WorkerVersion") else "update"
    step: Json = {"op": op, "urn": urn(environment, kind, name), "newState": {"inputs": new}, "detailedDiff": None}
    return step | ({"oldState": old} if old else {})


def urn(environment: str, kind: str, name: str) -> str:
    """A resource's name in the engine."""
    return f"urn:pulumi:{environment}::crane-infra::{kind}::{name}"


def _version(files: Files, name: str) -> Json:
    return {
        "annotations": {"workersTag": files.manifest["workers"][name]["digest"]},
        "bindings": "[secret]",
        "modules": [{"name": module.name, "contentFile": path_of(module)} for module in files.bundles[name].modules],
    }


def _schema(files: Files, name: str) -> Json:
    return {"input": {"database": name, "migrations": {file.name: file.sha256 for file in files.migrations[name]}}}
