"""The admin port: health, faults and the call log. It is no part of Cloudflare's API and listens on a port of its own."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

if TYPE_CHECKING:
    from starlette.requests import Request

    from crane_infra.local.cloud import Cloud


def admin_app(cloud: Cloud) -> Starlette:
    """Build the admin application of a cloud."""

    async def health(_: Request) -> Response:
        return JSONResponse({"instance_id": cloud.instance, "pid": os.getpid()})

    async def calls(_: Request) -> Response:
        return JSONResponse(list(cloud.injector.calls))

    async def fail(request: Request) -> Response:
        try:
            cloud.injector.fail(await request.json())
        except (ValueError, TypeError, AttributeError) as error:
            return JSONResponse({"error": str(error)}, status_code=400)
        return JSONResponse({})

    async def reset(_: Request) -> Response:
        cloud.injector.reset()
        return JSONResponse({})

    post = ["POST"]
    return Starlette(
        routes=[Route("/health", health), Route("/calls", calls), Route("/fail", fail, methods=post), Route("/reset", reset, methods=post)]
    )
