"""Reads what a report is made from: the working copy, and the files that a workflow passes. No network, no engine, no decryption.

Everything is redacted as it is read, by the secrets of this process: an error text may quote a token, and a comment is public.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic_core import from_json

from crane_infra.config.catalog import Catalog
from crane_infra.config.consistency import neighbours
from crane_infra.config.environments import ENVIRONMENTS, Environment
from crane_infra.config.settings import Settings
from crane_infra.errors import CraneError, ReportError, SettingsError
from crane_infra.redact import Redactor
from crane_infra.release.exported import plain_outputs
from crane_infra.release.outputs import StackOutputs, read_outputs
from crane_infra.release.preview_record import PreviewRecord, parse_record
from crane_infra.report.engine import Preview, parse_preview, redacted
from crane_infra.report.files import NOTHING, read_files, read_settings
from crane_infra.report.markdown import shortened
from crane_infra.report.side import Side

_MOST_OF_A_FAILURE = 40  # lines
_SHORTEST = 8  # characters: SOME_TOKEN=true is not a secret, and redacting it would take every "true" out
_SECRET_NAMES = ("TOKEN", "PASSPHRASE", "PASSWORD", "SECRET", "ACCESS_KEY", "API_KEY", "MASKING_KEY")
Paths = Mapping[Environment, Path | None]


@dataclass(frozen=True)
class Sources:
    """The files that a report is made from, each None where there is none. ``failed`` only exists where a preview failed."""

    previews: Paths
    records: Paths
    outputs: Paths
    failed: Path | None


def redactor(catalog: Catalog, environ: Mapping[str, str]) -> Redactor:
    """Hides the values of all variables of this process that look like secrets or are secrets of the catalog."""
    keys = {secret.key for secret in catalog.secrets}
    hidden = {name for name in environ if name in keys or any(part in name.upper() for part in _SECRET_NAMES)}
    return Redactor({name: environ[name] for name in hidden if len(environ[name]) >= _SHORTEST})


def collect(catalog: Catalog, sources: Sources, folder: Path, environ: Mapping[str, str]) -> dict[Environment, Side]:
    """Read both environments; ``folder`` has the stack files.

    Raises ReportError where one of the files cannot be read or holds something else, SettingsError where outputs cannot be read.
    """
    redact = redactor(catalog, environ)
    previews = {name: _preview(sources.previews.get(name), redact) for name in ENVIRONMENTS}
    outputs = {name: _outputs(name, sources.outputs.get(name), previews[name], redact) for name in ENVIRONMENTS}
    settings = {name: _settings(name, folder, environ) for name in ENVIRONMENTS}
    return {
        name: _side(catalog, name, settings, outputs, (previews[name], _record(sources.records.get(name), redact))) for name in ENVIRONMENTS
    }


def failure(path: Path | None, catalog: Catalog, sides: Mapping[Environment, Side], environ: Mapping[str, str]) -> tuple[str, ...]:
    """The last lines that a failed preview printed; empty where none failed, and where its JSON names the error and the rest only warns.

    Raises ReportError where the file cannot be read.
    """
    if path is None:
        return ()
    lines = [line.rstrip() for line in redactor(catalog, environ)(_read(path)).splitlines() if line.strip()]
    has_error = any(side.preview.errors for side in sides.values() if side.preview)
    if has_error and not any(line.startswith("error: ") for line in lines):
        return ()
    last = (shortened(line.removeprefix("error: ")) for line in lines[-_MOST_OF_A_FAILURE:])
    return ("\n".join(last) or "the preview failed without a message",)


def _side(
    catalog: Catalog,
    name: Environment,
    settings: Mapping[Environment, Settings | CraneError],
    outputs: Mapping[Environment, StackOutputs | None],
    previewed: tuple[Preview | None, PreviewRecord | int | None],
) -> Side:
    own, last = settings[name], {str(environment): values.raw if values else None for environment, values in outputs.items()}
    # Where this stack file cannot be read, the other one has the folder of the workers too: both share it.
    readable = next((candidate for candidate in (own, *settings.values()) if isinstance(candidate, Settings)), None)
    files = read_files(catalog, readable.workers_dir) if readable else NOTHING
    others: Mapping[str, Mapping[str, object]] = {}
    if isinstance(own, Settings):
        try:
            others = neighbours(own, last)
        except SettingsError as error:
            own = error
    return Side(name, own, files, others, outputs[name], *previewed)


def _settings(name: Environment, folder: Path, environ: Mapping[str, str]) -> Settings | CraneError:
    try:
        return read_settings(name, folder, environ)
    except SettingsError as error:
        return error


def _preview(path: Path | None, redact: Redactor) -> Preview | None:
    """None for an empty file too: a preview that failed before it began leaves one."""
    text = "" if path is None else _read(path)
    return parse_preview(text, str(path), redact) if text.strip() else None


def _record(path: Path | None, redact: Redactor) -> PreviewRecord | int | None:
    """None where the file does not exist: the preview failed before it wrote one, or its version writes none."""
    if path is None or not path.exists():
        return None
    record = parse_record(_read(path), str(path))
    return record.redacted(redact) if isinstance(record, PreviewRecord) else record


def _outputs(name: Environment, path: Path | None, preview: Preview | None, redact: Redactor) -> StackOutputs | None:
    """The last outputs: from their file, else as the preview saw them."""
    if path is None:
        return _readable(preview.outputs, name, redact) if preview else None
    try:
        outputs = from_json(_read(path) or "{}")
    except ValueError:
        outputs = None
    if not isinstance(outputs, dict):
        raise ReportError(str(path), "is not the JSON of a stack's outputs", "Write it with pulumi stack output --json")
    return _readable(outputs, name, redact)


def _readable(outputs: Mapping[str, Any], name: Environment, redact: Redactor) -> StackOutputs:
    """The outputs, redacted once their proofs are unpacked."""
    return read_outputs(redacted(plain_outputs(outputs, name), redact), name)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise ReportError(str(path), f"cannot be read ({error.strerror})", "Name a file that exists") from None
