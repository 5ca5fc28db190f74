"""The D1 databases of all workers: one entry of the catalog each, with its name and id in each environment. Pure apart from paths."""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from crane_infra.wrangler.bindings import is_binding_name
from crane_infra.wrangler.findings import Findings
from crane_infra.wrangler.keys import D1, Keys
from crane_infra.wrangler.read import Environment

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_DATABASE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}")
_USUAL = ("*.sql", "**/*.sql", "*/migration.sql", "**/migration.sql")
"""The patterns below a folder of migrations that crane follows without being told."""


@dataclass
class Database:
    """A database of the catalog, as far as the files have told."""

    migrations: Path
    where: str
    sides: dict[str, D1] = field(default_factory=dict)


@dataclass
class Databases:
    """The databases of all workers; two bindings of one database are one entry."""

    by_name: dict[str, Database] = field(default_factory=dict)
    _names: dict[str, str] = field(default_factory=dict)

    def bind(self, folder: Path, sides: dict[str, tuple[Environment, Keys]], findings: Findings) -> dict[str, str]:
        """The database bindings of a worker: binding to the name in the catalog. ``sides`` are its environments by those of crane."""
        bound: dict[str, str] = {}
        for place, (environment, keys) in sides.items():
            for number, declared in enumerate(keys.d1_databases):
                where = environment.where(f"d1_databases[{number}]")
                if not is_binding_name(declared.binding, where, findings):
                    continue
                _note_unusual(declared, where, findings)
                name = bound.get(declared.binding) or self._name_of(declared)
                bound[declared.binding] = name
                migrations = _migrations(folder, declared)
                entry = self.by_name.setdefault(name, Database(migrations, where))
                if entry.migrations != migrations and {"migrations_dir", "migrations_pattern"} & declared.model_fields_set:
                    what = f"its migrations are elsewhere than those of {entry.where}"
                    findings.note(where, what, "The catalog has the latter: a database has one folder here")
                known = entry.sides.setdefault(place, declared)
                if _identity(known) != _identity(declared):
                    what = f"{declared.binding} is {_identity(declared)} here, and {_identity(known)} for another worker that shares it"
                    findings.note(where, what, f"Pulumi.{place}.yaml has the latter: check it")
        return bound

    def stack(self, place: str, findings: Findings) -> dict[str, dict[str, Any]]:
        """What a stack file says of the databases."""
        taken = {_identity(entry.sides["production"]) for entry in self.by_name.values() if "production" in entry.sides}
        return {name: self._entry(name, entry, place, taken, findings) for name, entry in self.by_name.items()}

    def _entry(self, name: str, entry: Database, place: str, taken: set[str], findings: Findings) -> dict[str, Any]:
        declared, other = entry.sides.get(place), entry.sides.get("production")
        file = f"Pulumi.{place}.yaml"
        if declared is not None and place == "staging" and _identity(declared) in taken:
            what = f"staging binds the database of production ({_identity(declared)})"
            findings.note(entry.where, what, f"{file} names a new one, which the first update makes")
            declared = None
        if declared is None:
            known = (other.database_name if other else None) or name
            new = f"{known}-staging"[:63] if place == "staging" else f"{name}-production"
            if place == "production":
                findings.note(entry.where, f"production has no {name}", f"{file} names a new one, which the first update makes")
            return {"name": new if _DATABASE_NAME.fullmatch(new) else name}
        told = declared.database_name
        if not told or not _DATABASE_NAME.fullmatch(told):
            what = f"has no usable database_name for {declared.binding}"
            findings.note(entry.where, what, f"Set databases.{name}.name in {file} to what wrangler d1 list says")
            told = name
        if not declared.database_id or not _UUID.fullmatch(declared.database_id):
            what = f"has no usable database_id for {told} in {place}"
            findings.note(entry.where, what, f"Set databases.{name}.adopt in {file}, or leave it out for a new database")
            return {"name": told}
        return {"name": told, "adopt": declared.database_id}

    def _name_of(self, declared: D1) -> str:
        identity = _identity(declared)
        if identity not in self._names:
            slug = re.sub(r"[^a-z0-9]+", "-", (declared.database_name or declared.binding).lower()).strip("-")
            slug = re.sub(r"-(prod|production|staging)$", "", slug)[:50].strip("-") or "database"
            number, name = 1, slug
            while name in self.by_name:
                number += 1
                name = f"{slug}-{number}"
            self._names[identity] = name
        return self._names[identity]


def _identity(declared: D1) -> str:
    return declared.database_id or declared.database_name or declared.binding


def _migrations(folder: Path, declared: D1) -> Path:
    """The folder of the migrations: as wrangler has it, or where its pattern begins."""
    pattern = declared.migrations_pattern
    if declared.migrations_dir is None and pattern and not any(mark in pattern.partition("/")[0] for mark in "*?[{"):
        parts = pattern.split("/")[:-1]
        fixed = next((number for number, part in enumerate(parts) if any(mark in part for mark in "*?[{")), len(parts))
        return folder / "/".join(parts[:fixed])
    return folder / (declared.migrations_dir or "migrations")


def _note_unusual(declared: D1, where: str, findings: Findings) -> None:
    if (pattern := declared.migrations_pattern) and not pattern.endswith(_USUAL):
        what = f"the pattern {pattern} is not followed: migrations are *.sql in a folder, and migration.sql in folders below it"
        findings.note(f"{where}.migrations_pattern", what, "Rename the files, if it means others")
    if declared.migrations_table not in (None, "d1_migrations"):
        what = f"the table {declared.migrations_table} is not read: what is applied stands in d1_migrations here"
        findings.note(f"{where}.migrations_table", what, "Baseline the database: docs/migrations.md")
