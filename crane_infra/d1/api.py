"""Sends calls to Cloudflare's API over HTTP, and hands over whatever came back for ``answer`` to judge.

Nothing is sent again here of itself: a POST whose reply was lost may have done its work. Reads are sent again with ``again``.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Literal, TypeVar
from weakref import WeakKeyDictionary

import httpx
import stamina

from crane_infra.d1.answer import Answer, Call
from crane_infra.d1.clients import Clients
from crane_infra.d1.errors import LONGEST_WAIT, NoAnswerError, NotFoundError, RateLimitedError

T = TypeVar("T")
Method = Literal["POST", "PUT", "PATCH"]
PUBLIC = "https://api.cloudflare.com/client/v4"
TRIES = 5
_SECONDS, _CONNECT_SECONDS = 60.0, 5.0
# A failure is told once, by the error after the last try: without a handler Python prints each of stamina's notes about a retry.
logging.getLogger("stamina").addHandler(logging.NullHandler())


@dataclass(frozen=True)
class Api:
    """Cloudflare's API with one token. Every method hands over the answer, whatever its status; raises NoAnswerError where none came."""

    http: Clients | httpx.AsyncClient = field(repr=False)
    """Knows the address. Whoever opened it closes it."""
    token: str = field(repr=False)
    seconds: float = _SECONDS
    """How long an answer may take."""

    @property
    def credentials(self) -> tuple[str, ...]:
        """The secrets that calls are made with, to be kept out of messages."""
        return (self.token,)

    def within(self, seconds: float) -> "Api":
        """The same, where an answer may take this long."""
        return replace(self, seconds=seconds)

    async def get(self, call: Call, path: str) -> Answer:
        """Read a path."""
        return await self._answer(call, "GET", path, None)

    async def send(self, call: Call, method: Method, path: str, body: object) -> Answer:
        """Send a body to a path, once."""
        return await self._answer(call, method, path, body)

    async def _answer(self, call: Call, method: str, path: str, body: object) -> Answer:
        """The cause of an error is not chained: it may quote requests and replies."""
        within = httpx.Timeout(self.seconds, connect=min(self.seconds, _CONNECT_SECONDS))
        headers = {"authorization": f"Bearer {self.token}", "accept": "application/json", "user-agent": "crane-infra"}
        try:
            response = await self.http.request(method, path, json=body, headers=headers, timeout=within)
        except httpx.TimeoutException as error:
            raise call.unanswered(f"Request timed out ({type(error).__name__})") from None
        except httpx.TransportError as error:
            raise call.unanswered(f"Connection error ({type(error).__name__})") from None
        except Exception as error:  # noqa: BLE001 - the body is read here too, and a wrong one may fail in any way
            raise call.unanswered(f"its answer cannot be read ({type(error).__name__})") from None
        return Answer(response.status_code, {key.lower(): value for key, value in response.headers.items()}, response.content)


_KEPT: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, Clients]] = WeakKeyDictionary()


def keep_connections() -> None:
    """Let all who connect in this event loop from now on share the connections to an address: a step goes on over those of the step before it.

    They end with the process, so this is for the program of a run.
    """
    _KEPT.setdefault(asyncio.get_event_loop(), {})


@asynccontextmanager
async def connect(url: str | None, token: str) -> AsyncIterator[Api]:
    """Connect to the API at this address, the public one by default. The connections end with the context, unless ``keep_connections`` keeps them."""
    address, kept = url or PUBLIC, _KEPT.get(asyncio.get_running_loop())
    if kept is not None:
        yield Api(kept.setdefault(address, Clients(address)), token)
        return
    async with Clients(address) as http:
        yield Api(http, token)


async def again(once: Callable[[], Awaitable[T]], *, must_exist: bool = False) -> T:
    """Await a read up to five times: after lost connections, failures of the API, and rate limits that ask for a short wait.

    With ``must_exist`` also where nothing is found: what was just made may take a moment to be found everywhere.
    """
    retrying = stamina.AsyncRetryingCaller(attempts=TRIES, timeout=2 * LONGEST_WAIT, wait_initial=0.2)
    return await retrying(lambda error: backoff(error) or (must_exist and isinstance(error, NotFoundError)), once)


def backoff(error: Exception) -> bool | float:
    """Tell whether a read is sent again after this error: no, yes after a backoff with jitter, or yes after that many seconds."""
    if isinstance(error, RateLimitedError):
        if error.retry_after is None:
            return True
        return False if error.asks_too_long else error.retry_after
    return isinstance(error, NoAnswerError)
