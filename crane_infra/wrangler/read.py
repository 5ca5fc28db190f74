"""Reads a file of wrangler (TOML, JSON or JSONC), chooses the environments that become staging and production, and applies inheritance.

An environment of wrangler gets some keys from the top level where it does not set them, and others never: ``INHERITED`` has the first.
"""

import math
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyjson5

from crane_infra.errors import WranglerError
from crane_infra.wrangler.findings import Findings, printable

TOP = "top-level"
NONE = "none"
_INHERITED = """access account_id assets base_dir build cache compatibility_date compatibility_flags compliance_region exports find_additional_modules
    first_party_worker jsx_factory jsx_fragment keep_names limits logfwdr logpush main migrations minify no_bundle observability placement
    preserve_file_names preview_urls previews python_modules route routes rules triggers tsconfig upload_source_maps workers_dev"""
INHERITED = frozenset(_INHERITED.split())
"""What an environment inherits besides its name, to which wrangler adds the name of the environment."""
TOP_LEVEL_ONLY = frozenset(
    ("alias", "keep_vars", "pages_build_output_dir", "site", "wasm_modules", "text_blobs", "data_blobs", "addresses")
)
"""What counts for every environment and can only stand at the top level."""
_PRODUCTION, _STAGING = ("production", "prod"), ("staging", "stage", "stg")
_NAMES = ("wrangler.json", "wrangler.jsonc", "wrangler.toml")
_WRANGLER_NAME = re.compile(r"[a-z0-9_][a-z0-9_-]*")


@dataclass(frozen=True)
class Environment:
    """One environment of a file: its keys after inheritance, and where each of them stands."""

    file: str
    name: str
    script: str
    keys: Mapping[str, Any]
    own: frozenset[str]

    def where(self, key: str) -> str:
        """The place of a key, as notes and errors show it."""
        inherited = self.name == TOP or key.partition(".")[0].partition("[")[0] not in self.own
        return f"{self.file} {printable(key if inherited else f'env.{self.name}.{key}')}"


@dataclass(frozen=True)
class WranglerFile:
    """A file, and its environments that become production and staging; ``others`` are left out."""

    shown: str
    folder: Path
    production: Environment
    staging: Environment | None
    others: tuple[str, ...]


def read_file(path: Path, findings: Findings, staging: str | None, production: str | None) -> WranglerFile | None:
    """Read a file. ``staging`` and ``production`` name its environments; None chooses them. None where a fault is found."""
    shown = printable(str(path))
    try:
        raw = _parsed(path, shown)
    except WranglerError as error:
        findings.faults.append(error)
        return None
    before = len(findings.faults)
    findings.faults += _unusable(raw, shown)
    tables = raw.get("env") or {}
    if not isinstance(tables, dict) or not all(isinstance(table, dict) for table in tables.values()):
        findings.faults.append(WranglerError(f"{shown} env", "is not a table of environments", "Correct it"))
    if len(findings.faults) > before:
        return None
    try:
        chosen = _chosen(shown, tables, staging, production)
        made = {name: _environment(shown, raw, name) for name in chosen if name is not None}
    except WranglerError as error:
        findings.faults.append(error)
        return None
    stage, live = chosen
    others = tuple(name for name in tables if name not in chosen)
    return WranglerFile(shown, path.parent, made[live], made[stage] if stage else None, others)


