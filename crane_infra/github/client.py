"""GitHub's REST API, as far as the workflows need it: JSON calls, all pages of a list, uploads and downloads.

Decides nothing. Never sends a write twice, never shows the token in an error, and never sends it to the host that a download redirects to.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import httpx

from crane_infra.errors import GithubError

_SECONDS = 60.0
_TODO = {401: "Set GITHUB_TOKEN to a valid token", 403: "Give the job's token the permission", 404: "Check that it exists"}


class Github:
    """One repository, called with one token. ``address`` is that of the API, ``repository`` is owner/name."""

    def __init__(self, address: str, repository: str, token: str) -> None:
        headers = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28", "Authorization": f"Bearer {token}"}
        transport = httpx.HTTPTransport(retries=2)  # only of connecting
        self._base = f"{address.rstrip('/')}/repos/{repository}"
        self._client = httpx.Client(headers=headers, timeout=_SECONDS, transport=transport)

    def get(self, path: str, **query: str | int) -> Any:  # noqa: ANN401 (JSON)
        """Send a read and return the JSON of the answer. Raises GithubError."""
        return self._json(self._send("GET", path, params=query))

    def find(self, path: str, **query: str | int) -> Any:  # noqa: ANN401 (JSON)
        """Like ``get``, but None for a 404. Raises GithubError."""
        reply = self._send("GET", path, params=query, missing=True)
        return None if reply.status_code == httpx.codes.NOT_FOUND else self._json(reply)

    def every(self, path: str, within: str = "", **query: str | int) -> Iterator[dict[str, Any]]:
        """Yield each entry of a list, page by page; ``within`` is the key of the list if the answer is an object. Raises GithubError."""
        reply = self._send("GET", path, params={**query, "per_page": 100})
        while True:
            answer = self._json(reply)
            yield from answer[within] if within else answer
            if "next" not in reply.links:
                return
            reply = self._send("GET", reply.links["next"]["url"])

    def send(self, method: str, path: str, body: Mapping[str, Any]) -> Any:  # noqa: ANN401 (JSON)
        """Send a write, once, and return the JSON of the answer. Raises GithubError."""
        return self._json(self._send(method, path, json=dict(body)))

    def upload(self, address: str, name: str, content: bytes) -> None:
        """Upload a file to an address that GitHub returned. Raises GithubError."""
        self._send("POST", address, params={"name": name}, content=content, headers={"Content-Type": "application/octet-stream"})

    def download(self, path: str) -> bytes:
        """Download a file. GitHub may redirect to another host, which does not get the token. Raises GithubError."""
        return self._send("GET", path, headers={"Accept": "application/octet-stream"}, follow_redirects=True).content

    def _send(self, method: str, address: str, *, missing: bool = False, **arguments: Any) -> httpx.Response:  # noqa: ANN401
        url = address if "://" in address else self._base + address
        where = f"GitHub {method} {httpx.URL(url).path}"
        try:
            reply = self._client.request(method, url, **arguments)
        except httpx.HTTPError as error:
            raise GithubError(where, f"did not answer ({type(error).__name__})", "Run it again") from None
        if reply.is_success or (missing and reply.status_code == httpx.codes.NOT_FOUND):
            return reply
        raise GithubError(where, f"answered {reply.status_code}{_message(reply)}", _TODO.get(reply.status_code, "Run it again"))

    def _json(self, reply: httpx.Response) -> Any:  # noqa: ANN401 (JSON)
        try:
            return reply.json()
        except ValueError:
            raise GithubError(f"GitHub {reply.request.url.path}", "answered with something other than JSON", "Run it again") from None


def _message(reply: httpx.Response) -> str:
    try:
        return f" ({reply.json()['message']})"
    except (ValueError, KeyError, TypeError):
        return ""
