"""Decides how a version may join the deployment that serves, as a candidate at 0 %. Pure."""

from dataclasses import dataclass

from crane_infra.live.account import Deployment

WHOLE = 100.0


@dataclass(frozen=True)
class First:
    """No version serves yet, so there is nothing to protect and nothing to join."""


@dataclass(frozen=True)
class Serves:
    """The version has all traffic already."""


@dataclass(frozen=True)
class Joins:
    """The version joins beside ``old``, which has all traffic."""

    old: str


@dataclass(frozen=True)
class Waits:
    """An earlier run let the version join beside ``old``, and did not end."""

    old: str


@dataclass(frozen=True)
class Rolls:
    """An earlier run gave the version a share beside ``old``, as a step of a rollout."""

    old: str
    share: float


@dataclass(frozen=True)
class Shared:
    """Two versions share the traffic, so a third cannot join; ``largest`` has the most of it."""

    largest: str


Place = First | Serves | Joins | Waits | Rolls | Shared


def place_of(active: Deployment | None, version: str) -> Place:
    """Where a version stands before it is tried. Of versions at 0 % a new candidate takes the place."""
    if active is None:
        return First()
    serving = {each: share for each, share in active.shares.items() if share > 0}
    if serving == {version: WHOLE}:
        return Serves()
    if is_rollout(active) and version in serving:
        (old,) = serving.keys() - {version}
        return Rolls(old, serving[version])
    if len(serving) > 1:
        return Shared(max(serving, key=lambda each: serving[each]))
    (old,) = serving
    return Waits(old) if active.candidate == version else Joins(old)


def is_rollout(deployment: Deployment) -> bool:
    """Whether the deployment is a step of a rollout that crane made."""
    return deployment.is_step and len(deployment.traffic) > 1
