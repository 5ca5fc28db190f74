"""What a release changes in a worker that something else deployed, and what of it no file declares. Pure.

The provider shows little of it: an adoption is an "import" and a new version a replacement. So a variable, a binding or a limit that no file
declares would go away unseen.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NamedTuple

from crane_infra.config.assets import declared_config
from crane_infra.config.script_settings import shown
from crane_infra.live.account import LiveWorker
from crane_infra.live.script_settings import differences

Json = Mapping[str, Any]
_VALUES = (
    *(
        "text",
        "json",
        "database_id",
        "id",
        "service",
        "workflow_name",
        "class_name",
        "namespace_id",
        "bucket_name",
        "queue_name",
        "index_name",
    ),
    *("dataset", "secret_name", "certificate_id", "pipeline", "namespace", "destination_address"),
)
"""Where a binding says which resource it is; the first one that it has counts."""
_WHERE = {"script_name": "of the worker", "jurisdiction": "in"}
"""What makes the resource of this name another one: a class of another worker, a bucket in another jurisdiction."""
_QUIET = {"version_metadata"}
_DEFAULT = {"environment": "production"}
"""What Cloudflare makes of none."""
_ASSETS = "assets"
_TRIGGER = "workers/triggered_by"
_PLACES = ("mode", "region", "hostname", "host")
_UNSET = {"usage_model": "standard"}
# What describes a version and is no setting of it.
_DESCRIPTIVE = {
    *("annotations", "author_email", "author_id", "bindings", "compatibility_date", "compatibility_flags", "created_on", "id"),
    *(
        "exports_reconciliation",
        "main_module",
        "main_script_base64",
        "migration_tag",
        "migrations",
        "modules",
        "number",
        "package_dependencies",
    ),
    *("source", "startup_time_ms", "urls"),
}


class Binding(NamedTuple):
    """A binding: its type, its readable value (empty for a secret), and what else a service says, such as its entrypoint, each in words."""

    kind: str
    value: str
    more: Mapping[str, str] = MappingProxyType({})

    def __str__(self) -> str:
        """What it binds, in words."""
        return ", ".join([self.value or self.kind, *self.more.values()])


Bindings = Mapping[str, Binding]
"""By name."""


@dataclass(frozen=True)
class DeclaredWorker:
    """A worker as this stack declares it. ``crons`` None: it declares no schedules, and those that are there stay.

    ``version`` and ``script`` are settings with the names of Cloudflare's API.
    """

    bindings: Bindings
    compatibility_date: str
    compatibility_flags: tuple[str, ...]
    version: Json
    script: Json
    crons: tuple[str, ...] | None


class Loss(NamedTuple):
    """Something live that no file declares, and that the release drops. ``name`` is what a user declares or gives up."""

    name: str
    text: str


def losses(live: LiveWorker, declared: DeclaredWorker) -> list[Loss]:
    """Everything that no file declares and that the release drops."""
    found = [Loss(name, f"the {kind} binding {name}") for name, (kind, _, _) in _bindings(live).items() if name not in declared.bindings]
    for name, own in declared.bindings.items():
        there = _bindings(live).get(name)
        lost = [text for key, text in there.more.items() if key not in own.more] if there and there.kind == own.kind else []
        if lost:
            found.append(Loss(name, f"{', '.join(lost)} of the {own.kind} binding {name}"))
    return [*found, *_version_losses(live, declared)]


def changes(live: LiveWorker, declared: DeclaredWorker) -> list[str]:
    """What changes in a worker, each in a few words; what is lost comes first."""
    texts, bindings = version_changes(live, declared), _bindings(live)
    new = {name: kind for name, (kind, _, _) in declared.bindings.items() if name not in bindings and kind not in _QUIET}
    texts += [f"the {kind} binding {name} is new" for name, kind in new.items()]
    if secrets := sorted(name for name, (kind, _, _) in declared.bindings.items() if kind == "secret_text" and name in bindings):
        texts.append(f"the secrets {', '.join(secrets)} are set from this stack")
    for setting in differences(live.script.settings, declared.script):
        texts += _becoming(setting.label, shown(setting.before), shown(setting.after))
    crons = live.script.crons if declared.crons is None else declared.crons
    return texts + _becoming("the schedules", _listed(live.script.crons), _listed(crons))


def version_changes(live: LiveWorker, declared: DeclaredWorker) -> list[str]:
    """What another version takes away or changes besides code and secrets, each in a few words; what is lost comes first."""
    texts = [f"{loss.text} goes away" for loss in losses(live, declared)]
    if (live.version.get("annotations") or {}).get(_TRIGGER) == "secret":
        texts.append("the secret that was changed there is set from this stack again")
    for name, there in _bindings(live).items():
        if own := declared.bindings.get(name):
            texts += _binding_change(name, there, own)
    before, after = live.version, declared
    texts += _becoming("the compatibility date", str(before.get("compatibility_date") or ""), after.compatibility_date)
    texts += _becoming("the compatibility flags", _listed(before.get("compatibility_flags") or ()), _listed(after.compatibility_flags))
    for key, value in declared.version.items():
        if key == _ASSETS:
            texts += _asset_changes(before.get(key), value)
            continue
        texts += _becoming(key, _present(key, before.get(key), value), _shown(value))
    return texts


def readable(binding: Json, script: object = None) -> Binding:
    """A binding as Cloudflare's API has it, in the form in which two are compared. ``script`` is the worker that has it, where that is known."""
    kind = str(binding.get("type"))
    if kind == "secret_text":
        return Binding(kind, "")
    value = next((_text(binding[key]) for key in _VALUES if binding.get(key) is not None), "")
    value += "".join(f" {word} {binding[key]}" for key, word in _WHERE.items() if binding.get(key) not in (None, "", script))
    more = {key: f"the {key} {binding[key]}" for key in ("entrypoint", "environment") if binding.get(key) not in (None, _DEFAULT.get(key))}
    if binding.get("props"):
        more["props"] = "the properties"  # and not their values, which may be anything
    return Binding(kind, value, more)


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _bindings(live: LiveWorker) -> Bindings:
    script = live.script.settings.get("name")
    return {str(binding.get("name")): readable(binding, script) for binding in live.version.get("bindings") or ()}


