"""The certificates that HTTPS trusts, read once: each client would read them again, for a twentieth of a second."""

import ssl
from functools import cache

import httpx


@cache
def trusted() -> ssl.SSLContext:
    """What httpx trusts by itself, for as many clients as there are."""
    return httpx.create_ssl_context()
