"""What a stack file says of a worker's script, from the keys of one environment: schedules, address, logs. Pure."""

import re
from collections.abc import Mapping
from typing import Any

from pydantic import JsonValue

from crane_infra.wrangler.findings import Findings
from crane_infra.wrangler.keys import Keys
from crane_infra.wrangler.read import Environment

_STREAM = {"enabled": "enabled", "head_sampling_rate": "head-sampling-rate", "persist": "persist", "destinations": "destinations"}
_OBSERVABILITY = {"enabled": "enabled", "head_sampling_rate": "head-sampling-rate"}
_LOGS = {**_STREAM, "invocation_logs": "invocation-logs"}
_PATTERN = re.compile(r"(?:https?://)?([a-z0-9.-]+\.[a-z]+)(/[^\s?#*]*)?\*?", re.IGNORECASE)


def script_settings(environment: Environment, keys: Keys, findings: Findings) -> dict[str, Any]:
    """The settings of a worker in the stack file, as wrangler would apply them to its script."""
    settings: dict[str, Any] = {}
    if keys.triggers.crons is not None:
        settings["crons"] = keys.triggers.crons
    settings |= _address(environment, keys, findings)
    if keys.preview_urls:
        settings["preview-urls"] = True
    if keys.observability is not None:
        settings["observability"] = _observability(environment, keys.observability, findings)
    if keys.logpush is not None:
        settings["logpush"] = keys.logpush
    if keys.tail_consumers:
        settings["tail-consumers"] = [consumer.service for consumer in keys.tail_consumers]
    for number, consumer in enumerate(keys.queues.consumers):
        where = environment.where(f"queues.consumers[{number}]")
        findings.note(where, f"the consumer of {consumer.get('queue')} is not declared here", "It stays as it is at Cloudflare")
    return settings


def is_hidden(settings: Mapping[str, Any]) -> bool:
    """Whether these settings are those of a worker that has no public address."""
    return str(settings.get("url", "")).endswith(".invalid")


def _address(environment: Environment, keys: Keys, findings: Findings) -> dict[str, Any]:
    """Whether the worker is on workers.dev, and its address elsewhere if it is not.

    As with wrangler, a worker with a route is not on workers.dev unless the file says so, and ``routes`` win over ``route``.
    """
    single = [] if keys.route is None else [keys.route]
    routes = single if keys.routes is None else keys.routes
    for number, route in enumerate(routes):
        where = environment.where("route" if keys.routes is None else f"routes[{number}]")
        findings.note(where, f"the route {_pattern_of(route)} is not declared here", "It stays as it is at Cloudflare")
    if keys.workers_dev if keys.workers_dev is not None else not routes:
        return {}
    addresses = [f"https://{match[1].lower()}{match[2] or ''}" for match in map(_PATTERN.fullmatch, map(_pattern_of, routes)) if match]
    if not addresses:
        what = "has no address at which checks can ask the worker"
        where = environment.where("workers_dev" if keys.workers_dev is not None else "routes")
        findings.note(where, what, f"Set workers.<name>.url in the stack file: it is https://{environment.script}.invalid for now")
        addresses = [f"https://{environment.script.replace('_', '-')}.invalid"]
    return {"workers-dev": False, "url": addresses[0].rstrip("/")}


def _pattern_of(route: str | Mapping[str, JsonValue]) -> str:
    return route if isinstance(route, str) else str(route.get("pattern"))


def _observability(environment: Environment, table: Mapping[str, JsonValue], findings: Findings) -> dict[str, Any]:
    where = environment.where("observability")
    settings = _renamed(table, _OBSERVABILITY, where, findings, also={"logs", "traces"})
    for stream, names in (("logs", _LOGS), ("traces", _STREAM)):
        if isinstance(inner := table.get(stream), dict):
            settings[stream] = _renamed(inner, names, f"{where}.{stream}", findings)
    return settings


def _renamed(
    table: Mapping[str, JsonValue], names: Mapping[str, str], where: str, findings: Findings, also: set[str] | None = None
) -> dict[str, Any]:
    for key in table.keys() - names.keys() - (also or set()):
        findings.note(f"{where}.{key}", "cannot be declared here", "It stays as it is at Cloudflare")
    return {names[key]: value for key, value in table.items() if key in names and value is not None}
