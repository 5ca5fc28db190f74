"""Reads what a report is made from: the working copy, and the files that a workflow hands over. No network, no engine, no decryption.

Whatever is read is redacted first, by the secrets that this process itself was given. Prevents an error text that quotes a token from becoming a
public comment.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crane_infra.config.catalog import Catalog
from crane_infra.config.consistency import neighbours
from crane_infra.config.settings import ENVIRONMENTS, Environment, Settings
from crane_infra.errors import CraneError, ReportError, SettingsError
from crane_infra.redact import Redactor
from crane_infra.report.compare import Side
from crane_infra.report.engine import Preview, parse_preview, redacted
from crane_infra.report.files import NOTHING, read_files, read_settings
from crane_infra.report.markdown import shortened

_MOST_OF_A_FAILURE = 40  # lines
_SHORTEST = 8  # characters: SOME_TOKEN=true hides nothing, and would take every "true" out
_SECRET_NAMES = ("TOKEN", "PASSPHRASE", "PASSWORD", "SECRET", "ACCESS_KEY", "API_KEY")


@dataclass(frozen=True)
class Given:
    """The files that a report is made from, each None where there is none. ``failed`` is there only where a preview did not end well."""

    previews: Mapping[Environment, Path | None]
    outputs: Mapping[Environment, Path | None]
    failed: Path | None


def redactor(catalog: Catalog, environ: Mapping[str, str]) -> Redactor:
    """Takes out the values of all variables of this process that look like secrets or are secrets of the catalog."""
    keys = {secret.key for secret in catalog.secrets}
    hidden = {name for name in environ if name in keys or any(part in name.upper() for part in _SECRET_NAMES)}
    return Redactor({name: environ[name] for name in hidden if len(environ[name]) >= _SHORTEST})


def collect(catalog: Catalog, given: Given, folder: Path, environ: Mapping[str, str]) -> dict[Environment, Side]:
    """Read both environments; ``folder`` has the stack files.

    Raises ReportError where a file that was given cannot be read or is something else.
    """
    redact = redactor(catalog, environ)
    previews = {name: _preview(path, redact) for name, path in given.previews.items()}
    outputs = {name: _outputs(given.outputs.get(name), previews.get(name), redact) for name in ENVIRONMENTS}
    settings = {name: _settings(name, folder, environ) for name in ENVIRONMENTS}
    return {name: _side(catalog, name, settings, outputs, previews.get(name)) for name in ENVIRONMENTS}


def failure(path: Path | None, catalog: Catalog, sides: Mapping[Environment, Side], environ: Mapping[str, str]) -> tuple[str, ...]:
    """What a failed preview said, its last lines; empty where none failed, and where it only warned while its JSON names the error.

    Raises ReportError where the file cannot be read.
    """
    if path is None:
        return ()
    lines = [line.rstrip() for line in redactor(catalog, environ)(_read(path)).splitlines() if line.strip()]
    told = any(side.preview.errors for side in sides.values() if side.preview)
    if told and not any(line.startswith("error: ") for line in lines):
        return ()
    last = (shortened(line.removeprefix("error: ")) for line in lines[-_MOST_OF_A_FAILURE:])
    return ("\n".join(last) or "the preview failed and did not say why",)


def _side(
    catalog: Catalog,
    name: Environment,
    settings: Mapping[Environment, Settings | CraneError],
    outputs: Mapping[Environment, Mapping[str, Any] | None],
    preview: Preview | None,
) -> Side:
    own, last = settings[name], {str(environment): found for environment, found in outputs.items()}
    # Where a stack file cannot be read, the other one tells where the workers are: they are the same.
    readable = next((one for one in (own, *settings.values()) if isinstance(one, Settings)), None)
    files = read_files(catalog, readable.workers_dir) if readable else NOTHING
    others: Mapping[str, Mapping[str, Any]] = {}
    if isinstance(own, Settings):
        try:
            others = neighbours(own, last)
        except SettingsError as error:
            own = error
    return Side(own, files, others, outputs[name], preview)


def _settings(name: Environment, folder: Path, environ: Mapping[str, str]) -> Settings | CraneError:
    try:
        return read_settings(name, folder, environ)
    except SettingsError as error:
        return error


def _preview(path: Path | None, redact: Redactor) -> Preview | None:
    """None as well for an empty file: what a preview leaves that failed before it began."""
    text = "" if path is None else _read(path)
    return parse_preview(text, str(path), redact) if text.strip() else None


def _outputs(path: Path | None, preview: Preview | None, redact: Redactor) -> Mapping[str, Any] | None:
    """The last outputs: as they were given, else as the preview found them."""
    if path is None:
        return preview.outputs if preview else None
    try:
        found = redacted(json.loads(_read(path) or "{}"), redact)
    except json.JSONDecodeError:
        found = None
    if not isinstance(found, dict):
        raise ReportError(str(path), "is not the JSON of a stack's outputs", "Write it with pulumi stack output --json")
    return found


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise ReportError(str(path), f"cannot be read ({error.strerror})", "Name a file that is there") from None
