"""The parts of a manifest that are read again, so that a proof with another one is unreadable as a whole. Other parts may be anything.

The manifest itself stays as it was exported, since proofs are compared by it.
"""

import json
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import from_json

from crane_infra.frozen import first_fault


class _Part(BaseModel):
    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True, defer_build=True)


class _File(_Part):
    name: str
    sha256: str


class _Base(_Part):
    sha256: str


class _Database(_Part):
    migrations: list[_File]
    base: _Base | None = None


class _Worker(_Part):
    digest: str


class _Manifest(_Part):
    workers: dict[str, _Worker] = {}
    databases: dict[str, _Database] = {}


def require_manifest(manifest: dict[str, Any]) -> dict[str, Any]:
    """Return the manifest. Raises ValueError if a part that is read again has another type, or if it is not JSON that can be exported."""
    try:
        # As strict as what reads it again: no NaN, no half a surrogate pair, no nesting without end.
        from_json(json.dumps(manifest, allow_nan=False))
    except (ValueError, TypeError, RecursionError):
        raise ValueError("is not plain JSON") from None
    try:
        _Manifest.model_validate(manifest)
    except ValidationError as error:
        raise ValueError(": ".join(filter(None, first_fault(error)))) from None
    return manifest
