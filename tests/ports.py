"""Ports for what stops in a test and starts again on the same one.

They are below those that the system gives to listeners and connections that name none. So nothing else on the machine takes such a port while
nobody listens there; in the system's range any test that runs at the same time can. Each is given once.
"""

import os
import socket
from collections.abc import Iterator
from functools import cache
from itertools import cycle
from pathlib import Path

FIRST = 10_000
_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")


def free_port() -> int:
    """A port of 127.0.0.1 that nobody uses, and that no other call of this run of the tests gets."""
    return next(port for port in _ports() if _is_free(port))


@cache
def _ports() -> Iterator[int]:
    """The ports of this worker of xdist, from one on that depends on the process: several runs may go on side by side."""
    worker, workers = (os.environ.get(f"PYTEST_XDIST_WORKER{end}", default) for end, default in (("", "gw0"), ("_COUNT", "1")))
    mine = range(FIRST + int(worker.removeprefix("gw")), _first_of_the_system(), int(workers))
    start = os.getpid() * 101 % len(mine)
    return cycle([*mine[start:], *mine[:start]])


def _first_of_the_system() -> int:
    """Where the system's range begins: 32768 on Linux, unless somebody changed it, and higher elsewhere."""
    first = int(_RANGE.read_text(encoding="ascii").split()[0]) if _RANGE.exists() else 32_768
    return first if first > 2 * FIRST else 32_768


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
