"""Workers and databases, running: the Python side of Miniflare.

``describe`` says what should run, and workerd is brought there one change at a time, without cutting off replies. Requests go
straight to the one worker (gate.mjs) that knows every database and version by id. It keeps no state of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
from typing import TYPE_CHECKING, Any

import httpx

from crane_infra.local.workerd.node import Node, NodeError
from crane_infra.local.workerd.traffic import Traffic

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

Options = dict[str, Any]
Headers = list[tuple[bytes, bytes]]
_QUERY_SECONDS, _FETCH_SECONDS = 30.0, 120.0


class QueryError(Exception):
    """D1's own words about a statement."""


class Workerd:
    """The running workers and databases of one cloud."""

    def __init__(self, modules: Path, databases: Path, describe: Callable[[], Options], *, keep_open: int) -> None:
        """``describe`` gives ``{databases: [id], workers: [options]}``; ``keep_open`` is a descriptor node holds while it lives."""
        self.databases = databases
        self._modules, self._describe, self._keep_open = modules, describe, keep_open
        self._key = secrets.token_hex(16)
        self._node: Node | None = None
        self._url, self._applied, self._stale = "", Options(), True
        self._changing, self._checking, self._traffic = asyncio.Lock(), asyncio.Lock(), Traffic()
        self._http = httpx.AsyncHTTPTransport(limits=httpx.Limits(max_connections=200, max_keepalive_connections=20))

    async def start(self) -> None:
        """Start what should run."""
        await self.apply()

    async def stop(self) -> None:
        """End everything."""
        await self._http.aclose()
        if self._node is not None:
            await self._node.stop()

    @property
    def newest_date(self) -> str:
        """The newest compatibility date that this workerd knows."""
        return self._node.compatibility_date if self._node else ""

    def touch(self) -> None:
        """Say that something else should run now; it does before the next request is answered."""
        self._stale = True

    async def apply(self) -> None:
        """Bring workerd to what should run; raises NodeError when it cannot, and then tries again with the next request."""
        async with self._changing:
            if self._node is not None and self._node.alive and not self._stale:
                return
            async with self._traffic.stopped():
                await self._configure()

    async def check(self, workers: list[Options]) -> str | None:
        """Start workers in a workerd of their own; give what it says if it does not start."""
        async with self._checking:
            reply = await (await self._running()).ask("check", workers=workers)
        error: str | None = reply["error"]
        return error

    async def query(self, database: str, statements: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Run statements as one transaction; give columns, rows and meta of each. Raises QueryError."""
        headers = [(b"crane-database", database.encode())]
        async with self._send("POST", headers, json.dumps(statements).encode(), _QUERY_SECONDS) as reply:
            text = await reply.aread()
        try:
            results = json.loads(text)
        except ValueError as error:
            raise QueryError("internal error") from error
        if not isinstance(results, list):
            raise QueryError(results.get("error", "internal error"))
        return results

    @contextlib.asynccontextmanager
    async def fetch(
        self, version: str, url: str, method: str, headers: Headers, body: AsyncIterator[bytes] | None
    ) -> AsyncIterator[httpx.Response]:
        """Have a version answer a request; the reply's body is still to be read, raw."""
        target = [(b"crane-version", version.encode()), (b"crane-url", url.encode())]
        async with self._send(method, [*headers, *target], body, _FETCH_SECONDS) as reply:
            yield reply

    @contextlib.asynccontextmanager
    async def _send(
        self, method: str, headers: Headers, body: AsyncIterator[bytes] | bytes | None, seconds: float
    ) -> AsyncIterator[httpx.Response]:
        if self._stale or self._node is None or not self._node.alive:
            await self.apply()
        await self._traffic.enter()
        try:
            timeout = {"timeout": httpx.Timeout(seconds).as_dict()}
            keyed = [*headers, (b"crane-key", self._key.encode())]
            request = httpx.Request(method, self._url, headers=keyed, content=body, extensions=timeout)
            reply = await self._http.handle_async_request(request)
            reply.request = request
            try:
                yield reply
            finally:
                await reply.aclose()
        finally:
            self._traffic.leave()

    async def _configure(self) -> None:
        self._stale = False
        node, wanted = self._node, self._describe()
        if node is not None and node.alive and wanted == self._applied:
            return
        try:
            reply = await (await self._running()).ask("configure", key=self._key, **wanted)
        except NodeError:
            self._stale, self._applied = True, {}
            raise
        self._url, self._applied = reply["url"], wanted

    async def _running(self) -> Node:
        if self._node is None or not self._node.alive:
            self._node = await Node.start(self._modules, self.databases, keep_open=self._keep_open)
        return self._node
