"""API tokens and what they may do: read or write, D1 or Workers.

The cloud's own token has every permission. Others are made through the admin port with a list of permissions, stay valid until they are
revoked, and survive a restart; only their digests are stored. A call's method and path decide which permission it needs. ``/query``,
``/raw`` and ``/export`` need D1 Read; their handlers then use ``may`` to judge statements that write, as production does
(cloudflare-docs 22354). Tokens have no expiry and no conditions.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from starlette.responses import JSONResponse, Response

from local_cloud.envelope import Refusal
from local_cloud.ids import new_hex

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.requests import Request

    from local_cloud.store import Store

AUTHENTICATION = 10000
OWN_TOKEN_ID = "10ca1000000040008000000000000001"  # noqa: S105 (a name, not a token)
_ACCOUNT_PATH = re.compile(r"/accounts/[^/]+(/.*)")
_READING_POSTS = re.compile(r"/d1/database/[^/]+/(?:query|raw|export)")


class Permission(StrEnum):
    """What a token may do, as Cloudflare names it."""

    D1_READ = "D1 Read"
    D1_WRITE = "D1 Write"
    WORKERS_READ = "Workers Scripts Read"
    WORKERS_WRITE = "Workers Scripts Write"
    USER_READ = "User Details Read"
    MEMBERSHIPS_READ = "Memberships Read"
    ANALYTICS_READ = "Account Analytics Read"


_WIDER = {Permission.D1_READ: Permission.D1_WRITE, Permission.WORKERS_READ: Permission.WORKERS_WRITE}
_OF_THE_USER = {"/user": Permission.USER_READ, "/memberships": Permission.MEMBERSHIPS_READ}


def may(request: Request, permission: Permission) -> bool:
    """Whether the token of this request has a permission; a write permission includes reading."""
    held: frozenset[Permission] = request.state.permissions
    return permission in held or _WIDER.get(permission) in held


class GatewayRefusal(Refusal):
    """A refusal by the gateway in front of Cloudflare's products: its body has no ``messages`` and no ``result`` (cloudflare-python 2678)."""

    def response(self) -> Response:
        """Give the reply."""
        errors = [{"code": self.code, "message": self.message}]
        return JSONResponse({"success": False, "errors": errors}, status_code=self.status)


def denied() -> Refusal:
    """Give the refusal of a known token that lacks a permission; like Cloudflare's it does not say which one (workers-sdk 4597)."""
    return GatewayRefusal(403, AUTHENTICATION, "Authentication error")


def needed(method: str, path: str) -> Permission | None:
    """Give the permission that a call needs, None where any token will do; ``path`` is relative to the API's base URL."""
    inside = _ACCOUNT_PATH.fullmatch(path)
    if inside is None:
        return _OF_THE_USER.get(path)
    reads = method in {"GET", "HEAD"} or (method == "POST" and _READING_POSTS.fullmatch(inside[1]) is not None)
    if inside[1].startswith("/d1/"):
        return Permission.D1_READ if reads else Permission.D1_WRITE
    if inside[1].startswith("/workers/"):
        return Permission.WORKERS_READ if reads else Permission.WORKERS_WRITE
    return None


@dataclass(frozen=True)
class Token:
    """A known token: its id, which is not secret, and its permissions."""

    id: str
    permissions: frozenset[Permission]


class Tokens:
    """The tokens of one cloud."""

    def __init__(self, store: Store, cloud_token: str) -> None:
        """Keep tokens in ``store``; ``cloud_token`` is the cloud's own token, which has every permission."""
        self._store, self._cloud_token = store, cloud_token.encode()

    def create(self, permissions: Iterable[Permission]) -> str:
        """Make a token with these permissions."""
        token, ident = secrets.token_hex(20), new_hex()
        self._store.add("token", ident, {"id": ident, "permissions": sorted(permissions)}, name=_digest(token))
        return token

    def revoke(self, token: str) -> bool:
        """Revoke a token; False when there is none. The cloud's own token cannot be revoked."""
        record = self._store.named("token", _digest(token))
        if record is not None:
            self._store.remove(record["id"])
        return record is not None

    def find(self, token: str) -> Token | None:
        """Give a token by its secret text; None for an unknown one."""
        if secrets.compare_digest(token.encode(), self._cloud_token):
            return Token(OWN_TOKEN_ID, frozenset(Permission))
        record = self._store.named("token", _digest(token))
        return Token(record["id"], frozenset(map(Permission, record["permissions"]))) if record else None


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
