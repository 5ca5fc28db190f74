"""The account's routes: the user and the token, the one account, and its workers.dev subdomain."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.responses import JSONResponse

from local_cloud.envelope import ok, page
from local_cloud.ids import ACCOUNT_ID

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from local_cloud.cloud import Cloud, Handler

_CREATED = "2026-01-01T00:00:00.000000Z"
_ACCOUNT: dict[str, Any] = {
    "id": ACCOUNT_ID,
    "name": "local cloud",
    "type": "standard",
    "settings": {"enforce_twofactor": False},
    "created_on": _CREATED,
}
_USER = {
    "id": "10ca1000000040008000000000000002",
    "email": "local-cloud@localhost",
    "first_name": None,
    "last_name": None,
    "two_factor_authentication_enabled": False,
    "suspended": False,
    "created_on": _CREATED,
    "modified_on": _CREATED,
}
_MEMBERSHIP = {
    "id": "10ca1000000040008000000000000003",
    "status": "accepted",
    "account": _ACCOUNT,
    "roles": ["Super Administrator - All Privileges"],
    "api_access_enabled": None,
}


async def user(_cloud: Cloud, _: Request) -> Response:
    """GET /user."""
    return ok(_USER)


async def verify(_cloud: Cloud, request: Request) -> Response:
    """GET /user/tokens/verify and the account's."""
    notice = {"code": 10000, "message": "This API Token is valid and active", "type": None}
    result = {"id": request.state.token_id, "status": "active"}
    return JSONResponse({"success": True, "errors": [], "messages": [notice], "result": result})


async def memberships(_cloud: Cloud, request: Request) -> Response:
    """GET /memberships."""
    return page([_MEMBERSHIP], request.query_params)


async def accounts(_cloud: Cloud, request: Request) -> Response:
    """GET /accounts."""
    return page([_ACCOUNT], request.query_params)


async def account(_cloud: Cloud, _: Request) -> Response:
    """GET /accounts/{a}."""
    return ok(_ACCOUNT)


async def subdomain(cloud: Cloud, _: Request) -> Response:
    """GET /workers/subdomain."""
    return ok({"subdomain": cloud.subdomain})


ROUTES: dict[str, Handler] = {
    "GET /user": user,
    "GET /user/tokens/verify": verify,
    "GET /memberships": memberships,
    "GET /accounts": accounts,
    "GET /accounts/{a}": account,
    "GET /accounts/{a}/tokens/verify": verify,
    "GET /accounts/{a}/workers/subdomain": subdomain,
}
