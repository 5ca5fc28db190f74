"""Gives the program enough threads for its hooks.

Pulumi's SDK waits for each resource in a thread of the event loop's default pool, of four threads for each operation at once. A hook needs
threads of the same pool, to look up an address for one, while its resource waits: with many resources, or ``--parallel 1``, all threads
would be taken and no hook could go on.
"""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from weakref import WeakSet

from crane_infra.config.catalog import Catalog

RESOURCES_OF_A_WORKER, RESOURCES_OF_A_DATABASE = 8, 4
"""More than are declared: the component itself counts too."""
THREADS_OF_HOOKS = 32
_roomy = WeakSet[asyncio.AbstractEventLoop]()


def make_room(catalog: Catalog) -> None:
    """Let every resource of a catalog wait while hooks run. Threads start as they are needed. Once for a loop: its threads may be in use."""
    if (loop := asyncio.get_event_loop()) in _roomy:
        return
    resources = RESOURCES_OF_A_WORKER * len(catalog.workers) + RESOURCES_OF_A_DATABASE * len(catalog.databases)
    loop.set_default_executor(ThreadPoolExecutor(max_workers=resources + THREADS_OF_HOOKS))
    _roomy.add(loop)
