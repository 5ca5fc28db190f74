"""The routes of static assets: a session for the files of a version, and the uploads of their contents, which the session's token allows."""

from __future__ import annotations

import asyncio
import base64
import binascii
import re
from typing import TYPE_CHECKING

from local_cloud.cloud import Cloud, Handler, body_of
from local_cloud.envelope import BAD_REQUEST, BAD_WORKER, MALFORMED, Refusal, ok
from local_cloud.ids import ACCOUNT_ID
from local_cloud.tokens import AUTHENTICATION
from local_cloud.workers.asset_sessions import buckets, missing, open_session
from local_cloud.workers.asset_tokens import session_of, token
from local_cloud.workers.routes.multipart_form import parse
from local_cloud.workers.routes.requests import flag
from local_cloud.workers.routes.upload_form import read

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from local_cloud.store import Body

_BEARER = re.compile(r"Bearer +(.*)", re.IGNORECASE)
_CREATED, _ACCEPTED = 201, 202


async def begin(cloud: Cloud, request: Request) -> Response:
    """POST /workers/scripts/{name}/assets-upload-session: what is to be uploaded, in buckets; the script need not exist yet."""
    body = await body_of(request)
    session = open_session(cloud, request.path_params["name"], body.get("manifest"))
    left = missing(cloud, session)
    return ok({"jwt": token(cloud.token, session["id"], "upload" if left else "completion"), "buckets": buckets(left)})


async def upload(cloud: Cloud, request: Request) -> Response:
    """POST /workers/assets/upload?base64=true: some contents as a form, by their hashes; the last upload is answered with the completion token."""
    session = _session(cloud, request)
    if not flag(request, "base64"):
        raise Refusal(BAD_REQUEST, MALFORMED, "The request is malformed: contents must be sent in base64")
    sizes = {entry["hash"]: entry["size"] for entry in session["manifest"].values()}
    contents = {
        part.name: _content(part.name, part.content, sizes) for part in parse(request.headers.get("content-type", ""), await read(request))
    }
    for digest, content in contents.items():
        await asyncio.to_thread(cloud.assets.add, digest, content)
    is_complete = not missing(cloud, session)
    reply = ok({"jwt": token(cloud.token, session["id"], "completion") if is_complete else None})
    reply.status_code = _CREATED if is_complete else _ACCEPTED
    return reply


def _session(cloud: Cloud, request: Request) -> Body:
    given = _BEARER.fullmatch(request.headers.get("authorization", ""))
    ident = session_of(cloud.token, given[1], "upload") if given and request.path_params["a"] == ACCOUNT_ID else None
    session = cloud.store.get("asset_session", ident or "")
    if session is None:
        raise Refusal(401, AUTHENTICATION, "Authentication error")
    return session


def _content(digest: str, text: bytes, sizes: dict[str, int]) -> bytes:
    if digest not in sizes:
        raise Refusal(BAD_REQUEST, BAD_WORKER, f"The asset {digest} is not in the manifest of this upload")
    try:
        content = base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise Refusal(BAD_REQUEST, BAD_WORKER, f"The asset {digest} is not base64") from error
    if len(content) != sizes[digest]:
        raise Refusal(BAD_REQUEST, BAD_WORKER, f"The asset {digest} has {len(content)} bytes, its manifest says {sizes[digest]}")
    return content


ROUTES: dict[str, Handler] = {"POST /accounts/{a}/workers/scripts/{name}/assets-upload-session": begin}
SESSION_ROUTES: dict[str, Handler] = {"POST /accounts/{a}/workers/assets/upload": upload}
"""Those that the token of a session allows; their handler checks it."""
