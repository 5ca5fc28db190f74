"""Decides what a reply of the D1 API means (pure).

The HTTP status alone is not trusted: an HTML page with status 200, ``success: false``, a failed statement under ``success: true`` and missing
results are all failures. Messages never show the token or a bound value, even where the API echoes them.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Literal

from crane_infra.d1.database import Result
from crane_infra.d1.errors import BusyError, NoAnswerError, PartialWriteError, RateLimitedError, RefusedError, WriteOutcomeUnknown
from crane_infra.errors import ApiError

# D1's own time-outs: the statement may still be running, whatever the HTTP status says.
TIMEOUT_CODES = frozenset({"7009", "7429"})
NO_SUCH_DATABASE = "7404"
LONGEST_TEXT = 500
# While an import or export blocks a database, every other call is refused with the general code 7500 and this text.
BUSY = "Currently processing a long-running"
Kind = Literal["read", "write", "bookmark"]
RERUN = "Run the same command again: it first reads what was done and does not repeat it"


@dataclass(frozen=True)
class Call:
    """The call that a reply belongs to. ``hidden`` are values that no message may show."""

    kind: Kind
    name: str
    account_id: str
    database_id: str
    statements: int = 1
    hidden: tuple[str, ...] = field(default=(), repr=False)

    @property
    def where(self) -> str:
        """The database, as errors call it."""
        return f"D1 database {self.name}"

    def clean(self, text: str) -> str:
        """Turn a text of the API into one short line without hidden values."""
        for value in sorted(filter(None, self.hidden), key=len, reverse=True):
            text = re.sub(rf"(?<!\w){re.escape(value)}(?!\w)", "[hidden]", text)
        text = " ".join(text.split())
        return text if len(text) <= LONGEST_TEXT else f"{text[:LONGEST_TEXT]}…"

    def refused(self, what: str, todo: str) -> RefusedError:
        """The error where the API refused the call."""
        return RefusedError(self.where, what, todo)

    def unanswered(self, what: str) -> NoAnswerError:
        """The error where there is no usable answer."""
        if self.kind == "write":
            return WriteOutcomeUnknown(self.where, f"the outcome of a write is unknown: {what}", RERUN)
        return NoAnswerError(
            self.where, f"Cloudflare's API gave no usable answer: {what}", "Try again; cloudflarestatus.com lists known outages"
        )


def read_results(call: Call, status: int, headers: Mapping[str, str], body: bytes) -> list[Result]:
    """Return the result of every statement of a query, or raise the error that the reply means.

    Raises RefusedError, RateLimitedError, NoAnswerError (WriteOutcomeUnknown for a write) or PartialWriteError.
    """
    items = read_envelope(call, status, headers, body)
    if not isinstance(items, list):
        raise call.unanswered("the reply has no list of results")
    results = [_statement_result(call, index, item) for index, item in enumerate(items)]
    if len(results) < call.statements:
        raise _partial(call, f"{len(results)} results for {call.statements} statements", len(results))
    return results


def read_bookmark(call: Call, status: int, headers: Mapping[str, str], body: bytes) -> str:
    """Return the bookmark in a Time Travel reply; raise as ``read_results`` does."""
    result = read_envelope(call, status, headers, body)
    bookmark = result.get("bookmark") if isinstance(result, dict) else None
    if not isinstance(bookmark, str) or not bookmark:
        raise call.unanswered("the reply has no bookmark")
    return bookmark


@dataclass(frozen=True)
class Import:
    """A reply of the import endpoint: where to upload the file, or how far the import is."""

    status: str
    filename: str = ""
    upload_url: str = ""
    bookmark: str = ""
    error: str = ""


def read_import(call: Call, status: int, headers: Mapping[str, str], body: bytes) -> Import:
    """Return the content of a reply of the import endpoint; raise as ``read_results`` does."""
    result = read_envelope(call, status, headers, body)
    if not isinstance(result, dict):
        raise call.unanswered("the reply of the import has no result")
    text = {key: str(result.get(key) or "") for key in ("status", "filename", "upload_url", "at_bookmark")}
    failed = result.get("success") is not True or text["status"] == "error"
    error = call.clean(str(result.get("error") or "no reason given")) if failed else ""
    return Import("error" if failed else text["status"], text["filename"], text["upload_url"], text["at_bookmark"], error)


def read_envelope(call: Call, status: int, headers: Mapping[str, str], body: bytes) -> object:
    """Return the ``result`` of a successful reply; raise the error that any other reply means."""
    envelope = _parse(body)
    errors = _errors(call, envelope)
    # Before the status: D1 sends 7429 with 429, which is not a rate limit; the statement may have run.
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status == HTTPStatus.REQUEST_TIMEOUT or TIMEOUT_CODES & {code for code, _ in errors}:
        raise call.unanswered(f"status {status}{_listed(errors)}")
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        raise _rate_limited(call, headers)
    if any(BUSY in message for _, message in errors):
        raise BusyError(call.where, f"the database is busy{_listed(errors)}", "Wait, then run the same command again", None)
    if status >= HTTPStatus.BAD_REQUEST:
        raise _refusal(call, status, errors)
    if envelope is None:
        raise call.unanswered(f"status {status} with {headers.get('content-type', 'no content type')}, which is not a reply of the API")
    if envelope.get("success") is not True:
        raise _refusal(call, status, errors) if errors else call.unanswered("the reply says success: false without a reason")
    return envelope.get("result")


def parse_retry_after(value: str | None, now: datetime) -> float | None:
    """Return the seconds to wait according to a Retry-After header (a number or a date); None where it is missing or malformed."""
    if value is None:
        return None
    if value.strip().isdigit():
        return float(value)
    try:
        when = parsedate_to_datetime(value)
    except ValueError:
        return None
    return max(0.0, (when.replace(tzinfo=when.tzinfo or UTC) - now).total_seconds())


def _parse(body: bytes) -> dict[str, object] | None:
    try:
        envelope = json.loads(body)
    except ValueError:
        return None
    return envelope if isinstance(envelope, dict) else None


def _errors(call: Call, envelope: dict[str, object] | None) -> list[tuple[str, str]]:
    listed = (envelope or {}).get("errors")
    items = listed if isinstance(listed, list) else []
    return [(str(item.get("code")), call.clean(str(item.get("message", "")))) for item in items if isinstance(item, dict)]


def _listed(errors: list[tuple[str, str]]) -> str:
    return "".join(f", {message} (code {code})" for code, message in errors)


def _rate_limited(call: Call, headers: Mapping[str, str]) -> RateLimitedError:
    wait = parse_retry_after(headers.get("retry-after"), datetime.now(UTC))
    asked = f" and asks to wait {wait:.0f} s" if wait is not None else ""
    what = f"Cloudflare limits the calls of this token (429){asked}"
    return RateLimitedError(call.where, what, "Wait, then run the same command again", wait)


def _refusal(call: Call, status: int, errors: list[tuple[str, str]]) -> ApiError:
    messages = _listed(errors)
    permission = "D1 Write" if call.kind == "write" else "D1 Read"
    if status == HTTPStatus.UNAUTHORIZED:
        return call.refused(f"the API token was not accepted (401){messages}", f"Use a valid token with the permission {permission}")
    if status == HTTPStatus.FORBIDDEN:
        todo = f"Give it the permission {permission} on account {call.account_id}"
        return call.refused(f"the API token may not do this (403){messages}", todo)
    if status == HTTPStatus.NOT_FOUND or NO_SUCH_DATABASE in {code for code, _ in errors}:
        what = f"account {call.account_id} has no database {call.database_id}{messages}"
        return call.refused(what, "Check the account id and the database id in the settings")
    return call.refused(f"D1 refused it: {messages.removeprefix(', ') or f'status {status}'}", "Fix what the message names")


def _statement_result(call: Call, index: int, item: object) -> Result:
    if not isinstance(item, dict) or item.get("success") is not True:
        reason = item.get("error") if isinstance(item, dict) else None
        message = call.clean(str(reason)) if reason else "no reason given"
        raise _partial(call, f"statement {index + 1} failed: {message}", index)
    results = item.get("results")
    meta = item.get("meta")
    changes = meta.get("changes") if isinstance(meta, dict) else None
    rows = results if isinstance(results, list) else []
    return Result(tuple(row for row in rows if isinstance(row, dict)), int(changes) if isinstance(changes, int | float) else 0)


def _partial(call: Call, what: str, statement: int) -> ApiError:
    if call.kind != "write":
        return call.unanswered(what)
    return PartialWriteError(call.where, f"the reply says success, but {what}", RERUN, statement)
