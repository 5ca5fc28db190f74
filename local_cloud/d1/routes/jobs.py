"""Imports and exports as long jobs: begun once, asked about until they are done, holding the database meanwhile.

A small job is done before the first reply, as in production (wrangler counts on it); the rest goes on while the client polls. Jobs live
in memory: after a restart none is running. Prevents a client that was only ever tried with jobs that end at once.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Literal

from local_cloud.d1.open_databases import Job, OpenDatabase
from local_cloud.d1.routes.requested_database import present
from local_cloud.envelope import Refusal, ok

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from starlette.responses import Response

    from local_cloud.cloud import Cloud
    from local_cloud.store import Body

Kind = Literal["import", "export"]
_PATIENCE_SECONDS = 5.0
ACTIVE = 202


async def begin(cloud: Cloud, uuid: str, opened: OpenDatabase, kind: Kind, work: Callable[[], Coroutine[Any, Any, Body]]) -> Response:
    """Begin a job and reply how it stands; the database is held until it is done and said so. One at a time (workers-sdk 9578)."""
    if opened.busy:
        text = f"Currently processing a long-running {opened.busy}. Cannot start a new {kind} until that completes or times out."
        return none(kind, text)
    opened.busy = kind
    try:
        bookmark = (await present(cloud, uuid, opened)).bookmark
    except BaseException:
        opened.busy = ""
        raise
    job = Job(kind, bookmark, cloud.behaviour.polls_until_done, asyncio.create_task(_in(opened, work)))
    opened.jobs.append(job)
    if not job.polls_left:
        job.task.add_done_callback(lambda _: _let_go(opened))
    return await _tell(opened, job, [f"Starting {kind}..."])


async def _in(opened: OpenDatabase, work: Callable[[], Coroutine[Any, Any, Body]]) -> Body:
    try:
        async with opened.passing():
            return await work()
    except Refusal as refused:
        return failed(refused.message)


async def poll(opened: OpenDatabase, kind: Kind, bookmark: object) -> Response:
    """Reply how the newest job of a kind stands that began at a bookmark."""
    job = next((job for job in reversed(opened.jobs) if (job.kind, job.bookmark) == (kind, bookmark)), None)
    return none(kind, f"Not currently {kind}ing anything.") if job is None else await _tell(opened, job, [])


def none(kind: Kind, text: str) -> Response:
    """Reply that there is no job, and why; the API's reply itself is a success (wrangler 4.156 shows ``error``)."""
    return ok({"type": kind, "messages": [], **failed(text)})


async def _tell(opened: OpenDatabase, job: Job, messages: list[str]) -> Response:
    common = {"success": True, "type": job.kind, "at_bookmark": job.bookmark, "messages": messages}
    if not job.polls_left:
        await asyncio.wait({job.task}, timeout=_PATIENCE_SECONDS)
    if job.polls_left or not job.task.done():
        job.polls_left = max(job.polls_left - 1, 0)
        response = ok({**common, "status": "active"})
        response.status_code = ACTIVE
        return response
    if opened.jobs[-1] is job:
        _let_go(opened)
    return ok({**common, **job.task.result()})


def failed(text: str) -> Body:
    """Give what a job says that ended with an error."""
    return {"success": False, "status": "error", "error": text}


def _let_go(opened: OpenDatabase) -> None:
    opened.busy = ""
