"""The account's routes: who the token is, which account there is, and its workers.dev subdomain."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crane_infra.local.envelope import ok, page
from crane_infra.local.ids import ACCOUNT_ID

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from crane_infra.local.cloud import Cloud, Handler

_TOKEN_ID = "10ca1000000040008000000000000001"  # noqa: S105 (a name, not a token)


async def verify(_cloud: Cloud, _: Request) -> Response:
    """GET /user/tokens/verify."""
    return ok({"id": _TOKEN_ID, "status": "active"})


async def accounts(_cloud: Cloud, request: Request) -> Response:
    """GET /accounts."""
    return page(
        [{"id": ACCOUNT_ID, "name": "local cloud", "type": "standard", "settings": {"enforce_twofactor": False}}], request.query_params
    )


async def subdomain(cloud: Cloud, _: Request) -> Response:
    """GET /workers/subdomain."""
    return ok({"subdomain": cloud.subdomain})


ROUTES: dict[str, Handler] = {
    "GET /user/tokens/verify": verify,
    "GET /accounts": accounts,
    "GET /accounts/{a}/workers/subdomain": subdomain,
}
