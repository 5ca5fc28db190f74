"""Who may call: the holder of a known token with the permission that the call needs, for this cloud's one account.

A real account id is refused even with the right token, so that nothing meant for Cloudflare is ever answered here. Each refusal has
the status, code and shape of Cloudflare's own; how long a token's text is is not judged.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from starlette.responses import JSONResponse, Response

from crane_infra.local.envelope import BAD_REQUEST, Refusal
from crane_infra.local.ids import ACCOUNT_ID
from crane_infra.local.tokens import AUTHENTICATION, GatewayRefusal, Permission, Token, Tokens, denied, may, needed

if TYPE_CHECKING:
    from starlette.requests import Request

FOREIGN_ACCOUNT, NO_CREDENTIALS, BAD_HEADERS, BAD_AUTHORIZATION, BAD_TOKEN = 9109, 9106, 6003, 6111, 1000
_FOREIGN = "Unauthorized to access requested resource"
_BEARER = re.compile(r"Bearer +(.*)", re.IGNORECASE)
_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*")


class _MalformedHeader(Refusal):
    """What Cloudflare says of a token that cannot be one (workers-sdk 15616)."""

    def __init__(self) -> None:
        super().__init__(BAD_REQUEST, BAD_HEADERS, "Invalid request headers")

    def response(self) -> Response:
        """Give the reply, with the chain that names the header."""
        chain = [{"code": BAD_AUTHORIZATION, "message": "Invalid format for Authorization header"}]
        errors = [{"code": self.code, "message": self.message, "error_chain": chain}]
        return JSONResponse({"success": False, "errors": errors, "messages": [], "result": None}, status_code=self.status)


def admit(request: Request, tokens: Tokens, path: str) -> None:
    """Refuse a request that may not be made; leave what its token may do in its state. ``path`` starts after the API's base.

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
        raise Refusal(403, FOREIGN_ACCOUNT, _FOREIGN)  # wrangler's whoami counts on this code
    raise denied()


def _known(request: Request, tokens: Tokens, path: str) -> Token:
    given = _BEARER.fullmatch(request.headers.get("authorization", ""))
    if given is None:
        raise GatewayRefusal(BAD_REQUEST, NO_CREDENTIALS, "Missing X-Auth-Key, X-Auth-Email or Authorization headers")
    if not _TOKEN.fullmatch(given[1]):
        raise _MalformedHeader
    token = tokens.find(given[1])
    if token is None:
        unknown = (BAD_TOKEN, "Invalid API Token") if path.endswith("/tokens/verify") else (AUTHENTICATION, "Authentication error")
        raise Refusal(401, *unknown)
    return token
