"""The client of the admin port: tests script faults, switches and tokens with it, and ask what happened.

What a block puts in force ends with the block. It talks to one running local cloud and to nothing else.
"""

from __future__ import annotations

import functools
import ssl
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx

from local_cloud.errors import LocalCloudError
from local_cloud.faults.model import RULE, Error, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from local_cloud.faults.model import Then
    from local_cloud.tokens import Permission

_SECONDS = 30.0


@dataclass(frozen=True)
class Sighting:
    """Where a text stood: in which call, in which part of it (``path``, ``request header x``, ``request body``, …), in which form."""

    number: int
    method: str
    path: str
    part: str
    form: str


class Fault:
    """A fault in force."""

    def __init__(self, faults: Faults, number: int) -> None:
        """Know the fault by its number."""
        self._faults, self._number, self._fired = faults, number, 0

    @property
    def fired(self) -> int:
        """How often it has happened; after its end or a reset, how often it had when that was last known."""
        return self._known("GET")

    def end(self) -> None:
        """End it."""
        self._known("DELETE")

    def _known(self, method: str) -> int:
        fired: int | None = self._faults.ask(method, f"/faults/{self._number}")["fired"]
        self._fired = self._fired if fired is None else fired
        return self._fired


class Faults:
    """Faults of one running local cloud, and its log."""

    def __init__(self, admin_url: str) -> None:
        """Talk to this admin port."""
        self._url = admin_url

    @contextmanager
    def fault(self, route: str, then: Then, *, nth: int = 1, times: int = 1, saying: str = "") -> Iterator[Fault]:
        """Let ``then`` happen at the nth call of a route from now on and at the ``times - 1`` after it, until the block ends.

        With ``saying`` only calls count whose body has this text in it. Raises ValueError for what could never happen.
        """
        fault = Fault(self, self._add(Rule(route, then, nth, times, saying)))
        try:
            yield fault
        finally:
            fault.end()

    def fail(  # noqa: PLR0913 - all but the first by name
        self,
        route: str,
        nth: int = 1,
        status: int = 500,
        *,
        code: int = 10000,
        message: str = "injected",
        times: int = 1,
        saying: str = "",
    ) -> None:
        """Refuse the nth call of a route from now on, and the ``times - 1`` after it, until a reset; raises ValueError as ``fault`` does."""
        self._add(Rule(route, Error(status, code, message), nth, times, saying))

    @contextmanager
    def latency(self, route: str | None, seconds: float) -> Iterator[None]:
        """Let each call of a route wait until the block ends; None stands for every route and is added to a route's own."""
        before = self.ask("PUT", "/latency", {"route": route, "seconds": seconds})["before"]
        try:
            yield
        finally:
            self.ask("PUT", "/latency", {"route": route, "seconds": before})

    @contextmanager
    def behaviour(self, **switches: Any) -> Iterator[None]:  # noqa: ANN401 (as Behaviour has them)
        """Set switches of Behaviour until the block ends; raises ValueError for an unknown one."""
        before = self.ask("GET", "/behaviour")
        self.ask("PUT", "/behaviour", {**before, **switches})
        try:
            yield
        finally:
            self.ask("PUT", "/behaviour", before)

    def token(self, *permissions: Permission | str) -> str:
        """Make a token that may do this; raises ValueError for an unknown permission."""
        return str(self.ask("POST", "/tokens", {"permissions": permissions})["token"])

    def revoke(self, token: str) -> bool:
        """End a token; tell whether there was one."""
        return bool(self.ask("DELETE", "/tokens", {"token": token})["revoked"])

    def reset(self) -> None:
        """Forget all faults, latencies and calls. Switches and tokens stay."""
        self.ask("POST", "/reset")

    def calls(self) -> list[dict[str, Any]]:
        """Give every call since the last reset, in the order in which they came: number, at, method, path, route, status, fault.

        The status is None where no reply was sent, or none yet. Raises LocalCloudError when the log had to forget some.
        """
        calls: list[dict[str, Any]] = self.ask("GET", "/calls")["calls"]
        return calls

    def executed(self, sql: str, database: str | None = None) -> int:
        """Tell how often exactly this statement was executed and committed since the last reset, on one database or on all.

        White space around it and its last semicolon do not matter. Raises LocalCloudError when the log cannot know.
        """
        return int(self.ask("POST", "/executed", {"sql": sql, "database": database})["times"])

    def seen(self, text: str) -> list[Sighting]:
        """Tell where a text of at least four characters stood in a call since the last reset, also in base64, JSON or a URL.

        The Authorization header does not count. Raises LocalCloudError when the log had to forget contents.
        """
        found = self.ask("POST", "/seen", {"text": text})["seen"]
        return [Sighting(one["number"], one["method"], one["path"], one["part"], one["form"]) for one in found]

    def ask(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        """Ask the admin port; raises ValueError for what it refuses, and LocalCloudError when its log has overflowed."""
        content = RULE.dump_json(body) if isinstance(body, Rule) else None
        given = {"content": content} if content else {"json": body}
        reply = httpx.request(method, self._url + path, trust_env=False, verify=_tls(), timeout=_SECONDS, **given)
        answer: dict[str, Any] = reply.json()
        if reply.status_code == httpx.codes.CONFLICT:
            raise LocalCloudError("the log of the local cloud", answer["error"], "")
        if reply.status_code != httpx.codes.OK:
            raise ValueError(answer["error"])
        return answer

    def _add(self, rule: Rule) -> int:
        return int(self.ask("POST", "/faults", rule)["id"])


@functools.cache
def _tls() -> ssl.SSLContext:
    """What httpx would make anew for each call, at 30 ms, although the admin port does without it."""
    return ssl.create_default_context()
