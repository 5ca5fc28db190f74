"""The REST calls of the stand-in provider: only to this machine, retried like the official provider's, with secrets redacted from errors.

A call waits for its reply without a limit. One whose reply is lost or breaks off is sent again, POST included. It knows nothing of resources.
"""

import asyncio
import ipaddress
import random
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlsplit

import httpx

from local_cloud.errors import LocalCloudError
from local_cloud.faults.encodings import SHORTEST, forms
from local_cloud.plain_http import no_certificates
from local_cloud.provider.retries import ATTEMPTS, is_sent_again, pause_seconds

_NOT_FOUND = 404
Parts = Sequence[tuple[str, tuple[str, bytes, str]]]


class RequestError(LocalCloudError):
    """The API refused a call. ``status`` is the HTTP status, 0 when there was no reply. Its text is that of the official provider."""

    def __init__(self, what: str, status: int, summary: str = "failed to make http request") -> None:
        super().__init__(summary, what, "")
        self.args = (f"{self.where}: {self.what}",)
        self.status = status


def local_base_url(base_url: str) -> str:
    """The base URL without its last slash.

    Raises LocalCloudError if its host is not a loopback address of this machine.
    """
    parts = urlsplit(base_url)
    if parts.scheme not in ("http", "https") or not is_loopback(parts.hostname or ""):
        raise LocalCloudError(
            "cloudflare:baseUrl",
            f"the stand-in provider refuses the host '{parts.hostname or ''}', which is not a loopback address",
            "Point it at the local cloud, or install the official provider and leave PULUMI_DEBUG_PROVIDERS unset",
        )
    return base_url.rstrip("/")


def is_loopback(host: str) -> bool:
    """Whether the host is a loopback address or ``localhost``."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def official_pauses() -> float:
    """The pause factor of the official provider."""
    return 1.0


@dataclass(frozen=True)
class _Answer:
    """What one attempt led to. ``status`` is 0 if there was no reply; ``envelope`` is None unless the call succeeded."""

    status: int
    text: str
    headers: Mapping[str, str] = field(default_factory=dict)
    envelope: Mapping[str, Any] | None = None

    @property
    def is_sent_again(self) -> bool:
        """Whether the call is sent again, if there are attempts left."""
        return self.status == 0 or is_sent_again(self.status, self.headers)


@dataclass(frozen=True)
class Api:
    """The API at one base URL with one token. ``pause_factor`` gives the length of the pauses between attempts: 1 is the official one."""

    base_url: str
    token: str = field(repr=False)
    http: httpx.AsyncClient = field(repr=False)
    pause_factor: Callable[[], float] = field(default=official_pauses, repr=False)
    hidden: Mapping[str, str] = field(default_factory=dict, repr=False)

    def hiding(self, secrets: Mapping[str, str]) -> "Api":
        """The same API, whose errors leave out these texts; ``secrets`` has them by name."""
        return replace(self, hidden=dict(secrets))

    async def call(self, method: str, path: str, body: object = None, *, files: Parts = (), token: str = "") -> Any:  # noqa: ANN401 (JSON)
        """The ``result`` of a call to a path after the base URL; ``files`` go as a form, ``token`` in place of the API's. Raises RequestError."""
        url = f"{self.base_url}{path}"
        sent = {"files": list(files)} if files else {"json": body}
        answer = await self._attempt(method, url, sent, token)
        for attempt in range(ATTEMPTS - 1):
            if not answer.is_sent_again:
                break
            pause = pause_seconds(attempt, answer.headers, datetime.now(UTC), random.random())  # noqa: S311 (spreads the attempts)
            await asyncio.sleep(pause * self.pause_factor())
            answer = await self._attempt(method, url, sent, token)
        if answer.envelope is None:
            raise RequestError(self._shown(f'{method} "{url}": {answer.text}'), answer.status)
        return answer.envelope["result"]

    async def find(self, path: str) -> Any:  # noqa: ANN401 (JSON)
        """The ``result`` at a path, None if it does not exist (404). Raises RequestError."""
        try:
            return await self.call("GET", path)
        except RequestError as error:
            if error.status == _NOT_FOUND:
                return None
            raise

    async def _attempt(self, method: str, url: str, sent: dict[str, Any], token: str) -> _Answer:
        try:
            reply = await self.http.request(method, url, headers={"Authorization": f"Bearer {token or self.token}"}, **sent)
        except httpx.HTTPError as error:
            return _Answer(0, f"{type(error).__name__} {error}")
        return _answer(reply)

    def _shown(self, text: str) -> str:
        for name, secret in {"API token": self.token, **self.hidden}.items():
            for written in forms(secret) if len(secret) >= SHORTEST else ():
                text = text.replace(written.decode(), f"[secret {name}]")
        return text


@asynccontextmanager
async def connected() -> AsyncIterator[httpx.AsyncClient]:
    """A client that uses no proxy and follows no redirect, since either could leave this machine."""
    asking = httpx.AsyncClient(trust_env=False, follow_redirects=False, timeout=None, verify=no_certificates())  # noqa: S113 (as the official client)
    async with asking as http:
        yield http


def account_path(account_id: str, *parts: str) -> str:
    """A path in an account; each part is escaped into one segment."""
    return "/".join(("/accounts", *(quote(part, safe="") for part in (account_id, *parts))))


def _answer(reply: httpx.Response) -> _Answer:
    headers = {name.lower(): value for name, value in reply.headers.items()}
    content = _json(reply)
    good = reply.is_success and isinstance(content, dict) and content.get("success") is True and "result" in content
    shown = "" if content is None else reply.text  # a page stays out of the message, as with the official provider
    return _Answer(reply.status_code, f"{reply.status_code} {reply.reason_phrase} {shown}", headers, content if good else None)


def _json(reply: httpx.Response) -> Any:  # noqa: ANN401 (JSON)
    """The JSON of a reply, None if it is none."""
    try:
        return reply.json()
    except ValueError:
        return None