def _parsed(path: Path, shown: str) -> dict[str, Any]:
    if path.is_dir():
        inside = [name for name in _NAMES if (path / name).is_file()]
        todo = f"Name the file: {shown}/{inside[0]}" if inside else "Name a wrangler.toml, .json or .jsonc"
        raise WranglerError(shown, "is a folder", todo)
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise WranglerError(shown, "there is no such file", "Correct the path") from None
    except (OSError, ValueError) as error:
        raise WranglerError(shown, f"cannot be opened as text ({type(error).__name__})", "Save it as UTF-8") from None
    if path.suffix not in (".toml", ".json", ".jsonc"):
        raise WranglerError(shown, "is neither .toml nor .json nor .jsonc", "Name a file of wrangler")
    try:
        raw = tomllib.loads(text) if path.suffix == ".toml" else pyjson5.decode(text)
    except tomllib.TOMLDecodeError as error:
        raise WranglerError(shown, f"is no valid TOML: {printable(str(error))}", "Correct it") from None
    except pyjson5.Json5Exception as error:
        raise WranglerError(shown, f"is no valid JSON: {printable(str(error.args[0]))}", "Correct it") from None
    except RecursionError:
        raise WranglerError(shown, "is nested too deeply", "Correct it") from None
    if not isinstance(raw, dict):
        raise WranglerError(shown, "holds no object", "Name a file of wrangler")
    return raw


def _unusable(raw: Mapping[str, Any], shown: str) -> Iterator[WranglerError]:
    """Values that neither JSON nor the files of crane can hold."""
    for path, value in _walk(raw, ""):
        where = f"{shown} {printable(path)}"
        if isinstance(value, str):
            if not _is_text(value):
                yield WranglerError(where, "holds half a character (a lone surrogate)", "Correct it")
        elif isinstance(value, float) and not math.isfinite(value):
            yield WranglerError(where, f"{value} is no number that JSON has", "Correct it")
        elif not isinstance(value, int | float | None):
            yield WranglerError(where, "is a date or time, which wrangler does not take", "Write it in quotes")


def _walk(value: object, path: str) -> Iterator[tuple[str, object]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield path or "the key", key
            yield from _walk(inner, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _walk(inner, f"{path}[{number}]")
    else:
        yield path, value


def _is_text(text: str) -> bool:
    return not any("\ud800" <= char <= "\udfff" for char in text)


def _chosen(shown: str, tables: Mapping[str, Any], staging: str | None, production: str | None) -> tuple[str | None, str]:
    """The names of the environments that become staging and production: those that were asked for, else those of the usual names."""
    for option, name in (("--staging", staging), ("--production", production)):
        if name not in (None, TOP, *([NONE] if option == "--staging" else []), *tables):
            known = ", ".join([TOP, *map(printable, tables)])
            raise WranglerError(f"{shown} env.{printable(str(name))}", "is not in the file", f"Give {option} one of: {known}")
    named_production = next((name for name in _PRODUCTION if name in tables), None)
    named_staging = next((name for name in _STAGING if name in tables), None)
    live = production or (named_production if named_production != staging else None) or TOP
    stage = staging or (named_staging if named_staging != live else None) or (TOP if live != TOP else NONE)
    if stage == live:
        what = f"{live} would be both staging and production"
        raise WranglerError(shown, what, f"Give --production another one, or run with --staging {NONE}")
    return (None if stage == NONE else stage), live


def _environment(shown: str, raw: Mapping[str, Any], name: str) -> Environment:
    top = {key: value for key, value in raw.items() if key != "env" and value is not None}
    if name == TOP:
        return Environment(shown, TOP, _script(f"{shown} name", top.get("name")), top, frozenset(top))
    own = {key: value for key, value in raw["env"][name].items() if value is not None}
    inherited = {key: value for key, value in top.items() if key in INHERITED | TOP_LEVEL_ONLY and key not in own}
    if "name" in own:
        script = _script(f"{shown} env.{printable(name)}.name", own["name"])
    else:
        script = f"{_script(f'{shown} name', top.get('name'))}-{name}"
    return Environment(shown, name, script, {**inherited, **own}, frozenset(own))


def _script(where: str, name: object) -> str:
    if name is None:
        raise WranglerError(where, "the worker has no name there", "Add the name that it has at Cloudflare")
    if not isinstance(name, str) or not _WRANGLER_NAME.fullmatch(name):
        raise WranglerError(where, "is not the name of a worker", "Write a text of a to z, 0 to 9, - and _")
    return name
