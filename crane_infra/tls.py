"""The certificates that HTTPS trusts, read once. A client without them reads its own, which takes 50 ms."""

import ssl
from functools import cache

import httpx


@cache
def trusted() -> ssl.SSLContext:
    """The certificates that httpx trusts by default, to share between clients."""
    return httpx.create_ssl_context()
