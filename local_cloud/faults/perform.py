"""Carries out a fault: around a call's handler, in its place, or on its reply.

The request has been read by then, except for a drop before the read. injector.py counts the calls.
"""

from __future__ import annotations

import asyncio
import copy
import json
from typing import TYPE_CHECKING, Any

from starlette.responses import JSONResponse, Response

from local_cloud.behaviour import Behaviour
from local_cloud.envelope import INTERNAL, Refusal
from local_cloud.faults.connection import HalfReply, Silence
from local_cloud.faults.model import Behave, CommitThenDelay, CommitThenHold, Delay, Drop, Error, FailStatement, FewerResults, Hold, Reply

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from local_cloud.cloud import Cloud
    from local_cloud.faults.injector import DueFault
    from local_cloud.faults.model import Then


async def perform(due_fault: DueFault | None, cloud: Cloud, run: Callable[[Cloud], Awaitable[Response]]) -> Response:
    """Give the reply to a call under a fault; ``run`` is its handler, which always gives a reply and raises nothing."""
    if due_fault is None:
        return await run(cloud)
    then = due_fault.then
    replacement = _replacement(then)
    if replacement is not None:
        return replacement
    if isinstance(then, Delay | Hold):
        await _wait(then, due_fault.over)
    response = await run(_under(then, cloud))
    if isinstance(then, CommitThenDelay | CommitThenHold):
        await _wait(then, due_fault.over)
    return _made_of(then, response)


async def _wait(then: Delay | Hold | CommitThenDelay | CommitThenHold, over: asyncio.Event) -> None:
    if isinstance(then, Hold | CommitThenHold):
        await over.wait()
    else:
        await asyncio.sleep(then.seconds)


def _replacement(then: Then) -> Response | None:
    """Give the reply in place of the handler's, None when the handler runs."""
    match then:
        case Reply():
            return Response(then.body, then.status, {"content-type": "text/plain; charset=utf-8", **_lower(then.headers)})
        case Error():
            response = Refusal(then.status, then.code, then.message).response()
            response.headers.update(then.headers)
            return response
        case Drop("before-read" | "after-read"):
            return Silence()
    return None


def _under(then: Then, cloud: Cloud) -> Cloud:
    """Give the cloud as this call's handler sees it."""
    if not isinstance(then, Behave):
        return cloud
    seen = copy.copy(cloud)
    seen.behaviour = Behaviour.model_validate({**cloud.behaviour.model_dump(), **then.switches})
    return seen


def _made_of(then: Then, response: Response) -> Response:
    """Give what the client gets of the handler's reply."""
    match then:
        case Drop("after-commit"):
            return Silence()
        case Drop("mid-body"):
            return HalfReply(response)
        case FailStatement() | FewerResults():
            return _tampered(then, response)
    return response


def _tampered(then: FailStatement | FewerResults, response: Response) -> Response:
    envelope = json.loads(bytes(response.body))
    if not envelope["success"]:
        return response
    results: list[dict[str, Any]] = envelope["result"]
    needed = then.index + 1 if isinstance(then, FailStatement) else then.missing
    if len(results) < needed:
        return Refusal(500, INTERNAL, f"this fault needs {needed} results, the reply has {len(results)}").response()
    if isinstance(then, FailStatement):
        results[then.index] = {**results[then.index], "success": False, "error": then.error, "results": []}
    else:
        del results[-then.missing :]
    return JSONResponse(envelope)


def _lower(headers: dict[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}
