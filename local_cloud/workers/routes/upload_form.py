"""Reads an uploaded form as a version in the format of the newer JSON API, so that both ways of uploading give the same record.

What the local cloud does not run (containers, the service-worker format) is refused by name, not dropped.
"""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

from local_cloud.envelope import BAD_REQUEST, UNKNOWN_ROUTE, Refusal
from local_cloud.workers.routes.multipart_form import Part, parse
from local_cloud.workers.version_record import VERSIONED

if TYPE_CHECKING:
    from starlette.requests import Request

    from local_cloud.store import Body

LARGEST_BODY = 128 * 2**20
_NOT_EMULATED = ("body_part", "containers", "exports")
_MALFORMED, _TOO_LARGE = 10001, 10027
_TYPES = {"text/javascript+module": "application/javascript+module", "text/javascript": "application/javascript"}


async def read(request: Request) -> bytes:
    """Give the request's body; refuse one over 128 MiB (413, 10027)."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > LARGEST_BODY:
            raise Refusal(413, _TOO_LARGE, f"Your Worker exceeded the size limit of {LARGEST_BODY // 2**20} MiB.")
    return bytes(body)


async def uploaded(request: Request) -> tuple[Body, Body]:
    """Give the metadata and the version of an uploaded form, without its migrations; raises Refusal."""
    parts = parse(request.headers.get("content-type", ""), await read(request))
    metadata = field(parts, "metadata")
    refuse_unemulated(metadata)
    version = {key: metadata[key] for key in (*VERSIONED, "keep_assets") if metadata.get(key) is not None}
    return metadata, {**version, "modules": [_module(part) for part in parts if part.name != "metadata"]}


async def settings(request: Request) -> Body:
    """Give the settings of a PATCH, sent as a form or as JSON; raises Refusal."""
    content_type, body = request.headers.get("content-type", ""), await read(request)
    if not content_type.startswith("multipart/"):
        return json_of(body)
    return field(parse(content_type, body), "settings")


def field(parts: list[Part], name: str) -> Body:
    """Give the JSON object in a field; raises Refusal when it is missing or malformed."""
    content = next((part.content for part in parts if part.name == name), None)
    if content is None:
        raise Refusal(BAD_REQUEST, _MALFORMED, f"The form has no part '{name}'")
    return json_of(content)


def json_of(text: bytes) -> Body:
    """Give a JSON object; raises Refusal."""
    try:
        value: Any = json.loads(text)
    except ValueError as error:
        raise Refusal(BAD_REQUEST, _MALFORMED, f"The request is malformed: {error}") from error
    if not isinstance(value, dict):
        raise Refusal(BAD_REQUEST, _MALFORMED, "The request is malformed: a JSON object is needed")
    return value


def kept(metadata: Body) -> list[str]:
    """Give the types of bindings to keep from the version before (``keep_bindings``)."""
    kinds = metadata.get("keep_bindings")
    return [str(kind) for kind in kinds] if isinstance(kinds, list) else []


def demand_objects(value: object, name: str) -> None:
    """Refuse a value that is not an object of objects and nulls; ``name`` is its name in the refusal."""
    if not isinstance(value, dict) or not all(item is None or isinstance(item, dict) for item in value.values()):
        raise Refusal(BAD_REQUEST, _MALFORMED, f"The request is malformed: {name} must be an object of objects")


def refuse_unemulated(body: Body) -> None:
    """Refuse an upload with something that the local cloud cannot run (501)."""
    for key in _NOT_EMULATED:
        if body.get(key):
            raise Refusal(501, UNKNOWN_ROUTE, f"The local cloud does not emulate '{key}' of an upload")


def _module(part: Part) -> Body:
    kind = part.content_type or "application/octet-stream"
    content = base64.b64encode(part.content).decode()
    return {"name": part.filename or part.name, "content_type": _TYPES.get(kind, kind), "content_base64": content}
