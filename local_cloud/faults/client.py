"""The client of the admin port, with which tests set faults, switches and tokens, and ask what happened.

What a ``with`` block sets ends with the block. The client talks only to one running local cloud.
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from local_cloud import plain_http
from local_cloud.errors import LocalCloudError
from local_cloud.faults.model import RULE, Error, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from local_cloud.daemon import Running
    from local_cloud.faults.model import Then
    from local_cloud.tokens import Permission

_SECONDS = 60.0


@dataclass(frozen=True)
class Sighting:
    """A call that contained a text: its number, method and path, the part (``path``, ``request header x``, …) and the form of the text."""

    number: int
    method: str
    path: str
    part: str
    form: str


class Fault:
    """A fault in force."""

    def __init__(self, faults: Faults, number: int) -> None:
        """Wrap the fault with this number."""
        self._faults, self._number, self._fired = faults, number, 0

    @property
    def fired(self) -> int:
        """How often it has happened; after its end or a reset, the last known number."""
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

    def __init__(self, running: Running) -> None:
        """Talk to the admin port of this cloud."""
        self._url = running.admin_url
        self._headers = {"authorization": f"Bearer {running.admin_token}"}

    @contextmanager
    def fault(self, route: str, then: Then, *, nth: int = 1, times: int = 1, saying: str = "") -> Iterator[Fault]:
        """Let ``then`` happen at the nth call of a route from now on and at the ``times - 1`` after it, until the block ends.

        With ``saying`` only calls whose body contains this text count. Raises ValueError for a fault that could never happen.
        """
        fault = Fault(self, self._add(Rule(route, then, nth, times, saying)))
        try:
            yield fault
        finally:
            fault.end()

    def fail(  # noqa: PLR0913 (most are keywords)
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
        """Make each call of a route wait ``seconds`` until the block ends; the latency for None, every route, is added to a route's own."""
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
        """Make a token with these permissions; raises ValueError for an unknown one."""
        return str(self.ask("POST", "/tokens", {"permissions": permissions})["token"])

    def revoke(self, token: str) -> bool:
        """Revoke a token; False when there is none."""
        return bool(self.ask("DELETE", "/tokens", {"token": token})["revoked"])

    def reset(self) -> None:
        """End all faults and latencies, and clear the log. Switches and tokens stay."""
        self.ask("POST", "/reset")

    def calls(self) -> list[dict[str, Any]]:
        """Give every call since the last reset, in order of arrival: number, at, method, path, route, status, fault.

        The status is None if no reply was sent, or not yet. Raises LocalCloudError when the log has dropped some.
        """
        calls: list[dict[str, Any]] = self.ask("GET", "/calls")["calls"]
        return calls

    def executed(self, sql: str, database: str | None = None) -> int:
        """Give how often exactly this statement was executed and committed since the last reset, on one database or on all.

        Ignores white space around it and its last semicolon. Raises LocalCloudError when the log cannot know.
        """
        return int(self.ask("POST", "/executed", {"sql": sql, "database": database})["times"])

    def seen(self, text: str) -> list[Sighting]:
        """Give the calls since the last reset that contained a text of at least four characters, also in base64, JSON or a URL.

        Ignores the Authorization header. Raises LocalCloudError when the log has dropped contents.
        """
        calls = self.ask("POST", "/seen", {"text": text})["seen"]
        return [Sighting(call["number"], call["method"], call["path"], call["part"], call["form"]) for call in calls]

    def ask(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        """Call the admin port.

        Raises ValueError when it refuses what was asked, LocalCloudError when it refuses the token or its log has overflowed.
        """
        content = RULE.dump_json(body) if isinstance(body, Rule) else None if body is None else json.dumps(body, allow_nan=False).encode()
        status, reply = plain_http.ask(method, self._url + path, self._headers, content, _SECONDS)
        answer: dict[str, Any] = json.loads(reply)
        if status == HTTPStatus.UNAUTHORIZED:
            raise LocalCloudError(self._url, answer["error"], "Read cloud.json again: each start of the cloud makes another token")
        if status == HTTPStatus.CONFLICT:
            raise LocalCloudError("the log of the local cloud", answer["error"], "")
        if status != HTTPStatus.OK:
            raise ValueError(answer["error"])
        return answer

    def _add(self, rule: Rule) -> int:
        return int(self.ask("POST", "/faults", rule)["id"])
