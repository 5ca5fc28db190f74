"""What happens at a call that meets a fault: around the handler, in its place, or to its reply.

The request is read when this is called, but for a drop before the read. It counts nothing: injector.py does.
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
    from local_cloud.faults.injector import Met
    from local_cloud.faults.model import Then


async def perform(met: Met | None, cloud: Cloud, run: Callable[[Cloud], Awaitable[Response]]) -> Response:
    """Give the reply to a call under a fault; ``run`` is its handler, which always gives a reply and raises nothing."""
    if met is None:
        return await run(cloud)
    then = met.then
    instead = _instead(then)
    if instead is not None:
        return instead
    if isinstance(then, Delay | Hold):
        await _wait(then, met.over)
    response = await run(_under(then, cloud))
    if isinstance(then, CommitThenDelay | CommitThenHold):
        await _wait(then, met.over)
    return _made_of(then, response)


async def _wait(then: Delay | Hold | CommitThenDelay | CommitThenHold, over: asyncio.Event) -> None:
    if isinstance(then, Hold | CommitThenHold):
        await over.wait()
    else:
        await asyncio.sleep(then.seconds)


def _instead(then: Then) -> Response | None:
    """The reply where the handler does not run."""
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
    """The cloud as this call's handler sees it."""
    if not isinstance(then, Behave):
        return cloud
    seen = copy.copy(cloud)
    seen.behaviour = Behaviour.model_validate({**cloud.behaviour.model_dump(), **then.switches})
    return seen


def _made_of(then: Then, response: Response) -> Response:
    """What is left of the handler's reply."""
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
    wanted = then.index + 1 if isinstance(then, FailStatement) else then.missing
    if len(results) < wanted:
        return Refusal(500, INTERNAL, f"this fault wants {wanted} results, the reply has {len(results)}").response()
    if isinstance(then, FailStatement):
        results[then.index] = {**results[then.index], "success": False, "error": then.error, "results": []}
    else:
        del results[-then.missing :]
    return JSONResponse(envelope)


def _lower(headers: dict[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}
