"""The GraphQL API: how many queries a database had today, as ``wrangler d1 info`` asks, and what the versions of a worker answered.

A database always answers as a new one, which had no queries. No other query is answered.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import JSONResponse

from local_cloud.cloud import Cloud, Handler, body_of
from local_cloud.envelope import UNKNOWN_ROUTE, Refusal
from local_cloud.workers.routes import invocations

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

_GROUPS = "d1AnalyticsAdaptiveGroups"


async def graphql(cloud: Cloud, request: Request) -> Response:
    """POST /graphql; the reply is GraphQL's, without Cloudflare's envelope (wrangler 4.156 reads it)."""
    body = await body_of(request)
    if invocations.DATASET in str(body.get("query")):
        return JSONResponse(invocations.answer(cloud, request, body))
    if _GROUPS not in str(body.get("query")):
        raise Refusal(501, UNKNOWN_ROUTE, f"The local cloud answers only {_GROUPS} and {invocations.DATASET}")
    return JSONResponse({"data": {"viewer": {"accounts": [{_GROUPS: []}]}}, "errors": None})


ROUTES: dict[str, Handler] = {"POST /graphql": graphql}
