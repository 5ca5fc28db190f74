"""Decides what an answer of Cloudflare's API means: a result, "there is no such thing", a refusal, or nothing usable. Pure.

Every call of the product is judged here. Only the API's own words count: an HTML page is never a result, whatever its status, and a 404 means
that something does not exist only where the API says so itself, with a code that means it. Messages never show the token or a bound value,
even where the API echoes them.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import NamedTuple, TypeVar

from pydantic import TypeAdapter, ValidationError
from pydantic_core import from_json

from crane_infra.d1.errors import (
    OUTAGE,
    RERUN,
    WAIT,
    BusyError,
    DeniedError,
    NoAnswerError,
    NotFoundError,
    RateLimitedError,
    RefusedError,
    RolledBackError,
    WriteOutcomeUnknown,
)
from crane_infra.frozen import first_fault

T = TypeVar("T")
# D1's own time-outs: the statement may still be running, whatever the HTTP status says.
TIMEOUT_CODES = frozenset({"7009", "7429"})
# A statement failed. D1 runs the statements of one request as one transaction.
STATEMENT_FAILED = "7500"
# While an import or export blocks a database, every other call is refused with the general code 7500 and this text.
BUSY = "Currently processing a long-running"
LONGEST_TEXT = 500
_PERMISSIONS = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)


class Answer(NamedTuple):
    """What came back over HTTP; the names of headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Missing(NamedTuple):
    """How the API says that what a call asks for does not exist: by one of ``codes``. The rest is the error's text."""

    codes: frozenset[str]
    what: str
    todo: str


@dataclass(frozen=True)
class Call:
    """The call that an answer belongs to.

    ``where`` is what errors name, ``permission`` what the token needs, ``server`` who refuses. Without ``missing`` no answer means that there
    is no such thing. ``hidden`` are values that no message may show.
    """

    where: str
    permission: str
    account_id: str
    missing: Missing | None = None
    is_write: bool = False
    server: str = "Cloudflare's API"
    hidden: tuple[str, ...] = field(default=(), repr=False)

    def clean(self, text: str) -> str:
        """Turn a text of the API into one short line without hidden values."""
        for value in sorted(filter(None, self.hidden), key=len, reverse=True):
            text = re.sub(rf"(?<!\w){re.escape(value)}(?!\w)", "[hidden]", text)
        text = " ".join("".join(char if char.isprintable() else " " for char in text).split())
        return text if len(text) <= LONGEST_TEXT else f"{text[:LONGEST_TEXT]}…"

    def refused(self, what: str, todo: str, kind: type[RefusedError] = RefusedError) -> RefusedError:
        """The error where the API refused the call; ``kind`` says what is known besides."""
        return kind(self.where, what, todo)

    def unanswered(self, what: str, todo: str = OUTAGE) -> NoAnswerError:
        """The error where there is no usable answer."""
        if self.is_write:
            return WriteOutcomeUnknown(self.where, f"the outcome of a write is unknown: {what}", RERUN)
        return NoAnswerError(self.where, f"Cloudflare's API failed: {what}", todo)


def read_result(call: Call, answer: Answer, shape: TypeAdapter[T]) -> T:
    """Return the result of a successful answer, read as ``shape``; raise the error that any other answer means.

    Raises NotFoundError, RefusedError, RateLimitedError or NoAnswerError (WriteOutcomeUnknown for a write).
    """
    result = _successful(call, answer)
    try:
        return shape.validate_python(result, strict=True)
    except ValidationError as error:
        raise call.unanswered(f"its answer cannot be read ({call.clean(fault_of(error))})") from None


def fault_of(error: ValidationError, root: str = "result") -> str:
    """Where an answer, called ``root``, is not what it should be, and why."""
    path, what = first_fault(error)
    return ": ".join(filter(None, (".".join(filter(None, (root, path))), what.partition(" or instance of ")[0])))


def parse_retry_after(value: str | None, now: datetime) -> float | None:
    """Return the seconds to wait according to a Retry-After header (a number or a date); None where it is missing or malformed."""
    if value is None:
        return None
    if value.strip().isdecimal() and value.isascii():
        return float(value)
    try:
        when = parsedate_to_datetime(value)
        return max(0.0, (when.replace(tzinfo=when.tzinfo or UTC) - now).total_seconds())
    except (ValueError, OverflowError):
        return None


