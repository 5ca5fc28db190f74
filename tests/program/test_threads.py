"""Hooks have threads left while every resource of a catalog waits in one."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from crane_infra.catalog import crane
from crane_infra.program.threads import OTHER_RESOURCES, RESOURCES_OF_A_DATABASE, RESOURCES_OF_A_WORKER, make_room


async def hook_while_resources_wait(pool: ThreadPoolExecutor | None = None) -> str:
    catalog, ended = crane(), threading.Event()
    if pool is not None:
        asyncio.get_running_loop().set_default_executor(pool)
    make_room(catalog)
    resources = RESOURCES_OF_A_WORKER * len(catalog.workers) + RESOURCES_OF_A_DATABASE * len(catalog.databases) + OTHER_RESOURCES
    loop = asyncio.get_running_loop()
    waiting = [loop.run_in_executor(None, ended.wait) for _ in range(resources)]
    try:
        return await asyncio.wait_for(asyncio.to_thread(lambda: "went on"), 60)
    finally:
        ended.set()
        await asyncio.gather(*waiting)


def test_a_hook_goes_on_while_every_resource_waits() -> None:
    assert asyncio.run(hook_while_resources_wait()) == "went on"


def test_the_pool_of_the_language_host_grows_since_it_waits_for_that_one_at_its_end() -> None:
    pool = ThreadPoolExecutor(max_workers=4)
    assert asyncio.run(hook_while_resources_wait(pool)) == "went on"
    with pytest.raises(RuntimeError, match="after shutdown"):
        pool.submit(print)  # asyncio.run ended the pool that the hook used
