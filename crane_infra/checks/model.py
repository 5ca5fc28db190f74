"""Smoke checks: a request, and the answer that a deployed worker must give. Data only.

Holds no secret values, only the names of the bindings whose values a request carries. Checks are data and not code so that they are the same
in both environments: their definitions are part of the release and of its digest.
"""

import re
from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, JsonValue, model_validator

from crane_infra.frozen import Frozen

# RFC 9110: a header's name is a token, and its value here is printable ASCII without blanks at its ends.
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
HEADER_VALUE = re.compile(r"([!-~]([ -~]*[!-~])?)?")
# The HTTP client sets these: they frame the request and say where it goes.
_CLIENT_HEADERS = {"host", "content-length", "transfer-encoding", "connection"}

BindingName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
Path = Annotated[str, Field(pattern=r"^/([!\x22$-.0-~][!\x22$-~]*)?$")]
"""A path below the worker's address, with or without a query; no blanks, no fragment, no second slash that could name a host."""


class SecretHeader(Frozen):
    """A header that carries the secret bound to the worker under this name, after a prefix such as ``Bearer``."""

    secret: BindingName
    prefix: Annotated[str, Field(pattern=r"^[ -~]*$")] = ""


class SignatureHeader(Frozen):
    """A header that signs the body: ``sha256=`` and its hexadecimal HMAC-SHA256, keyed with the secret bound to this name."""

    hmac_sha256: BindingName


def _headers(headers: "Mapping[str, Header]") -> "Mapping[str, Header]":
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


Header = str | SecretHeader | SignatureHeader


class Check(Frozen):
    """One request, and the answer that the worker must give before the deadline.

    The request is repeated until it passes, so a check that writes must be idempotent.
    """

    name: Annotated[str, Field(min_length=1, max_length=80)]
    method: Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] = "GET"
    path: Path
    headers: Annotated[Mapping[str, Header], AfterValidator(_headers)] = {}
    body: JsonValue = None
    """Sent as JSON; None sends no body."""
    status: Annotated[int, Field(ge=200, le=599)] = 200
    json_includes: Mapping[str, JsonValue] | None = None
    """Must be in the JSON reply. At every level, objects may hold more; lists and plain values must be equal."""
    version_at: Annotated[str, Field(min_length=1)] | None = None
    """The key of the JSON reply whose value must be the expected version id."""
    deadline: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 60
    """Seconds from the first try."""
    mutating: bool = False
    """Whether the check writes. Such a check never runs in production."""
    exact_url: bool = False
    """Whether the URL is always sent as it is. Else a candidate is asked with a query parameter of its own, so that no cache knows the URL."""

    @model_validator(mode="after")
    def _answerable(self) -> Self:
        if self.method == "HEAD" and (self.json_includes is not None or self.version_at):
            message = "the reply to HEAD has no body, so it cannot hold JSON"
            raise ValueError(message)
        return self

    @property
    def secrets(self) -> frozenset[str]:
        """The names of the bindings whose secret values the request needs."""
        named = (h.secret if isinstance(h, SecretHeader) else h.hmac_sha256 for h in self.headers.values() if not isinstance(h, str))
        return frozenset(named)

    def definition(self) -> dict[str, JsonValue]:
        """Everything that defines the check, as plain JSON to hash: with defaults, without secret values.

        A default of ``exact_url`` is left out: it came later, and must not give every release another digest.
        """
        return self.model_dump(mode="json", exclude=None if self.exact_url else {"exact_url"})
