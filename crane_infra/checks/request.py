"""Turns a check or a step into a request to a live worker: the address, the headers with secret values or signatures, the body. Sends nothing.

``faults_of`` finds what no run could send, a missing secret or one that a header cannot carry, before anything is sent or changed: an HTTP
library would quote its value in an error.
"""

import contextlib
import functools
import hashlib
import hmac
import json
import secrets
import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import httpx

from crane_infra.checks.headers import HEADER_VALUE, Header, SecretHeader
from crane_infra.checks.model import AnyCheck, Check, CommandCheck, StepsCheck
from crane_infra.checks.question import Question
from crane_infra.errors import CheckError, refuse
from crane_infra.redact import Redactor

OVERRIDES = "cloudflare-workers-version-overrides"
_LAST_PORT = 65535


@dataclass(frozen=True)
class Target:
    """A live worker: its name at Cloudflare, its address, the expected version, and its secrets by binding; where commands run."""

    worker: str
    url: str
    version_id: str | None
    secrets: Mapping[str, str] = field(repr=False)
    folder: Path = Path()

    @functools.cached_property
    def redact(self) -> Redactor:
        """Hides the secrets; made once, since a candidate is asked dozens of times."""
        return Redactor(self.secrets)


class Route(NamedTuple):
    """How requests reach a worker: as everybody's do, or, with ``override``, one version of its deployment at a URL that no cache knows."""

    target: Target
    override: str | None = None

    @property
    def override_header(self) -> str | None:
        """The value of the header that reaches the version; None where the traffic of everybody does."""
        return f'{self.target.worker}="{self.override}"' if self.override else None


@dataclass(frozen=True)
class Request:
    """A question, ready to be sent. The headers hold secret values."""

    question: Question
    url: httpx.URL
    headers: Mapping[str, str] = field(repr=False)
    content: bytes | None


class UnsendableError(Exception):
    """A request cannot be sent, for the reason in its text, which holds no values."""


def require_sendable(target: Target, checks: Iterable[AnyCheck]) -> None:
    """Check that each of these could be sent. Raises CheckError with a line for each reason why one could not."""
    refuse([fault for check in checks for fault in faults_of(target, check)])


def faults_of(target: Target, check: AnyCheck) -> Iterator[CheckError]:
    """Why a check cannot be sent: a missing secret, one that its place cannot carry, no valid address, no version to look for, no program."""
    if isinstance(check, CommandCheck):
        yield from _faults_of_command(target, check)
        return
    questions = (*check.steps, *check.cleanup) if isinstance(check, StepsCheck) else (check,)
    if _url(target, "/") is None:
        yield CheckError(where(target, check), f"{target.url} is not a valid address", "Correct the worker's url in the stack file")
    if target.version_id is None and any(question.version_at for question in questions):
        yield CheckError(where(target, check), "it looks for a version, but none is expected", "Pass the version that was deployed")
    for binding in sorted(check.secrets - {name for name, value in target.secrets.items() if value}):
        yield _no_value(target, check, binding)
    bearing = {header for question in questions for header in question.headers.values() if isinstance(header, SecretHeader)}
    for header in sorted(bearing, key=lambda header: (header.secret, header.prefix)):
        if (value := target.secrets.get(header.secret)) and not HEADER_VALUE.fullmatch(header.prefix + value):
            todo = "Remove blanks at its ends, line breaks and all characters but printable ASCII"
            yield CheckError(where(target, check), f"the value of the secret {header.secret} cannot be sent in a header", todo)


def built(route: Route, question: Question) -> Request:
    """The request of a question whose values are in their places. Raises UnsendableError where a value of an answer cannot be sent."""
    target = route.target
    content = None if question.body is None else json.dumps(question.body, separators=(",", ":"), ensure_ascii=False).encode()
    headers = {"cache-control": "no-cache", "accept": "application/json", "user-agent": "crane-infra"}
    if content is not None:
        headers["content-type"] = "application/json"
    headers |= {name.lower(): _value(target, header, content or b"") for name, header in question.headers.items()}
    if route.override_header:
        headers[OVERRIDES] = route.override_header
    for name, value in headers.items():
        if not HEADER_VALUE.fullmatch(value):
            message = f"a value cannot be sent in the header {name}"
            raise UnsendableError(message)
    url = _url(target, question.path)
    if url is None:
        message = "its address is not valid"
        raise UnsendableError(message)
    return Request(question, _unknown_to_caches(url, question) if route.override else url, headers, content)


def where(target: Target, check: AnyCheck) -> str:
    """The worker and the check, as errors name them."""
    return f"{target.worker} {check.shown} (check {check.name})" if isinstance(check, Check) else f"{target.worker} (check {check.name})"


def _faults_of_command(target: Target, check: CommandCheck) -> Iterator[CheckError]:
    for binding in sorted(check.secrets):
        value = target.secrets.get(binding)
        if not value:
            yield _no_value(target, check, binding)
        elif "\0" in value:
            what = f"the value of the secret {binding} cannot be in an environment variable"
            yield CheckError(where(target, check), what, "Remove the NUL character from it")
    program, folder = check.argv[0], target.folder.resolve()
    if shutil.which(str(folder / program) if "/" in program else program) is None:
        place = f"in {folder}" if "/" in program else "on PATH"
        yield CheckError(
            where(target, check), f"there is no program {program} {place}", "Install it, or correct the command in the catalog"
        )


def _no_value(target: Target, check: AnyCheck, binding: str) -> CheckError:
    return CheckError(where(target, check), f"the secret {binding} has no value", f"Set the secret {binding}, or remove the check")


def _url(target: Target, path: str) -> httpx.URL | None:
    return _parsed(target.url.rstrip("/") + path)


@functools.lru_cache(maxsize=256)
def _parsed(text: str) -> httpx.URL | None:
    """The address, None where it is none that can be asked. A candidate is asked at few of them, dozens of times."""
    with contextlib.suppress(httpx.InvalidURL):
        url = httpx.URL(text)
        if url.scheme in ("http", "https") and url.host and (url.port or 1) <= _LAST_PORT:
            return url
    return None


def _unknown_to_caches(url: httpx.URL, question: Question) -> httpx.URL:
    """The address with a query parameter that was never sent before. What is not GET or HEAD, no cache answers."""
    if question.exact_url or question.method not in ("GET", "HEAD"):
        return url
    parameter, text = f"crane-probe={secrets.token_hex(8)}", str(url)
    return httpx.URL(f"{text}&{parameter}" if url.query else f"{text.rstrip('?')}?{parameter}")


def _value(target: Target, header: Header, content: bytes) -> str:
    if isinstance(header, str):
        return header
    if isinstance(header, SecretHeader):
        return header.prefix + target.secrets[header.secret]
    return "sha256=" + hmac.new(target.secrets[header.hmac_sha256].encode(), content, hashlib.sha256).hexdigest()
