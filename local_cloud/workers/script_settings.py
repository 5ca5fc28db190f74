"""The settings of a script itself, which all its versions share, in the words of the scripts routes. Pure but for the time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from local_cloud.clock import stamp
from local_cloud.envelope import BAD_REQUEST, BAD_WORKER, Refusal
from local_cloud.workers import observability

if TYPE_CHECKING:
    from local_cloud.store import Body

_SCRIPT_LEVEL = ("logpush", "observability", "tags", "tail_consumers")


def script_level(worker: Body) -> Body:
    """Give the script-level settings of a worker."""
    consumers = [{"service": consumer.get("name")} for consumer in worker["tail_consumers"]]
    settings = {key: worker[key] for key in _SCRIPT_LEVEL}
    return {**settings, "observability": observability.shown(worker["observability"]), "tail_consumers": consumers}


def with_script_level(worker: Body, body: Body) -> Body:
    """Give the worker with the script-level settings that a body names; the others stay. Raises Refusal."""
    changes = {key: body[key] for key in _SCRIPT_LEVEL if body.get(key) is not None}
    if not all(isinstance(consumer, dict) for consumer in changes.get("tail_consumers", [])):
        raise Refusal(BAD_REQUEST, BAD_WORKER, "A tail consumer is an object with a service")
    if "tail_consumers" in changes:
        changes["tail_consumers"] = [{"name": consumer.get("service")} for consumer in changes["tail_consumers"]]
    return {**worker, **observability.merge({key: worker[key] for key in changes}, changes), "updated_on": stamp()} if changes else worker
