"""Hooks have threads left while every resource of a catalog waits in one."""

import asyncio
import threading

from crane_infra.catalog import crane
from crane_infra.program.threads import RESOURCES_OF_A_DATABASE, RESOURCES_OF_A_WORKER, make_room


async def hook_while_resources_wait() -> str:
    catalog, ended = crane(), threading.Event()
    make_room(catalog)
    resources = RESOURCES_OF_A_WORKER * len(catalog.workers) + RESOURCES_OF_A_DATABASE * len(catalog.databases)
    loop = asyncio.get_running_loop()
    waiting = [loop.run_in_executor(None, ended.wait) for _ in range(resources)]
    try:
        return await asyncio.wait_for(asyncio.to_thread(lambda: "went on"), 60)
    finally:
        ended.set()
        await asyncio.gather(*waiting)


def test_a_hook_goes_on_while_every_resource_waits() -> None:
    assert asyncio.run(hook_while_resources_wait()) == "went on"
