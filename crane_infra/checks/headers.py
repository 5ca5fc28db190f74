"""The headers of a check: plain texts, secrets by the name of their binding, and signatures. Data only."""

import re
from collections.abc import Mapping
from typing import Annotated

from pydantic import AfterValidator, Field

from crane_infra.frozen import Declared

# RFC 9110: a header's name is a token, and its value here is printable ASCII without blanks at its ends.
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
HEADER_VALUE = re.compile(r"([!-~]([ -~]*[!-~])?)?")
# The HTTP client sets these: they frame the request and say where it goes.
_CLIENT_HEADERS = {"host", "content-length", "transfer-encoding", "connection"}

BindingName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]


class SecretHeader(Declared):
    """A header that carries the secret bound to the worker under this name, after a prefix such as ``Bearer``."""

    secret: BindingName
    prefix: Annotated[str, Field(pattern=r"^[ -~]*$")] = ""


class SignatureHeader(Declared):
    """A header that signs the body: ``sha256=`` and its hexadecimal HMAC-SHA256, keyed with the secret bound to this name."""

    hmac_sha256: BindingName


Header = str | SecretHeader | SignatureHeader


def _headers(headers: Mapping[str, Header]) -> Mapping[str, Header]:
    for name, value in headers.items():
        if not _HEADER_NAME.fullmatch(name) or name.lower() in _CLIENT_HEADERS:
            message = f"'{name}' is not a header that a check can set"
            raise ValueError(message)
        if isinstance(value, str) and not HEADER_VALUE.fullmatch(value):
            message = f"the value of the header {name} is not printable ASCII"
            raise ValueError(message)
    if len({name.lower() for name in headers}) < len(headers):
        message = "a header is set twice"
        raise ValueError(message)
    return headers


Headers = Annotated[Mapping[str, Header], AfterValidator(_headers)]


def secrets_in(headers: Mapping[str, Header]) -> frozenset[str]:
    """The names of the bindings whose secret values these headers need."""
    named = (h.secret if isinstance(h, SecretHeader) else h.hmac_sha256 for h in headers.values() if not isinstance(h, str))
    return frozenset(named)
