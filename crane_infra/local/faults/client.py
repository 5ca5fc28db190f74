"""The client of the admin port: tests script faults and read the call log with it."""

from __future__ import annotations

from typing import Any

import httpx


class Faults:
    """Faults of one running local cloud."""

    def __init__(self, admin_url: str) -> None:
        """Talk to this admin port."""
        self._url = admin_url

    def fail(self, route: str, nth: int = 1, status: int = 500, *, code: int = 10000, message: str = "injected", times: int = 1) -> None:
        """Fail the nth call of a route from now on, and the ``times - 1`` after it; raises ValueError for an unknown route."""
        rule = {"route": route, "nth": nth, "status": status, "code": code, "message": message, "times": times}
        reply = httpx.post(f"{self._url}/fail", json=rule, trust_env=False)
        if reply.status_code != httpx.codes.OK:
            raise ValueError(reply.json()["error"])

    def reset(self) -> None:
        """Forget all rules and calls."""
        httpx.post(f"{self._url}/reset", trust_env=False).raise_for_status()

    def calls(self) -> list[dict[str, Any]]:
        """Give every call since the last reset, oldest first: method, path, route, status."""
        calls: list[dict[str, Any]] = httpx.get(f"{self._url}/calls", trust_env=False).raise_for_status().json()
        return calls
