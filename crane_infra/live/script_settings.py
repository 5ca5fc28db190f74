"""The settings of a script, which all its versions share: what is live, what is declared, and what the provider would send. Pure.

The provider changes a script with one PUT, and Cloudflare sets back what a PUT leaves out. So a run declares every setting that the
provider knows: the files' value, else the live one, else Cloudflare's default. Settings that the provider does not know are found here
too, so that they can be set again. All values have the names of Cloudflare's API.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from crane_infra.config.script_settings import label

Json = Mapping[str, Any]
_STREAM: Json = {"enabled": False, "head_sampling_rate": 1, "persist": True, "destinations": []}
DEFAULTS: Json = {
    "logpush": False,
    "observability": {"enabled": False, "head_sampling_rate": 1, "logs": {**_STREAM, "invocation_logs": True}, "traces": _STREAM},
    "subdomain": {"enabled": False, "previews_enabled": False},
    "tags": [],
    "tail_consumers": [],
}
"""Every setting that the provider sends, with Cloudflare's default."""
_COMPUTED = {"id", "name", "created_on", "updated_on", "deployed_on", "references", "subdomain"}
_UNORDERED = ("tags", "tail_consumers", "destinations")


class Difference(NamedTuple):
    """A setting with two values, for example the live one and the declared one."""

    path: str
    before: Any
    after: Any

    @property
    def label(self) -> str:
        """What a person calls the setting."""
        return label(self.path)


def require_readable(live: Json) -> None:
    """Raise ValueError where a setting that the provider sends has a value of another type, for example a text in place of a switch."""
    _require_readable(DEFAULTS, live)


def completed(live: Json, declared: Json) -> dict[str, Any]:
    """Every setting that the provider sends: the declared value, else the live one, else Cloudflare's default."""
    return _completed(DEFAULTS, _in_one_form(live), declared)  # type: ignore[no-any-return]


def differences(before: Json, after: Json) -> list[Difference]:
    """The settings of ``after`` that ``before`` has otherwise. What ``before`` lacks has its default; the order of lists does not matter."""
    return list(_differences(DEFAULTS, completed(before, {}), _in_one_form(after), ""))


def unsent(live: Json) -> dict[str, Any]:
    """The live settings that the provider does not know and therefore does not send."""
    return _unsent(DEFAULTS, {key: value for key, value in _in_one_form(live).items() if key not in _COMPUTED})


def restoring(before: Json, now: Json) -> dict[str, Any]:
    """The body of a PATCH that sets again what a PUT has set back: settings of ``before`` that the provider does not send.

    Each top-level setting is there with all its parts, so that it does not matter how deep Cloudflare merges.
    """
    lost = _lost(unsent(before), now)
    return {key: _merged(now.get(key), value) for key, value in lost.items()}


def _require_readable(known: Any, live: Any, path: str = "the worker") -> None:  # noqa: ANN401 (JSON)
    if live is None:
        return
    is_of_kind: bool = isinstance(live, _kinds(known)) and isinstance(live, bool) is isinstance(known, bool)
    if not is_of_kind:
        raise ValueError(path)
    for key, value in known.items() if isinstance(known, Mapping) else ():
        _require_readable(value, _map(live).get(key), key)
    if path == "tail_consumers" and not all(isinstance(_map(consumer).get("name"), str) for consumer in list(live)):
        raise ValueError(path)


def _kinds(known: object) -> tuple[type, ...]:
    return (Mapping,) if isinstance(known, Mapping) else (int, float) if isinstance(known, int) else (type(known),)


def _in_one_form(settings: Json) -> dict[str, Any]:
    """The settings with of each tail consumer only its name, as the provider has it."""
    consumers = settings.get("tail_consumers")
    if not isinstance(consumers, list):
        return dict(settings)
    return {**settings, "tail_consumers": [{"name": consumer["name"]} for consumer in consumers]}


def _completed(default: Any, live: Any, declared: Any) -> Any:  # noqa: ANN401 (JSON)
    if isinstance(default, Mapping):
        return {key: _completed(value, _map(live).get(key), _map(declared).get(key)) for key, value in default.items()}
    return next(value for value in (declared, live, default) if value is not None)


def _differences(known: Json, before: Json, after: Json, prefix: str) -> Iterator[Difference]:
    for key in (key for key in known if key in after):
        if isinstance(known[key], Mapping):
            yield from _differences(known[key], before[key], _map(after[key]), f"{prefix}{key}.")
        elif _comparable(key, before[key]) != _comparable(key, after[key]):
            yield Difference(f"{prefix}{key}", before[key], after[key])


def _comparable(key: str, value: Any) -> Any:  # noqa: ANN401 (JSON)
    return sorted(map(str, value)) if key in _UNORDERED else value


def _unsent(known: Json, live: Json) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in live.items():
        if key not in known and value is not None:
            found[key] = value
        elif isinstance(known.get(key), Mapping) and isinstance(value, Mapping) and (inner := _unsent(known[key], value)):
            found[key] = inner
    return found


def _lost(before: Json, now: Json) -> dict[str, Any]:
    lost: dict[str, Any] = {}
    for key, value in before.items():
        if isinstance(value, Mapping):
            if inner := _lost(value, _map(now.get(key))):
                lost[key] = inner
        elif now.get(key) != value and (value or now.get(key) is not None):
            lost[key] = value
    return lost


def _merged(now: Any, lost: Any) -> Any:  # noqa: ANN401 (JSON)
    if not isinstance(lost, Mapping):
        return lost
    return {**_map(now), **{key: _merged(_map(now).get(key), value) for key, value in lost.items()}}


def _map(value: object) -> Json:
    return value if isinstance(value, Mapping) else {}