def _version_losses(live: LiveWorker, declared: DeclaredWorker) -> Iterator[Loss]:
    for key, value in sorted(live.version.items()):
        if key == _ASSETS and value is not None and key not in declared.version:
            yield Loss(key, f"assets ({_shown(value)})" if _is_set(value) else "assets")
        if key in _DESCRIPTIVE or key == _ASSETS or not _is_set(value):
            continue
        if key not in declared.version:
            yield Loss(key, f"{key} ({_shown(value)})")
        elif key == "limits" and (more := {part: value[part] for part in value if part not in declared.version[key] and value[part]}):
            yield Loss(key, f"{key} ({_shown(more)})")


def _binding_change(name: str, live: Binding, declared: Binding) -> list[str]:
    if live.kind != declared.kind:
        return [f"the binding {name}: {live.kind} becomes {declared.kind}"]
    was, becomes = (", ".join([binding.value, *_common(binding, live, declared)]) for binding in (live, declared))
    return [] if was == becomes else [f"the {declared.kind} binding {name}: {was} becomes {becomes}"]


def _common(binding: Binding, live: Binding, declared: Binding) -> list[str]:
    """What a binding says besides its value, as far as nothing of it is lost: losses are named apart."""
    differing = [key for key, text in declared.more.items() if live.more.get(key) != text]
    return [binding.more.get(key, f"no {key}") for key in differing]


def _asset_changes(live: object, declared: Json) -> Iterator[str]:
    if live is None:
        yield "static assets are new"
    there = live.get("config") if isinstance(live, Mapping) else None
    before, after = declared_config(dict(there) if isinstance(there, Mapping) else {}), declared["config"]
    for key in sorted(before.keys() | after.keys()):
        yield from _becoming(f"{key} of the static assets", *(shown(config.get(key, "the default")) for config in (before, after)))


def _becoming(what: str, before: str, after: str) -> list[str]:
    return [] if before == after else [f"{what}: {before or 'none'} becomes {after}"]


def _present(key: str, live: Any, declared: Any) -> str:  # noqa: ANN401 (JSON)
    """A live setting of the version, as far as it can be compared: Cloudflare adds to a placement what came of it."""
    if isinstance(live, Mapping) and isinstance(declared, Mapping):
        place = {part: live[part] for part in _PLACES if live.get(part) not in (None, "targeted")} if key == "placement" else {}
        return _shown({part: live[part] for part in live if part in declared} | place)
    return _shown(live or _UNSET.get(key, "none"))


def _is_set(value: object) -> bool:
    if isinstance(value, Mapping):
        return value.get("mode") != "off" and any(map(_is_set, value.values()))
    return bool(value)


def _shown(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_shown(part)}" for key, part in sorted(value.items())) or "none"
    return shown(value)


def _listed(values: object) -> str:
    return ", ".join(sorted(map(str, values))) if isinstance(values, list | tuple) and values else "none"
