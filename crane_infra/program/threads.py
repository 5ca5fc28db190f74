"""Gives the program enough threads for its hooks.

Pulumi's SDK waits for each resource in a thread of the event loop's default pool, of four threads for each operation at once. A hook needs
threads of the same pool, to look up an address for one, while its resource waits: with many resources, or ``--parallel 1``, all threads
would be taken and no hook could go on.
"""

import asyncio
from concurrent.futures import ThreadPoolExecutor

from crane_infra.config.catalog import Catalog

RESOURCES_OF_A_WORKER, RESOURCES_OF_A_DATABASE, OTHER_RESOURCES = 8, 4, 4
"""More than are declared: the components themselves count too. The others are the stack, the release and the points that all workers reach."""
THREADS_OF_HOOKS = 32


def make_room(catalog: Catalog) -> None:
    """Let every resource of a catalog wait while hooks run. Threads start as they are needed.

    The pool that the language host made grows, and no other takes its place: at the end of a failed update the language host waits for the
    threads of its own pool, and would otherwise print the interrupt that ends it as a traceback. asyncio has no public way to the pool.
    """
    loop = asyncio.get_event_loop()
    resources = RESOURCES_OF_A_WORKER * len(catalog.workers) + RESOURCES_OF_A_DATABASE * len(catalog.databases)
    threads = resources + OTHER_RESOURCES + THREADS_OF_HOOKS
    pool = getattr(loop, "_default_executor", None)
    if isinstance(pool, ThreadPoolExecutor):
        pool._max_workers = max(pool._max_workers, threads)  # noqa: SLF001
    else:
        loop.set_default_executor(ThreadPoolExecutor(max_workers=threads))
