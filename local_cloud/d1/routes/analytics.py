"""The analytics query that ``wrangler d1 info`` sends: how many queries a database had today.

It always answers as for a new database, which had none. It answers no other query of the GraphQL API.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import JSONResponse

from local_cloud.cloud import Cloud, Handler, body_of
from local_cloud.envelope import UNKNOWN_ROUTE, Refusal

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

_GROUPS = "d1AnalyticsAdaptiveGroups"


async def graphql(_: Cloud, request: Request) -> Response:
    """POST /graphql; the reply is GraphQL's, without Cloudflare's envelope (wrangler 4.156 reads it)."""
    body = await body_of(request)
    if _GROUPS not in str(body.get("query")):
        raise Refusal(501, UNKNOWN_ROUTE, f"The local cloud answers only {_GROUPS}")
    return JSONResponse({"data": {"viewer": {"accounts": [{_GROUPS: []}]}}, "errors": None})


ROUTES: dict[str, Handler] = {"POST /graphql": graphql}
