"""Observability of a worker: what somebody stored, and what a reply shows of it. Pure."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from local_cloud.store import Body

ShownFields: TypeAlias = Literal["complete", "as-stored", "without-defaults"]

_COMPLETE: Body = {
    "enabled": False,
    "head_sampling_rate": 1,
    "logs": {"enabled": False, "head_sampling_rate": 1, "invocation_logs": True, "destinations": [], "persist": True},
    "traces": {"enabled": False, "head_sampling_rate": 1, "destinations": [], "persist": True},
}


def merge(old: Body, new: Body) -> Body:
    """Merge one JSON object into another, recursively."""
    both = {key: merge(old[key], new[key]) for key in old.keys() & new.keys() if isinstance(old[key], dict) and isinstance(new[key], dict)}
    return {**old, **new, **both}


def shown(stored: Body, fields: ShownFields = "complete") -> Body:
    """Give the observability that a reply has, of what PUT, PATCH and wrangler stored."""
    if fields == "as-stored":
        return stored
    complete = merge(deepcopy(_COMPLETE), stored)
    if fields == "without-defaults":
        del complete["traces"]
        complete["logs"].pop("persist", None)
    return complete
