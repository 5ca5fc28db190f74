"""Writes, at the end of the program, where its own time went: imports, the rest, and how long a call to an API was under way."""

from __future__ import annotations

import atexit
import json
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import httpx

_MS = 1000


class Watch:
    """The times of one program, in milliseconds since it began."""

    def __init__(self) -> None:
        """Begin now; what Python did before is in ``start``."""
        self.start, self._began = time.process_time() * _MS, time.perf_counter()
        self.imports = self.imports_waited = self.calling = 0.0
        self.calls = self._under_way = 0
        self._since = 0.0

    def imported(self) -> None:
        """Note the end of the imports, and watch the calls from now on."""
        self.imports, self.imports_waited = time.process_time() * _MS - self.start, self._now()
        self._watch_calls()
        atexit.register(self._write)

    def _now(self) -> float:
        return (time.perf_counter() - self._began) * _MS

    def _watch_calls(self) -> None:
        import httpx  # noqa: PLC0415 (the program has it by now)

        send = httpx.AsyncHTTPTransport.handle_async_request

        async def watched(transport: httpx.AsyncHTTPTransport, request: httpx.Request) -> httpx.Response:
            self.calls += 1
            self._since = self._since if self._under_way else self._now()
            self._under_way += 1
            try:
                return await send(transport, request)
            finally:
                self._under_way -= 1
                self.calling += 0 if self._under_way else self._now() - self._since

        httpx.AsyncHTTPTransport.handle_async_request = watched  # type: ignore[assignment, method-assign]

    def _write(self) -> None:
        report = os.environ.get("BENCH_REPORT")
        if report:
            figures = {"start": self.start, "imports": self.imports, "all": time.process_time() * _MS, "waited": self._now()}
            figures |= {"imports_waited": self.imports_waited, "calling": self.calling, "calls": self.calls}
            Path(report).write_text(json.dumps(figures), encoding="utf-8")
