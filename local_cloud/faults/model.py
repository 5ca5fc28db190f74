"""The language of faults, shared by the admin port and its client: where a fault happens, at which call, and what it does.

    Delay(seconds)              the call waits, then goes on
    Hold()                      the call waits until the fault ends, then goes on
    Reply(status, body)         these bytes are the reply; the handler does not run
    Error(status)               the same in Cloudflare's envelope
    Drop(when)                  the connection ends: before-read, after-read, after-commit, mid-body
    CommitThenDelay(seconds)    the handler runs, the reply waits
    CommitThenHold()            the handler runs, the reply waits until the fault ends
    FailStatement(index)        the handler runs, the reply of ``/query`` or ``/raw`` says that one statement failed
    FewerResults(missing)       the handler runs, the reply lacks the last results
    Behave(switches)            the handler runs under other switches of Behaviour

An unknown name is refused: a test must not pass because its fault never happened. This module only describes faults.
"""

from __future__ import annotations

import re
from dataclasses import field
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import AfterValidator, ConfigDict, Field, TypeAdapter, ValidationError, field_validator
from pydantic.dataclasses import dataclass

from local_cloud.behaviour import OUTSIDE_CALLS, Behaviour

_CONFIG = ConfigDict(extra="forbid")
_OUR_HEADERS = {"content-length", "transfer-encoding", "connection"}


def _sendable(headers: dict[str, str]) -> dict[str, str]:
    for name, value in headers.items():
        if name.lower() in _OUR_HEADERS:
            raise ValueError(f"the server sets {name} itself")
        if not (re.fullmatch(r"[A-Za-z0-9-]+", name) and re.fullmatch(r"[\x20-\x7e]*", value) and value == value.strip()):
            raise ValueError(f"{name} cannot be sent")
    return headers


Headers: TypeAlias = Annotated[dict[str, str], AfterValidator(_sendable)]
Seconds: TypeAlias = Annotated[float, Field(ge=0, le=600)]
Status: TypeAlias = Annotated[int, Field(ge=200, le=599)]
Index: TypeAlias = Annotated[int, Field(ge=0)]
Count: TypeAlias = Annotated[int, Field(ge=1)]


@dataclass(frozen=True, config=_CONFIG)
class Delay:
    """The call waits before its handler runs."""

    seconds: Seconds
    kind: Literal["delay"] = "delay"


@dataclass(frozen=True, config=_CONFIG)
class Reply:
    """A raw reply, for example an HTML page; the handler does not run."""

    status: Status
    body: str = ""
    headers: Headers = field(default_factory=dict)
    kind: Literal["reply"] = "reply"


@dataclass(frozen=True, config=_CONFIG)
class Error:
    """A refusal in Cloudflare's envelope; the handler does not run."""

    status: Status
    code: int = 10000
    message: str = "injected"
    headers: Headers = field(default_factory=dict)
    kind: Literal["error"] = "error"


@dataclass(frozen=True, config=_CONFIG)
class Drop:
    """The connection ends without a whole reply.

    ``before-read``: after the request's head, before its body. ``after-read``: the body is read, the handler does not run.
    ``after-commit``: the handler ran, its effect is durable, nothing is sent. ``mid-body``: the head and half of the body are sent.
    """

    when: Literal["before-read", "after-read", "after-commit", "mid-body"]
    kind: Literal["drop"] = "drop"


@dataclass(frozen=True, config=_CONFIG)
class CommitThenDelay:
    """The handler runs at once, its reply waits."""

    seconds: Seconds
    kind: Literal["commit-then-delay"] = "commit-then-delay"


@dataclass(frozen=True, config=_CONFIG)
class Hold:
    """The call waits until the fault ends, before its handler runs."""

    kind: Literal["hold"] = "hold"


@dataclass(frozen=True, config=_CONFIG)
class CommitThenHold:
    """The handler runs at once, its reply waits until the fault ends."""

    kind: Literal["commit-then-hold"] = "commit-then-hold"


@dataclass(frozen=True, config=_CONFIG)
class FailStatement:
    """The reply says ``success: true`` but that the statement at ``index`` (from 0) failed. All of them ran."""

    index: Index
    error: str = "injected"
    kind: Literal["fail-statement"] = "fail-statement"


@dataclass(frozen=True, config=_CONFIG)
class FewerResults:
    """The reply lacks the results of the last statements. All of them ran."""

    missing: Count = 1
    kind: Literal["fewer-results"] = "fewer-results"


@dataclass(frozen=True, config=_CONFIG)
class Behave:
    """The handler runs under other switches of Behaviour, for this call only."""

    switches: dict[str, Any]
    kind: Literal["behave"] = "behave"

    @field_validator("switches")
    @classmethod
    def _are_known(cls, switches: dict[str, Any]) -> dict[str, Any]:
        try:
            Behaviour.model_validate(switches)
        except ValidationError as error:
            raise ValueError(described(error)) from error
        if outside := sorted(OUTSIDE_CALLS & switches.keys()):
            raise ValueError(f"{', '.join(outside)}: is no switch of a single call; set it with behaviour()")
        return switches


Then: TypeAlias = Delay | Hold | Reply | Error | Drop | CommitThenDelay | CommitThenHold | FailStatement | FewerResults | Behave


@dataclass(frozen=True, config=_CONFIG)
class Rule:
    """A fault for the nth call of a route, counted from when the rule is made, and for the ``times - 1`` calls after it.

    With ``saying`` only calls whose body contains this text, as sent, count.
    """

    route: str
    then: Annotated[Then, Field(discriminator="kind")]
    nth: Count = 1
    times: Count = 1
    saying: str = ""


RULE: TypeAdapter[Rule] = TypeAdapter(Rule)


def described(error: ValidationError) -> str:
    """Describe what is wrong in one line, without the values that were sent."""
    return "; ".join(
        f"{'.'.join(map(str, detail['loc']))}: {detail['msg']}" for detail in error.errors(include_url=False, include_input=False)
    )
