"""Infisical on this machine: one project whose folders the admin port fills, as far as Infisical documents its API for reading secrets.

It answers a login by universal auth, the list of a folder and one secret by its name, on the public port below ``/infisical``. There are no
imports and no references. Its access tokens end with the cloud, and secrets are stored with the cloud's other records.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from local_cloud.clock import stamp
from local_cloud.infisical import CLIENT, PROJECT

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from local_cloud.cloud import Cloud
    from local_cloud.store import Body, Store

PREFIX = "/infisical"
_HIDDEN = "<hidden-by-infisical>"
_SECONDS = 7200


def put(store: Store, place: str, values: dict[str, str]) -> None:
    """Store values in a folder, which is ``<environment>:<path>``; one that is there with another value gets a new version."""
    before = folder(store, place)
    after = dict(before)
    for name, value in values.items():
        known = before.get(name, {"version": 0, "value": None})
        if known["value"] != value:
            after[name] = {"value": value, "version": known["version"] + 1, "updatedAt": stamp()}
    ident = f"infisical/{place}"
    if store.get("infisical", ident) is None:
        store.add("infisical", ident, after)
    else:
        store.put(ident, after)


def folder(store: Store, place: str) -> Body:
    """The secrets of a folder by name, each with its value, version and time."""
    return store.get("infisical", f"infisical/{place}") or {}


def infisical_app(cloud: Cloud) -> Starlette:
    """The application below ``PREFIX``."""
    tokens: set[str] = set()

    async def login(request: Request) -> Response:
        body = await request.json()
        right = isinstance(body, dict) and body.get("clientId") == CLIENT
        if not right or not secrets.compare_digest(str(body.get("clientSecret")).encode(), cloud.token.encode()):
            return _refused(401, "UnauthorizedError", "Invalid credentials")
        tokens.add(token := secrets.token_urlsafe(32))
        return JSONResponse({"accessToken": token, "expiresIn": _SECONDS, "accessTokenMaxTTL": _SECONDS, "tokenType": "Bearer"})

    async def read(request: Request) -> Response:
        query, name = request.query_params, request.path_params.get("name")
        if request.headers.get("authorization", "").removeprefix("Bearer ") not in tokens:
            return _refused(401, "TokenError", "Your token is invalid")
        if query.get("projectId") != PROJECT:
            return _refused(404, "NotFound", "Project not found")
        place, is_shown = f"{query.get('environment')}:{query.get('secretPath')}", query.get("viewSecretValue", "true") == "true"
        found = {key: _secret(place, key, stored, is_shown=is_shown) for key, stored in folder(cloud.store, place).items()}
        if name is None:
            return JSONResponse({"secrets": list(found.values()), "imports": []})
        return JSONResponse({"secret": found[name]}) if name in found else _refused(404, "NotFound", "Secret not found")

    return Starlette(
        routes=[
            Route("/api/v1/auth/universal-auth/login", login, methods=["POST"]),
            Route("/api/v4/secrets", read, methods=["GET"]),
            Route("/api/v4/secrets/{name}", read, methods=["GET"]),
        ]
    )


def _secret(place: str, name: str, stored: Body, *, is_shown: bool) -> Body:
    environment, _, path = place.partition(":")
    return {
        "id": f"{place}/{name}",
        "workspace": PROJECT,
        "environment": environment,
        "secretPath": path,
        "type": "shared",
        "secretKey": name,
        "secretValue": stored["value"] if is_shown else _HIDDEN,
        "secretValueHidden": not is_shown,
        "version": stored["version"],
        "updatedAt": stored["updatedAt"],
    }


def _refused(status: int, error: str, message: str) -> Response:
    return JSONResponse({"statusCode": status, "error": error, "message": message}, status_code=status)
