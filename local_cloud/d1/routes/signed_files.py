"""Signed addresses for files, valid for an hour without a token: to upload an import or download an export.

They are outside the REST API, as R2's presigned URLs are. The content of an uploaded file is not checked here.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import os
import tempfile
import time
from pathlib import Path
from typing import IO, TYPE_CHECKING, Literal

from starlette.responses import Response

from local_cloud.workerd.paths import side_folder

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from starlette.requests import Request

    from local_cloud.cloud import Cloud, Handler

PREFIX = "/d1-files"
VALID_SECONDS = 3600


def address(cloud: Cloud, request: Request, method: str, path: str) -> str:
    """Give the signed address of a file on the host that ``request`` was sent to; valid for an hour."""
    query = signed(cloud.token, method, path, int(time.time()) + VALID_SECONDS)
    return f"{request.url.scheme}://{request.url.netloc}{PREFIX}{path}?{query}"


def signed(key: str, method: str, path: str, expires: int) -> str:
    """Give the query string that allows one method on one path until ``expires`` (seconds since 1970)."""
    return f"expires={expires}&signature={_signature(key, method, path, expires)}"


async def upload(cloud: Cloud, request: Request) -> Response:
    """PUT /d1-files/{uuid}/{name}: the file of an import."""
    if not _is_admitted(cloud.token, "PUT", request.path_params, request.query_params):
        return _denied()
    if cloud.store.get("database", request.path_params["uuid"]) is None:
        return Response("NoSuchBucket", 404)
    etag = await _store(request, _file(cloud, request, "imports"))
    return Response(headers={"etag": f'"{etag}"'})


async def download(cloud: Cloud, request: Request) -> Response:
    """GET /d1-files/{uuid}/{name}: the file of an export."""
    if not _is_admitted(cloud.token, "GET", request.path_params, request.query_params):
        return _denied()
    file = _file(cloud, request, "exports")
    if not await asyncio.to_thread(file.is_file):
        return Response("NoSuchKey", 404)
    return Response(await asyncio.to_thread(file.read_bytes), media_type="application/sql")


def _file(cloud: Cloud, request: Request, kind: Literal["imports", "exports"]) -> Path:
    folder = side_folder(cloud.workerd.databases, request.path_params["uuid"], kind)
    return folder / Path(request.path_params["name"]).name


async def _store(request: Request, file: Path) -> str:
    """Replace the file with the body, as a whole or not at all; give its md5."""
    digest = hashlib.md5(usedforsecurity=False)
    with _replacing(file) as target:
        async for chunk in request.stream():
            digest.update(chunk)
            target.write(chunk)
    return digest.hexdigest()


@contextlib.contextmanager
def _replacing(file: Path) -> Iterator[IO[bytes]]:
    file.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=file.parent, prefix="uploading-")
    try:
        with os.fdopen(descriptor, "wb") as target:
            yield target
        Path(temporary).replace(file)
    finally:
        Path(temporary).unlink(missing_ok=True)


def _is_admitted(key: str, method: str, path: Mapping[str, str], query: Mapping[str, str]) -> bool:
    expires = query.get("expires", "")
    if not (expires.isascii() and expires.isdigit() and int(expires) > time.time()):
        return False
    expected = _signature(key, method, f"/{path['uuid']}/{path['name']}", int(expires))
    return hmac.compare_digest(expected.encode(), query.get("signature", "").encode())


def _signature(key: str, method: str, path: str, expires: int) -> str:
    return hmac.digest(key.encode(), f"{method} {path} {expires}".encode(), "sha256").hex()


def _denied() -> Response:
    text = "<?xml version='1.0' encoding='UTF-8'?><Error><Code>AccessDenied</Code><Message>Access Denied.</Message></Error>"
    return Response(text, 403, media_type="application/xml")


ROUTES: dict[str, Handler] = {f"PUT {PREFIX}/{{uuid}}/{{name}}": upload, f"GET {PREFIX}/{{uuid}}/{{name}}": download}
