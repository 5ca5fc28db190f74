"""Reads secrets from Infisical over HTTP: logs in, lists names without values, and reads each secret that is asked for by its name.

Only reads, and a login that Infisical refused or never got, are sent again. The text of an answer is never shown: a server may echo what it
was sent. The official SDK is not used: docs/decisions has the reason.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Coroutine
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeVar
from urllib.parse import quote, urlsplit

import httpx
import stamina
from pydantic import BaseModel, ValidationError

from crane_infra.at_once import all_at_once
from crane_infra.config.infisical import InfisicalSettings
from crane_infra.errors import SecretError
from crane_infra.frozen import first_fault
from crane_infra.secrets.infisical_answers import (
    ListAnswer,
    Listed,
    LoginAnswer,
    OidcAnswer,
    SecretAnswer,
    Value,
    changed,
    listed_in,
    value_in,
)
from crane_infra.tls import trusted

T = TypeVar("T")
Answer = TypeVar("Answer", bound=BaseModel)
TRIES = 4
ROUNDS = 3
LONGEST_WAIT = 30.0
_AGAIN = "Run the same command again"
_AT_ONCE = 8
logging.getLogger("stamina").addHandler(logging.NullHandler())


class Patience(NamedTuple):
    """How long a call may take, how long all of them together, and the first pause before a call is sent again; in seconds."""

    call: float = 10.0
    whole: float = 90.0
    pause: float = 0.2


@dataclass(frozen=True)
class UniversalAuth:
    """The login of a machine identity by client id and client secret."""

    client_id: str
    client_secret: str = field(repr=False)


@dataclass(frozen=True)
class GithubOidc:
    """The login of a machine identity by the token that GitHub gives a job with the permission ``id-token: write``."""

    identity: str
    url: str = field(repr=False)
    bearer: str = field(repr=False)
    audience: str | None = None


Login = UniversalAuth | GithubOidc


class BusyError(SecretError):
    """Infisical did not answer, failed, or takes no more calls; ``after`` is how many seconds it asks to wait, where it says so."""

    after: float | None = None
    refused: bool = False
    """Whether the call did nothing for certain, so that a login may be sent again, too."""


def read_secrets(settings: InfisicalSettings, login: Login, names: Collection[str], patience: Patience | None = None) -> dict[str, str]:
    """The values of those of ``names`` that the folder or its imports have, by name. No other secret is read.

    Raises SecretError if Infisical cannot be read in time, if values are hidden or have references that are not resolved (all of them are
    named), or if they change while they are read.
    """
    wait = patience or Patience()
    return _run(settings, wait, lambda session: _values(session, login, names))


def list_secrets(settings: InfisicalSettings, login: Login, patience: Patience | None = None) -> dict[str, Listed]:
    """The secrets that the folder and its imports have, by name, without their values. Raises SecretError."""

    async def listed(session: "_Session") -> dict[str, Listed]:
        return await session.listed(await session.token(login))

    return _run(settings, patience or Patience(), listed)


def backoff(error: Exception, *, is_login: bool = False) -> bool | float:
    """Tell whether a call is sent again after this error: no, yes after a pause with jitter, or yes after that many seconds."""
    if not isinstance(error, BusyError) or (is_login and not error.refused):
        return False
    return True if error.after is None else error.after <= LONGEST_WAIT and error.after


async def _values(session: "_Session", login: Login, names: Collection[str]) -> dict[str, str]:
    token = await session.token(login)
    unsteady: list[str] = []
    for _ in range(ROUNDS):
        listed = await session.listed(token)
        present = [name for name in names if name in listed]
        values = dict(zip(present, await all_at_once(session.value(token, name) for name in present), strict=True))
        if unsteady := changed(listed, values):
            continue
        read = [value for value in values.values() if value is not None]
        if faults := [f"{value.name} ({value.fault})" for value in read if value.fault]:
            todo = "Let the identity of this stack read the values, also of what they refer to, and correct the references"
            raise SecretError(session.where, f"has no usable value for {', '.join(faults)}", todo)
        return {value.name: value.text for value in read}
    raise SecretError(session.where, f"changed while it was read, each of {ROUNDS} times: {', '.join(unsteady)}", _AGAIN)


def _run(settings: InfisicalSettings, patience: Patience, work: "Callable[[_Session], Coroutine[Any, Any, T]]") -> T:
    """Run it in a thread of its own: a program of Pulumi already has a loop in this one."""

    async def within_deadline() -> T:
        timeout = httpx.Timeout(patience.call, pool=None)
        limits = httpx.Limits(max_connections=_AT_ONCE)
        async with httpx.AsyncClient(verify=trusted(), timeout=timeout, limits=limits) as http:
            session = _Session(http, settings, patience)
            try:
                async with asyncio.timeout(patience.whole):
                    return await work(session)
            except TimeoutError:
                raise SecretError(session.where, f"did not answer everything within {patience.whole:g} s", _AGAIN) from None

    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, within_deadline()).result()


@dataclass(frozen=True)
class _Session:
    http: httpx.AsyncClient
    settings: InfisicalSettings
    patience: Patience

    @property
    def where(self) -> str:
        return f"Infisical {urlsplit(self.settings.site).netloc} {self.settings.place}"

    async def token(self, login: Login) -> str:
        """Log in, and return the access token."""
        if isinstance(login, UniversalAuth):
            method, body = "universal-auth", {"clientId": login.client_id, "clientSecret": login.client_secret}
        else:
            method, body = "oidc-auth", {"identityId": login.identity, "jwt": await self._github_token(login)}

        async def once() -> str:
            reply = await self._send("POST", f"{self.settings.site.rstrip('/')}/api/v1/auth/{method}/login", json=body)
            self._require_login(reply)
            return self._read(LoginAnswer, reply).accessToken

        return await self._again(once, is_login=True)

    async def listed(self, token: str) -> dict[str, Listed]:
        """What the folder and its imports have."""

        async def once() -> dict[str, Listed]:
            reply = await self._get("", token, viewSecretValue="false", recursive="false")
            self._require_allowed(reply, "list the secrets")
            return listed_in(self._read(ListAnswer, reply))

        return await self._again(once)

    async def value(self, token: str, name: str) -> Value | None:
        """The value of a secret that was listed; None where it is gone."""

        async def once() -> Value | None:
            reply = await self._get(f"/{quote(name, safe='')}", token, viewSecretValue="true", expandSecretReferences="true", type="shared")
            if reply.status_code == httpx.codes.NOT_FOUND:
                return None
            self._require_allowed(reply, f"read {name}")
            return value_in(name, self._read(SecretAnswer, reply))

        return await self._again(once)

    async def _again(self, once: Callable[[], Awaitable[T]], *, is_login: bool = False) -> T:
        retrying = stamina.AsyncRetryingCaller(
            attempts=TRIES, timeout=None, wait_initial=self.patience.pause, wait_jitter=self.patience.pause
        )
        return await retrying(lambda error: backoff(error, is_login=is_login), once)

    async def _github_token(self, login: GithubOidc) -> str:
        async def once() -> str:
            params = {"audience": login.audience} if login.audience else {}
            url = httpx.URL(login.url).copy_merge_params(params)
            reply = await self._send("GET", str(url), headers={"Authorization": f"Bearer {login.bearer}"}, sender="GitHub's token service")
            if not reply.is_success:
                what = f"GitHub gave this job no token (HTTP {reply.status_code})"
                raise SecretError(self.where, what, "Give the job the permission id-token: write")
            return self._read(OidcAnswer, reply).value

        return await self._again(once)

    async def _get(self, below: str, token: str, **query: str) -> httpx.Response:
        path, project = ("/api/v4/secrets", "projectId") if self.settings.api == "v4" else ("/api/v3/secrets/raw", "workspaceId")
        place = {project: self.settings.project, "environment": self.settings.environment, "secretPath": self.settings.path}
        # Versions of the server differ in the name of this parameter; one that a server does not know is left out by it.
        imports = {"includeImports": "true", "include_imports": "true"}
        address = f"{self.settings.site.rstrip('/')}{path}{below}"
        return await self._send("GET", address, params={**place, **imports, **query}, headers={"Authorization": f"Bearer {token}"})

    async def _send(self, method: str, address: str, *, sender: str = "it", **arguments: Any) -> httpx.Response:  # noqa: ANN401
        try:
            reply = await self.http.request(method, address, **arguments)
        except httpx.InvalidURL:
            raise SecretError(self.where, "its address cannot be called", "Correct infisical.site in the stack file") from None
        except httpx.HTTPError as error:
            busy = BusyError(self.where, f"{sender} did not answer ({type(error).__name__})", _AGAIN)
            busy.refused = isinstance(error, httpx.ConnectError)
            raise busy from None
        if reply.status_code == httpx.codes.TOO_MANY_REQUESTS:
            after = _seconds(reply.headers.get("retry-after", ""))
            pause = f" for {after:g} s" if after is not None else ""
            busy = BusyError(self.where, f"{sender} takes no more calls{pause} (HTTP 429)", "Wait, and run the same command again")
            busy.after, busy.refused = after, True
            raise busy
        if reply.is_server_error:
            raise BusyError(self.where, f"{sender} failed (HTTP {reply.status_code})", _AGAIN)
        return reply

    def _require_login(self, reply: httpx.Response) -> None:
        if reply.status_code in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN, httpx.codes.BAD_REQUEST):
            what = f"it refused the login of the machine identity (HTTP {reply.status_code})"
            raise SecretError(self.where, what, "Check the client id and secret, or the identity and what it trusts: docs/secrets.md")
        self._require_success(reply)

    def _require_allowed(self, reply: httpx.Response, action: str) -> None:
        if reply.status_code in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
            what = f"the machine identity may not {action} (HTTP {reply.status_code})"
            todo = f"Give it the permissions Describe Secret and Read Value on {self.settings.place}"
            raise SecretError(self.where, what, todo)
        self._require_success(reply)

    def _require_success(self, reply: httpx.Response) -> None:
        if reply.status_code == httpx.codes.NOT_FOUND:
            what = "it has no such project, environment or path, or not this version of the API (HTTP 404)"
            raise SecretError(self.where, what, "Correct site, project, environment, path and api below infisical in the stack file")
        if not reply.is_success:
            raise SecretError(self.where, f"it answered HTTP {reply.status_code}", "Check infisical.site in the stack file")

    def _read(self, shape: type[Answer], reply: httpx.Response) -> Answer:
        try:
            return shape.model_validate_json(reply.content)
        except ValidationError as error:
            fault = ": ".join(filter(None, first_fault(error))) if reply.content[:1] == b"{" else "not JSON"
            raise SecretError(self.where, f"it answered with something that cannot be read ({fault})", _AGAIN) from None


def _seconds(text: str) -> float | None:
    """The seconds of a Retry-After header; None where it is missing or a date."""
    return float(text) if text.isascii() and text.isdigit() else None
