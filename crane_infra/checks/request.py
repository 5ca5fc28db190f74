"""Turns a check into a request to a live worker: the address, the headers with secret values or signatures, the body.

Sends nothing. All requests are prepared before the first is sent, so that a missing secret, or one that a header cannot carry, is refused
here: an HTTP library would quote its value in an error.
"""

import contextlib
import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass, field

import httpx

from crane_infra.checks.model import HEADER_VALUE, Check, Header, SecretHeader
from crane_infra.errors import CheckError

_LAST_PORT = 65535


@dataclass(frozen=True)
class Target:
    """A live worker: its name at Cloudflare, its address, the expected version, and its secrets by binding."""

    worker: str
    url: str
    version_id: str | None
    secrets: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True)
class Request:
    """A check, ready to be sent. The headers hold secret values."""

    check: Check
    url: httpx.URL
    headers: Mapping[str, str] = field(repr=False)
    content: bytes | None


def prepare(target: Target, check: Check) -> Request:
    """The request of a check.

    Raises CheckError where a secret has no value or one that a header cannot carry, where the address is not valid, and where the check
    looks for a version but none is expected.
    """
    if check.version_at and target.version_id is None:
        raise CheckError(where(target, check), "it looks for a version, but none is expected", "Pass the version that was deployed")
    content = None if check.body is None else json.dumps(check.body, separators=(",", ":"), ensure_ascii=False).encode()
    headers = {"cache-control": "no-cache", "accept": "application/json", "user-agent": "crane-infra"}
    if content is not None:
        headers["content-type"] = "application/json"
    headers |= {name.lower(): _value(target, check, header, content or b"") for name, header in check.headers.items()}
    return Request(check, _url(target, check), headers, content)


def where(target: Target, check: Check) -> str:
    """The worker and the check, as errors name them."""
    return f"{target.worker} {check.method} {check.path} (check {check.name})"


def _url(target: Target, check: Check) -> httpx.URL:
    with contextlib.suppress(httpx.InvalidURL):
        url = httpx.URL(target.url.rstrip("/") + check.path)
        if url.scheme in ("http", "https") and url.host and (url.port or 1) <= _LAST_PORT:
            return url
    raise CheckError(where(target, check), f"{target.url} is not a valid address", "Correct the worker's url in the stack file")


def _value(target: Target, check: Check, header: Header, content: bytes) -> str:
    if isinstance(header, str):
        return header
    if not isinstance(header, SecretHeader):
        key = _secret(target, check, header.hmac_sha256).encode()
        return "sha256=" + hmac.new(key, content, hashlib.sha256).hexdigest()
    value = header.prefix + _secret(target, check, header.secret)
    if not HEADER_VALUE.fullmatch(value):
        todo = "Remove blanks at its ends, line breaks and all characters but printable ASCII"
        raise CheckError(where(target, check), f"the value of the secret {header.secret} cannot be sent in a header", todo)
    return value


def _secret(target: Target, check: Check, binding: str) -> str:
    if value := target.secrets.get(binding):
        return value
    raise CheckError(where(target, check), f"the secret {binding} has no value", f"Set the secret {binding}, or remove the check")