def _successful(call: Call, answer: Answer) -> object:
    """The ``result`` of a successful answer."""
    envelope = _envelope(answer.body)
    errors = _errors(call, envelope)
    codes = {code for code, _ in errors}
    # Before the status: D1 sends 7429 with 429, which is not a rate limit; the statement may have run.
    if answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR or answer.status == HTTPStatus.REQUEST_TIMEOUT or TIMEOUT_CODES & codes:
        raise call.unanswered(f"status {answer.status}{_listed(errors)}")
    if answer.status == HTTPStatus.TOO_MANY_REQUESTS:
        raise _rate_limited(call, answer.headers)
    if any(BUSY in message for _, message in errors):
        raise BusyError(call.where, f"the database is busy{_listed(errors)}", WAIT, None)
    if envelope is None:
        raise _not_the_api(call, answer)
    if answer.status < HTTPStatus.BAD_REQUEST and envelope["success"] is True:
        return envelope.get("result")
    raise _refusal(call, answer.status, errors)


def _envelope(body: bytes) -> dict[str, object] | None:
    """The body as Cloudflare's API sends every answer; None for anything else."""
    try:
        # Strict where json.loads is not: no NaN, no half a surrogate pair, no nesting that exhausts the stack.
        envelope = from_json(body, allow_inf_nan=False)
    except ValueError:
        return None
    return envelope if isinstance(envelope, dict) and isinstance(envelope.get("success"), bool) else None


def _errors(call: Call, envelope: dict[str, object] | None) -> list[tuple[str, str]]:
    listed = (envelope or {}).get("errors")
    items = listed if isinstance(listed, list) else []
    return [
        (call.clean(str(item["code"])), call.clean(str(item.get("message") or "no message")))
        for item in items
        if isinstance(item, dict) and isinstance(item.get("code"), int | str)
    ]


def _listed(errors: list[tuple[str, str]]) -> str:
    return "".join(f", {message} (code {code})" for code, message in errors)


def _rate_limited(call: Call, headers: Mapping[str, str]) -> RateLimitedError:
    wait = parse_retry_after(headers.get("retry-after"), datetime.now(UTC))
    asked = f" and asks to wait {wait:.0f} s" if wait is not None else ""
    return RateLimitedError(call.where, f"Cloudflare limits the calls of this token (429){asked}", WAIT, wait)


def _not_the_api(call: Call, answer: Answer) -> NoAnswerError:
    """The error for a page of somebody else: of a proxy, a firewall, an outage."""
    kind = call.clean(answer.headers.get("content-type") or "no content type")
    what = f"status {answer.status} with {kind}, which is not an answer of the API"
    if answer.status in _PERMISSIONS:
        return call.unanswered(what, f"Try again; if it stays, check whether the token has the permission {call.permission}")
    return call.unanswered(what)


def _refusal(call: Call, status: int, errors: list[tuple[str, str]]) -> RefusedError | NoAnswerError:
    messages = _listed(errors)
    if status == HTTPStatus.UNAUTHORIZED:
        todo = f"Use a valid token with the permission {call.permission}"
        return call.refused(f"the API token was not accepted (401){messages}", todo, DeniedError)
    if status == HTTPStatus.FORBIDDEN:
        todo = f"Give it the permission {call.permission} on account {call.account_id}"
        return call.refused(f"the API token may not do this (403){messages}", todo, DeniedError)
    codes = {code for code, _ in errors}
    if call.missing and call.missing.codes & codes:
        return NotFoundError(call.where, f"{call.missing.what}{messages}", call.missing.todo)
    if not errors:
        is_error = status >= HTTPStatus.BAD_REQUEST
        return call.unanswered(f"status {status} without a reason" if is_error else "the reply says success: false without a reason")
    kind = RolledBackError if call.is_write and STATEMENT_FAILED in codes else RefusedError
    refused = call.refused(f"{call.server} refused it: {messages.removeprefix(', ')}", "Fix what the message names", kind)
    refused.codes = frozenset(codes)
    return refused
