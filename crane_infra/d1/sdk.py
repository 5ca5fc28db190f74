"""Sends calls to Cloudflare's API through the official SDK, and hands over whatever came back for ``answer`` to judge.

The SDK's own retries are off: it would repeat a POST after a lost reply, and it takes an HTML page for a result. Reads are sent again here.
"""

import logging
from collections.abc import Awaitable, Callable
from typing import Literal, TypeVar

import httpx
import stamina
from cloudflare import APIConnectionError, APIStatusError, AsyncCloudflare

from crane_infra.d1.answer import Answer, Call
from crane_infra.d1.errors import LONGEST_WAIT, NoAnswerError, NotFoundError, RateLimitedError

T = TypeVar("T")
Method = Literal["POST", "PUT", "PATCH"]
TRIES = 5
# A failure is told once, by the error after the last try: without a handler Python prints each of stamina's notes about a retry.
logging.getLogger("stamina").addHandler(logging.NullHandler())


class Api:
    """Cloudflare's API with one token. Every method hands over the answer, whatever its status; raises NoAnswerError where none came."""

    def __init__(self, client: AsyncCloudflare) -> None:
        self._client = client.with_options(max_retries=0)

    @property
    def credentials(self) -> tuple[str, ...]:
        """The secrets that calls are made with, to be kept out of messages."""
        return tuple(filter(None, (self._client.api_token, self._client.api_key, self._client.user_service_key)))

    def within(self, seconds: float) -> "Api":
        """The same, where an answer may take this long."""
        return Api(self._client.with_options(timeout=seconds))

    async def get(self, call: Call, path: str) -> Answer:
        """Read a path."""
        return await _answer(call, self._client.get(path, cast_to=httpx.Response))

    async def send(self, call: Call, method: Method, path: str, body: object) -> Answer:
        """Send a body to a path, once."""
        match method:
            case "PUT":
                sent = self._client.put(path, cast_to=httpx.Response, body=body)
            case "PATCH":
                sent = self._client.patch(path, cast_to=httpx.Response, body=body)
            case _:
                sent = self._client.post(path, cast_to=httpx.Response, body=body)
        return await _answer(call, sent)


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


async def _answer(call: Call, sent: Awaitable[httpx.Response]) -> Answer:
    """The cause of an error is not chained: the SDK's errors quote requests and replies."""
    try:
        response = await sent
    except APIStatusError as error:
        response = error.response
    except APIConnectionError as error:
        raise call.unanswered(f"{error.message.rstrip('.')} ({type(error.__cause__ or error).__name__})") from None
    except Exception as error:  # noqa: BLE001 - the SDK reads the body of a refusal first, and may fail at a wrong one in any way
        raise call.unanswered(f"its answer cannot be read ({type(error).__name__})") from None
    return Answer(response.status_code, {key.lower(): value for key, value in response.headers.items()}, response.content)
