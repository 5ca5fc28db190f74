"""GitHub's REST API, as far as the workflows need it: JSON calls, all pages of a list, uploads and downloads.

Decides nothing. Never sends a write twice, never shows the token in an error, and never sends it to the host that a download redirects to.
"""

from collections.abc import Iterator, Mapping
from typing import Any, TypeVar
from urllib.parse import urlsplit

import httpx
from pydantic import TypeAdapter, ValidationError

from crane_infra.errors import GithubError
from crane_infra.frozen import first_fault
from crane_infra.github.answers import Refusal

T = TypeVar("T")
_ANYTHING: TypeAdapter[Any] = TypeAdapter(Any)

_SECONDS = 60.0
_TODO = {401: "Set GITHUB_TOKEN to a valid token", 403: "Give the job's token the permission", 404: "Check that it exists"}


class Github:
    """One repository, called with one token. ``address`` is that of the API, ``repository`` is owner/name."""

    def __init__(self, address: str, repository: str, token: str) -> None:
        headers = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28", "Authorization": f"Bearer {token}"}
        transport = httpx.HTTPTransport(retries=2)  # only of connecting
        self._base = f"{address.rstrip('/')}/repos/{repository}"
        self._client = httpx.Client(headers=headers, timeout=_SECONDS, transport=transport)

    def get(self, shape: TypeAdapter[T], path: str, **query: str | int) -> T:
        """Send a read and return the answer, read as ``shape``. Raises GithubError."""
        return _read(self._send("GET", path, params=query), shape)

    def find(self, shape: TypeAdapter[T], path: str, **query: str | int) -> T | None:
        """Like ``get``, but None where GitHub itself says that there is none. Raises GithubError."""
        reply = self._send("GET", path, params=query, missing=True)
        return None if reply.status_code == httpx.codes.NOT_FOUND else _read(reply, shape)

    def every(self, shape: TypeAdapter[list[T]], path: str, within: str = "", **query: str | int) -> Iterator[T]:
        """Yield each entry of a list, page by page; ``within`` is the key of the list if the answer is an object. Raises GithubError."""
        reply = self._send("GET", path, params={**query, "per_page": 100})
        while True:
            yield from _read(reply, shape, within)
            if "next" not in reply.links:
                return
            reply = self._send("GET", reply.links["next"]["url"])

    def send(self, shape: TypeAdapter[T], method: str, path: str, body: Mapping[str, Any]) -> T:
        """Send a write, once, and return the answer, read as ``shape``. Raises GithubError."""
        return _read(self._send(method, path, json=dict(body)), shape)

    def upload(self, address: str, name: str, content: bytes) -> None:
        """Upload a file to an address that GitHub returned. Raises GithubError."""
        self._send("POST", address, params={"name": name}, content=content, headers={"Content-Type": "application/octet-stream"})

    def download(self, path: str) -> bytes:
        """Download a file. GitHub may redirect to another host, which does not get the token. Raises GithubError."""
        return self._send("GET", path, headers={"Accept": "application/octet-stream"}, follow_redirects=True).content

    def _send(self, method: str, address: str, *, missing: bool = False, **arguments: Any) -> httpx.Response:  # noqa: ANN401
        url = address if "://" in address else self._base + address
        where = f"GitHub {method} {urlsplit(url).path}"
        try:
            reply = self._client.request(method, url, **arguments)
        except httpx.InvalidURL:
            raise GithubError(where, "is an address that cannot be called", "Run it again") from None
        except httpx.HTTPError as error:
            raise GithubError(where, f"did not answer ({type(error).__name__})", "Run it again") from None
        message = "" if reply.is_success else _message(reply)
        # A 404 of somebody else, for example of a proxy, has no message of GitHub's.
        if reply.is_success or (missing and message and reply.status_code == httpx.codes.NOT_FOUND):
            return reply
        todo = _TODO.get(reply.status_code, "Run it again") if message else "Run it again"
        raise GithubError(where, f"answered {reply.status_code}{message or ' with something other than an answer of its API'}", todo)


def _read(reply: httpx.Response, shape: TypeAdapter[T], within: str = "") -> T:
    where = f"GitHub {reply.request.url.path}"
    try:
        answer = _ANYTHING.validate_json(reply.content)
    except ValidationError:
        raise GithubError(where, "answered with something other than JSON", "Run it again") from None
    try:
        return shape.validate_python(answer.get(within) if within and isinstance(answer, dict) else answer)
    except ValidationError as error:
        fault = ": ".join(filter(None, first_fault(error)))
        raise GithubError(where, f"answered with something that cannot be read ({fault})", "Run it again") from None


def _message(reply: httpx.Response) -> str:
    try:
        return f" ({Refusal.model_validate_json(reply.content).message})"
    except ValidationError:
        return ""
