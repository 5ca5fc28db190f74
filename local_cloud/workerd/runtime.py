"""Workers and databases, running: the Python side of Miniflare.

``describe`` gives what should run, and workerd is brought to it, one change at a time, without cutting off replies. Requests go
to one worker (gate.mjs) that reaches every database and version by id. It keeps no state of its own.

A version that binds only values and databases is loaded into the workerd that runs (``isLoaded``). Any other starts workerd anew, which waits until
a request needs it: many deployments then cost one start, queries cost none, and a version that is no longer needed runs on until then, without an address.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from local_cloud.workerd.barrier import Traffic
from local_cloud.workerd.connections import Connections, Headers, NotConnectedError, Reply
from local_cloud.workerd.loading import Options, missing
from local_cloud.workerd.node import Node, NodeError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable
    from pathlib import Path

_QUERY_SECONDS, _FETCH_SECONDS = 30.0, 120.0
_MOST_REQUESTS = 200
_DUMP = "PRAGMA miniflare_d1_export(?,?,?);"


class QueryError(Exception):
    """D1's error about a statement, in its own words."""


class QueryTimeoutError(Exception):
    """A query took too long; workerd was ended with it, so the query was rolled back."""


class Workerd:
    """The running workers and databases of one cloud."""

    def __init__(self, modules: Path, databases: Path, describe: Callable[[], Options], *, keep_open: int) -> None:
        """``describe`` gives ``{workers: [options]}``; ``keep_open`` is a file descriptor that Node holds while it lives."""
        self.databases = databases
        self.describe = describe
        self._modules, self._keep_open = modules, keep_open
        self._key = secrets.token_hex(16)
        self._node: Node | None = None
        self._url, self._address, self._applied, self._stale = "", ("", 0), list[Options](), True
        self._applying = False
        self._asked: set[str] = set()
        self._changing, self._checking, self._starting, self._traffic = asyncio.Lock(), asyncio.Lock(), asyncio.Lock(), Traffic()
        self._queries, self._requests = Connections(), Connections(_MOST_REQUESTS)

    async def start(self) -> None:
        """Start what should run; raises NodeError or LocalCloudError when it does not start."""
        await self.apply()

    async def stop(self) -> None:
        """Stop Node and everything it runs."""
        self._queries.close()
        self._requests.close()
        if self._node is not None:
            await self._node.stop()

    @property
    def newest_date(self) -> str:
        """The newest compatibility date that this workerd supports."""
        return self._node.compatibility_date if self._node else ""

    def touch(self) -> None:
        """Note that what should run has changed; it takes effect before the next request to a worker is answered."""
        self._stale = True

    async def accept(self, added: Iterable[Options]) -> None:
        """Find out whether what should run can run with these workers, after ``touch``; raises NodeError when it cannot.

        Workers that know no other have started alone when they were uploaded, so only where one binds another all start together at once.
        """
        if any(map(_binds_others, [*self._applied, *added])):
            await self.apply()

    async def apply(self) -> None:
        """Bring workerd to what should run; raises NodeError when it cannot, and the next request then tries again."""
        async with self._changing:
            if self._is_fresh:
                return
            self._stale, self._applying, workers = False, True, self.describe()["workers"]
            try:
                if not await self._offer(workers):
                    async with self._traffic.stopped():
                        await self._configure(workers)
            finally:
                self._applying = False

    async def restart(self) -> None:
        """Start workerd anew, so that it closes what it no longer needs; raises NodeError when it does not start."""
        self._stale, self._url = True, ""
        await self.apply()

    async def check(self, trial: Options) -> tuple[str | None, dict[str, Any]]:
        """Try workers apart from the live ones; give workerd's output if they do not start, else None, and the first worker's answer (JSON)."""
        async with self._checking:
            reply = await (await self._running()).ask("check", **trial)
        return reply["error"], reply.get("found", {})

    async def query(self, database: str, statements: list[dict[str, Any]], seconds: float = _QUERY_SECONDS) -> list[dict[str, Any]]:
        """Run statements as one transaction; give columns, rows and meta of each. Raises QueryError and QueryTimeoutError."""
        results = await self._d1(database, statements, seconds)
        if not isinstance(results, list):
            raise QueryError(results.get("error", "internal error"))
        return results

    async def dump(self, database: str, *, no_schema: bool, no_data: bool, tables: list[str]) -> list[str]:
        """Give a database as SQL lines, in D1's own order and form. Raises QueryError and QueryTimeoutError."""
        query = [{"sql": _DUMP, "params": [int(no_schema), int(no_data), *tables]}]
        reply = await self._d1(database, query, _FETCH_SECONDS)
        if not isinstance(reply, dict) or "results" not in reply:
            raise QueryError(reply.get("error", "internal error") if isinstance(reply, dict) else "internal error")
        lines: list[str] = reply["results"][0]
        return lines

    @contextlib.asynccontextmanager
    async def fetch(
        self, choose: Callable[[], str | None], url: str, method: str, headers: Headers, body: AsyncIterator[bytes] | None
    ) -> AsyncIterator[Reply | None]:
        """Let a version answer a request; the caller reads the reply's raw body.

        ``choose`` names the version once the request may pass, so that no reconfiguration can remove it meanwhile. If it gives None, so does this.
        """
        headers = [*headers, (b"crane-url", url.encode())]
        async with contextlib.AsyncExitStack() as passing:
            try:
                reply = await self._answering(passing, choose, method, headers, body)
            except NotConnectedError:  # it was killed, which nobody has noticed yet: nothing was sent, and the next one can be asked
                await passing.aclose()
                reply = await self._answering(passing, choose, method, headers, body)
            yield reply

    async def _answering(
        self,
        passing: contextlib.AsyncExitStack,
        choose: Callable[[], str | None],
        method: str,
        headers: Headers,
        body: AsyncIterator[bytes] | None,
    ) -> Reply | None:
        """Send a request to a version; what has to end with its reply goes into ``passing``."""
        await self._pass(lambda: self._is_fresh)
        passing.callback(self._traffic.leave)
        node, version = self._node, choose()
        if version is None:
            return None
        try:
            ours = [(b"crane-version", version.encode()), (b"crane-key", self._key.encode())]
            return await passing.enter_async_context(self._requests.fetch(self._address, method, [*headers, *ours], body, _FETCH_SECONDS))
        except NotConnectedError:
            await self._end(node)
            raise

    async def _send(self, database: str, body: bytes, seconds: float) -> bytes:
        await self._pass(lambda: self._is_configured)
        try:
            return await self._queries.post(self._address, {"crane-key": self._key, "crane-database": database}, body, seconds)
        finally:
            self._traffic.leave()

    async def _pass(self, is_ready: Callable[[], bool]) -> None:
        """Wait until workerd is ready for a request and is not being reconfigured; ``leave`` must follow."""
        while True:
            if not is_ready():
                await self.apply()
            await self._traffic.enter()
            if is_ready():
                return
            self._traffic.leave()

    @property
    def _is_fresh(self) -> bool:
        return not (self._stale or self._applying) and self._is_alive

    @property
    def _is_alive(self) -> bool:
        return self._node is not None and self._node.alive

    @property
    def _is_configured(self) -> bool:
        return self._is_alive and bool(self._url)

    async def _d1(self, database: str, statements: list[dict[str, Any]], seconds: float) -> Any:  # noqa: ANN401 (JSON)
        try:
            text = await self._answer(database, json.dumps(statements).encode(), seconds)
        except NotConnectedError:  # it was killed, which nobody has noticed yet: nothing was sent, and the next one can be asked
            text = await self._answer(database, json.dumps(statements).encode(), seconds)
        try:
            return json.loads(text)
        except ValueError as error:
            raise QueryError("internal error") from error

    async def _answer(self, database: str, body: bytes, seconds: float) -> bytes:
        """Send a query to the running Node, and stop it where it does not answer or nobody listens any more."""
        await self._ready(database)
        node = self._node
        try:
            return await self._send(database, body, seconds)
        except TimeoutError as error:
            await self._end(node)
            raise QueryTimeoutError from error
        except NotConnectedError:
            await self._end(node)
            raise

    async def _end(self, node: Node | None) -> None:
        """Stop Node if it is still this one: a statement that keeps running would block every database. The next request starts another."""
        async with self._changing:
            if node is not None and node is self._node:
                await node.stop()

    async def _offer(self, workers: list[Options]) -> bool:
        """Let the running workerd load what it lacks; False where it has to start anew."""
        lacking = missing(self._applied, workers) if self._is_configured else None
        if lacking is None or self._node is None:
            return False
        try:
            reply = await self._node.ask("offer", workers=lacking)
        except NodeError:
            return False
        self._found(reply["url"], [*self._applied, *lacking])
        return True

    async def _ready(self, database: str) -> None:
        """Start workerd where it does not run; look again before the first query of a database."""
        is_running = self._is_configured
        if is_running and database not in self._asked:
            async with self._changing:
                is_running = await self._offer([])
        if not is_running:
            self._stale = True
            await self.apply()
        self._asked.add(database)

    async def _configure(self, workers: list[Options]) -> None:
        try:
            reply = await (await self._running()).ask("configure", key=self._key, workers=workers)
        except NodeError:
            self._stale, self._url = True, ""
            raise
        self._found(reply["url"], workers)

    def _found(self, url: str, workers: list[Options]) -> None:
        """Keep where workerd listens, and what it runs."""
        parts = urlsplit(url)
        self._url, self._address, self._applied = url, (parts.hostname or "", parts.port or 0), workers

    async def _running(self) -> Node:
        async with self._starting:
            if self._node is None or not self._node.alive:
                self._node = await Node.start(self._modules, self.databases, keep_open=self._keep_open)
            return self._node


def _binds_others(worker: Options) -> bool:
    return bool(worker.get("serviceBindings") or worker.get("durableObjects"))
