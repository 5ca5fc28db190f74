"""Who may call: the holder of a known token with the permission that the call needs, for this cloud's one account.

A real account id is refused even with the right token, so that no call meant for Cloudflare is answered here. Each refusal has the
status, code and format of Cloudflare's. The length of a token is not checked.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from starlette.responses import JSONResponse, Response

from local_cloud.envelope import BAD_REQUEST, Refusal
from local_cloud.ids import ACCOUNT_ID
from local_cloud.tokens import AUTHENTICATION, GatewayRefusal, Permission, Token, Tokens, denied, may, needed

if TYPE_CHECKING:
    from starlette.requests import Request

FOREIGN_ACCOUNT, NO_CREDENTIALS, UNKNOWN_KEY, BAD_HEADERS, BAD_AUTHORIZATION, BAD_KEY, BAD_TOKEN = 9109, 9106, 9103, 6003, 6111, 6103, 1000
_FOREIGN = "Unauthorized to access requested resource"
_BEARER = re.compile(r"Bearer +(.*)", re.IGNORECASE)
_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*")
_API_KEY = re.compile(r"[A-Za-z0-9_-]{37,}")


class _MalformedHeader(Refusal):
    """Cloudflare's refusal of a malformed token or key (workers-sdk 15616, cloudflare-typescript 161)."""

    def __init__(self, code: int, header: str) -> None:
        super().__init__(BAD_REQUEST, BAD_HEADERS, "Invalid request headers")
        self._cause = {"code": code, "message": f"Invalid format for {header} header"}

    def response(self) -> Response:
        """Give the reply, with the chain that names the header."""
        errors = [{"code": self.code, "message": self.message, "error_chain": [self._cause]}]
        return JSONResponse({"success": False, "errors": errors, "messages": [], "result": None}, status_code=self.status)


def admit(request: Request, tokens: Tokens, path: str) -> None:
    """Refuse a request that is not allowed, else put its token's permissions into its state. ``path`` is relative to the API's base URL.

    Raises Refusal: 400 without a well-formed bearer token, 401 for an unknown one, 403 for another account or a missing permission.
    """
    token = _known(request, tokens, path)
    request.state.permissions, request.state.token_id = token.permissions, token.id
    if path.startswith("/accounts/") and path.split("/")[2] != ACCOUNT_ID:
        raise Refusal(403, FOREIGN_ACCOUNT, _FOREIGN)
    permission = needed(request.method, path)
    if permission is None or may(request, permission):
        return
    if permission is Permission.USER_READ:
        raise Refusal(403, FOREIGN_ACCOUNT, _FOREIGN)  # wrangler's whoami relies on this code
    raise denied()


def _known(request: Request, tokens: Tokens, path: str) -> Token:
    given = _BEARER.fullmatch(request.headers.get("authorization", ""))
    if given is None:
        raise _without_token(request)
    if not _TOKEN.fullmatch(given[1]):
        raise _MalformedHeader(BAD_AUTHORIZATION, "Authorization")
    token = tokens.find(given[1])
    if token is None:
        unknown = (BAD_TOKEN, "Invalid API Token") if path.endswith("/tokens/verify") else (AUTHENTICATION, "Authentication error")
        raise Refusal(401, *unknown)
    return token


def _without_token(request: Request) -> Refusal:
    """Give the refusal of a caller without a token; the local cloud has no API keys."""
    key = request.headers.get("x-auth-key")
    if key is None or "x-auth-email" not in request.headers:
        return GatewayRefusal(BAD_REQUEST, NO_CREDENTIALS, "Missing X-Auth-Key, X-Auth-Email or Authorization headers")
    if not _API_KEY.fullmatch(key):
        return _MalformedHeader(BAD_KEY, "X-Auth-Key")
    return GatewayRefusal(403, UNKNOWN_KEY, "Unknown X-Auth-Key or X-Auth-Email")
