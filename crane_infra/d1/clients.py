"""HTTP clients to one address, of which each call takes one that is not busy.

The pool of a client looks at all its connections, and at all calls that wait for one, with each call. With two hundred calls at once that took
more than the calls themselves; in twenty clients of five connections each, it takes next to nothing.
"""

import asyncio
from types import TracebackType
from typing import Any, Self

import httpx

from crane_infra.tls import trusted

_MOST, _CONNECTIONS = 20, 5


class Clients:
    """As many clients as calls are under way at once, at most twenty, each made when it is needed. Calls one after another share a connection."""

    def __init__(self, base_url: str) -> None:
        self._base_url = base_url
        self._clients: list[httpx.AsyncClient] = []
        self._under_way: list[int] = []

    async def request(self, method: str, path: str, **arguments: Any) -> httpx.Response:  # noqa: ANN401 (those of httpx)
        """Send one request. Raises what httpx raises."""
        chosen = self._least_busy()
        self._under_way[chosen] += 1
        try:
            return await self._clients[chosen].request(method, path, **arguments)
        finally:
            self._under_way[chosen] -= 1

    def _least_busy(self) -> int:
        least = min(self._under_way, default=1)
        if least == 0 or len(self._clients) == _MOST:
            return self._under_way.index(least)
        limits = httpx.Limits(max_connections=_CONNECTIONS, max_keepalive_connections=_CONNECTIONS)
        self._clients.append(httpx.AsyncClient(base_url=self._base_url, verify=trusted(), limits=limits))
        self._under_way.append(0)
        return len(self._clients) - 1

    async def aclose(self) -> None:
        """Close all connections."""
        await asyncio.gather(*(client.aclose() for client in self._clients))

    async def __aenter__(self) -> Self:
        """Begin; nothing is connected yet."""
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Close all connections."""
        await self.aclose()
