"""For clients that speak plain HTTP with this machine, without what HTTPS and proxies need: httpx makes ready for both at each call."""

import functools
import http.client
import ssl
from urllib.parse import urlsplit


@functools.cache
def no_certificates() -> ssl.SSLContext:
    """A context that trusts nobody, to share between clients: a connection with TLS fails.

    Without it httpx reads all trusted certificates for each client, which takes 30 ms.
    """
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def ask(method: str, url: str, headers: dict[str, str], body: bytes | None, seconds: float) -> tuple[int, bytes]:
    """Status and body of the reply to one request, on a connection of its own; raises OSError or HTTPException where none comes in time."""
    address = urlsplit(url)
    connection = http.client.HTTPConnection(address.netloc, timeout=seconds)
    try:
        connection.request(method, url.removeprefix(f"{address.scheme}://{address.netloc}"), body, headers)
        reply = connection.getresponse()
        return reply.status, reply.read()
    finally:
        connection.close()
