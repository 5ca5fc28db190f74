"""Who may call: the holder of this instance's token, for this cloud's one account.

A real account id is refused even with the right token, so that nothing meant for Cloudflare is ever answered here.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from crane_infra.local.envelope import Refusal
from crane_infra.local.ids import ACCOUNT_ID

if TYPE_CHECKING:
    from starlette.requests import Request

AUTHENTICATION, FOREIGN_ACCOUNT = 10000, 9109


def admit(request: Request, token: str, path: str) -> None:
    """Refuse a request without the token (401) or for another account (403); ``path`` starts after the API's base."""
    given = request.headers.get("authorization", "")
    if not secrets.compare_digest(given.encode(), f"Bearer {token}".encode()):
        raise Refusal(401, AUTHENTICATION, "Authentication error")
    if path.startswith("/accounts/") and path.split("/")[2] != ACCOUNT_ID:
        raise Refusal(403, FOREIGN_ACCOUNT, "Unauthorized to access requested resource")
