"""The REST calls of the stand-in provider: only to this machine, retried like the official provider's, with secrets redacted from errors.

A call that gets status 429, or 500 and above, is retried, three attempts in all; any other refusal is final. It knows nothing of resources.
"""

import ipaddress
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import quote, urlsplit

import httpx
import stamina

from local_cloud.errors import LocalCloudError
from local_cloud.faults.encodings import SHORTEST, forms

_TRIES = 3
_FIRST_PAUSE_SECONDS = 0.05
_TIMEOUT_SECONDS = 60.0
_TOO_MANY, _SERVER_ERROR, _NOT_FOUND = 429, 500, 404


class RequestError(LocalCloudError):
    """The API refused a call. ``status`` is the HTTP status, 0 when there was no reply."""

    def __init__(self, what: str, status: int) -> None:
        super().__init__("failed to make http request", what, "")
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


@dataclass(frozen=True)
class Api:
    """The API at one base URL with one token."""

    base_url: str
    token: str = field(repr=False)
    http: httpx.AsyncClient = field(repr=False)
    hidden: Mapping[str, str] = field(default_factory=dict, repr=False)

    def hiding(self, secrets: Mapping[str, str]) -> "Api":
        """The same API, whose errors leave out these texts; ``secrets`` has them by name."""
        return replace(self, hidden=dict(secrets))

    async def call(self, method: str, path: str, body: object = None) -> Any:  # noqa: ANN401 (JSON)
        """The ``result`` of a call to a path after the base URL. Raises RequestError."""
        async for attempt in stamina.retry_context(on=_is_passing, attempts=_TRIES, wait_initial=_FIRST_PAUSE_SECONDS, timeout=None):
            with attempt:
                return await self._once(method, f"{self.base_url}{path}", body)
        raise AssertionError  # the last attempt returns or raises

    async def find(self, path: str) -> Any:  # noqa: ANN401 (JSON)
        """The ``result`` at a path, None if it does not exist (404). Raises RequestError."""
        try:
            return await self.call("GET", path)
        except RequestError as error:
            if error.status == _NOT_FOUND:
                return None
            raise

    async def _once(self, method: str, url: str, body: object) -> Any:  # noqa: ANN401 (JSON)
        try:
            reply = await self.http.request(method, url, headers={"Authorization": f"Bearer {self.token}"}, json=body)
        except httpx.HTTPError as error:
            raise RequestError(self._shown(f'{method} "{url}": {type(error).__name__} {error}'), 0) from None
        result = _result(reply)
        if result is None:
            reason = f"{reply.status_code} {reply.reason_phrase} {reply.text}"
            raise RequestError(self._shown(f'{method} "{url}": {reason}'), reply.status_code)
        return result["result"]

    def _shown(self, text: str) -> str:
        for name, secret in {"API token": self.token, **self.hidden}.items():
            for written in forms(secret) if len(secret) >= SHORTEST else ():
                text = text.replace(written.decode(), f"[secret {name}]")
        return text


@asynccontextmanager
async def connected() -> AsyncIterator[httpx.AsyncClient]:
    """A client that uses no proxy and follows no redirect, since either could leave this machine."""
    async with httpx.AsyncClient(trust_env=False, follow_redirects=False, timeout=_TIMEOUT_SECONDS) as http:
        yield http


def account_path(account_id: str, *parts: str) -> str:
    """A path in an account; each part is escaped into one segment."""
    return "/".join(("/accounts", *(quote(part, safe="") for part in (account_id, *parts))))


def _result(reply: httpx.Response) -> dict[str, Any] | None:
    """The envelope of a success, None for any other reply."""
    try:
        envelope = reply.json()
    except ValueError:
        return None
    good = reply.is_success and isinstance(envelope, dict) and envelope.get("success") is True and "result" in envelope
    return envelope if good else None


def _is_passing(error: Exception) -> bool:
    return isinstance(error, RequestError) and (error.status == _TOO_MANY or error.status >= _SERVER_ERROR)
