"""The certificates that HTTPS trusts, read once. A client without them reads its own, which takes 50 ms."""

import ssl
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache

import httpx


def trusted() -> ssl.SSLContext:
    """The certificates that httpx trusts by default, to share between clients."""
    return read_ahead().result()


@cache
def read_ahead() -> Future[ssl.SSLContext]:
    """Begin to read them on a thread of its own, while the program goes on: to read them needs no Python."""
    thread = ThreadPoolExecutor(max_workers=1)
    reading = thread.submit(httpx.create_ssl_context)
    thread.shutdown(wait=False)
    return reading
