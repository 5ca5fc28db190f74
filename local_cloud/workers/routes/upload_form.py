"""Reads an uploaded form as a version in the format of the newer JSON API, so that both ways of uploading give the same record.

What the local cloud does not run (containers, changed Durable Object classes, the service-worker format) is refused by name, not dropped.
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
_NOT_EMULATED = ("body_part", "containers", "exports", "migrations")
_NEW_CLASSES = ("new_classes", "new_sqlite_classes")
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


async def uploaded(request: Request, *, may_migrate: bool = False) -> tuple[Body, Body]:
    """Give the metadata and the version of an uploaded form; raises Refusal. Only a whole script ``may_migrate`` Durable Object classes."""
    parts = parse(request.headers.get("content-type", ""), await read(request))
    metadata = field(parts, "metadata")
    if may_migrate:
        new_tag(metadata)
    refuse_unemulated({key: value for key, value in metadata.items() if not (may_migrate and key == "migrations")})
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


def new_tag(metadata: Body) -> str | None:
    """Give the tag of the last migration of Durable Object classes in an upload, None without any. Only new classes can be run here (501)."""
    migrations = metadata.get("migrations") or {}
    steps = migrations.get("steps") or [migrations] if isinstance(migrations, dict) else [None]
    if not isinstance(steps, list) or not all(isinstance(step, dict) for step in steps):
        raise Refusal(BAD_REQUEST, _MALFORMED, "The request is malformed: migrations must be an object")
    for step in steps:
        for key in step:
            if step[key] and key.endswith("_classes") and key not in _NEW_CLASSES:
                raise Refusal(501, UNKNOWN_ROUTE, f"The local cloud does not emulate '{key}' of a migration")
    return migrations.get("new_tag")


def _module(part: Part) -> Body:
    kind = part.content_type or "application/octet-stream"
    content = base64.b64encode(part.content).decode()
    return {"name": part.filename or part.name, "content_type": _TYPES.get(kind, kind), "content_base64": content}
