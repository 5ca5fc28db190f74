"""Imports and exports as long jobs: begun once, polled until they are done, blocking the database meanwhile.

A small job is done before the first reply, as in production (wrangler relies on it); others continue while the client polls. Jobs are
kept in memory: after a restart none is running.
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

JobKind = Literal["import", "export"]
_PATIENCE_SECONDS = 5.0
ACTIVE = 202


async def begin(cloud: Cloud, uuid: str, opened: OpenDatabase, kind: JobKind, work: Callable[[], Coroutine[Any, Any, Body]]) -> Response:
    """Begin a job and reply with its status; it blocks the database until a reply reports that it is done. One at a time (workers-sdk 9578)."""
    if opened.busy:
        text = f"Currently processing a long-running {opened.busy}. Cannot start a new {kind} until that completes or times out."
        return no_job(kind, text)
    opened.busy = kind
    try:
        bookmark = (await present(cloud, uuid, opened)).bookmark
    except BaseException:
        opened.busy = ""
        raise
    job = Job(kind, bookmark, cloud.behaviour.polls_until_done, asyncio.create_task(_run(opened, work)))
    opened.jobs.append(job)
    if not job.polls_left:
        job.task.add_done_callback(lambda _: _unblock(opened))
    return await _status(opened, job, [f"Starting {kind}..."])


async def _run(opened: OpenDatabase, work: Callable[[], Coroutine[Any, Any, Body]]) -> Body:
    try:
        async with opened.passing():
            return await work()
    except Refusal as refusal:
        return failed(refusal.message)


async def poll(opened: OpenDatabase, kind: JobKind, bookmark: object) -> Response:
    """Reply with the status of the newest job of a kind that began at a bookmark."""
    job = next((job for job in reversed(opened.jobs) if (job.kind, job.bookmark) == (kind, bookmark)), None)
    return no_job(kind, f"Not currently {kind}ing anything.") if job is None else await _status(opened, job, [])


def no_job(kind: JobKind, text: str) -> Response:
    """Reply that there is no job, and why; the envelope still says success, and wrangler 4.156 shows ``error``."""
    return ok({"type": kind, "messages": [], **failed(text)})


async def _status(opened: OpenDatabase, job: Job, messages: list[str]) -> Response:
    common = {"success": True, "type": job.kind, "at_bookmark": job.bookmark, "messages": messages}
    if not job.polls_left:
        await asyncio.wait({job.task}, timeout=_PATIENCE_SECONDS)
    if job.polls_left or not job.task.done():
        job.polls_left = max(job.polls_left - 1, 0)
        response = ok({**common, "status": "active"})
        response.status_code = ACTIVE
        return response
    if opened.jobs[-1] is job:
        _unblock(opened)
    return ok({**common, **job.task.result()})


def failed(text: str) -> Body:
    """Give the result of a job that failed."""
    return {"success": False, "status": "error", "error": text}


def _unblock(opened: OpenDatabase) -> None:
    opened.busy = ""
