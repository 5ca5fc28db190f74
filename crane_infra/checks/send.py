"""Sends a request once, and returns the answer or the error that came instead."""

import asyncio

import httpx

from crane_infra.checks.answer import Answer
from crane_infra.checks.request import Request

REQUEST_SECONDS = 10.0
_MAX_REPLY_BYTES = 1 << 20


async def ask(http: httpx.AsyncClient, request: Request, seconds: float) -> Answer | Exception:
    """Send the request once and return the answer, or the error that came instead."""
    message = http.build_request(request.question.method, request.url, headers=request.headers, content=request.content)
    try:
        async with asyncio.timeout(min(seconds, REQUEST_SECONDS)):
            response = await http.send(message, stream=True, follow_redirects=False)
            try:
                return await _answer(response)
            finally:
                await response.aclose()
    except (httpx.HTTPError, TimeoutError) as error:
        return error


def error_text(error: Exception) -> str:
    """An error in words, with its type: time-outs often have no text."""
    return f"none, {type(error).__name__}" + (f": {error}" if str(error) else "")


async def _answer(response: httpx.Response) -> Answer:
    body = bytearray()
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) > _MAX_REPLY_BYTES:
            break
    return Answer(response.status_code, bytes(body[:_MAX_REPLY_BYTES]), response.headers.get("location"))
