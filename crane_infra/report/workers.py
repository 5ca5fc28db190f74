"""What changes in a worker: code, variables, secrets, bindings, schedules, compared with the last release. Pure.

The engine cannot show it: one secret binding hides the whole list of bindings.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from crane_infra.config.catalog import Catalog
from crane_infra.config.script_settings import ScriptSettings, label, shown, single_values
from crane_infra.config.settings import KEY_NAME, Settings
from crane_infra.config.variables import variables_of
from crane_infra.counted import counted
from crane_infra.release.assets import change_of
from crane_infra.release.outputs import StackOutputs
from crane_infra.report.model import Change, Standing, WorkerChanges

_MOST_MODULES = 6
_SHOWN = 12  # digits of a digest


@dataclass(frozen=True)
class DeclaredEnvironment:
    """An environment as the files declare it.

    ``fingerprints`` of its secrets are None where they are unknown; ``sizes`` are the known sizes of module contents, in bytes by sha256.
    """

    catalog: Catalog
    settings: Settings
    manifest: Mapping[str, Any]
    fingerprints: Mapping[str, str] | None
    sizes: Mapping[str, int]

    @property
    def workers(self) -> Mapping[str, Mapping[str, Any]]:
        """The workers of the manifest."""
        return dict(self.manifest["workers"])


def worker_changes(declared: DeclaredEnvironment, last: StackOutputs) -> tuple[WorkerChanges, ...]:
    """What changes in each worker whose bundle could be read.

    Raises SettingsError where the variables do not fit the catalog.
    """
    return tuple(_worker(name, declared, last) for name in declared.workers)


def _worker(name: str, declared: DeclaredEnvironment, last: StackOutputs) -> WorkerChanges:
    script = declared.settings.script(name)
    if name not in last.workers and declared.settings.workers[name].adopt:
        return WorkerChanges(name, script, "adopted", tuple(_code(name, declared, last)))
    standing: Standing = "kept" if name in last.workers else "new"
    parts = (_code, _assets, _classes, _compatibility, _version_settings, _variables, _secrets, _bindings, _settings, _checks)
    return WorkerChanges(name, script, standing, tuple(change for part in parts for change in part(name, declared, last)))


def _code(name: str, declared: DeclaredEnvironment, last: StackOutputs) -> Iterator[Change]:
    before, after = last.worker_manifest(name), declared.workers[name]
    if before.get("digest") == after["digest"]:
        return
    yield Change("worker digest", "", _digest(before.get("digest")), _digest(after["digest"]))
    was, now = _modules(before), _modules(after)
    if was == now:
        return
    yield Change("code", "", _total(was, declared.sizes), _total(now, declared.sizes))
    changed = sorted(module for module in was.keys() | now.keys() if was.get(module) != now.get(module))
    if was and len(changed) <= _MOST_MODULES:
        for module in changed:
            yield Change("module", module, _module(was.get(module), declared.sizes), _module(now.get(module), declared.sizes))


def _assets(name: str, declared: DeclaredEnvironment, last: StackOutputs) -> Iterator[Change]:
    before, after = (_map(worker.get("assets")) for worker in (last.worker_manifest(name), declared.workers[name]))
    if change := change_of(before, after):
        yield Change("static assets", "", counted(len(files), "file") if (files := _map(before.get("files"))) else None, change)
    yield from _maps("static assets", *(_single(_map(assets.get("config"))) for assets in (before, after)))


def _compatibility(name: str, declared: DeclaredEnvironment, last: StackOutputs) -> Iterator[Change]:
    before, after = _map(last.worker_manifest(name).get("compatibility")), _map(declared.workers[name]["compatibility"])
    yield from _differing("compatibility date", "", before.get("date"), after.get("date"))
    yield from _differing("compatibility flags", "", _listed(before.get("flags")), _listed(after.get("flags")))


def _version_settings(name: str, declared: DeclaredEnvironment, last: StackOutputs) -> Iterator[Change]:
    before, after = last.worker_manifest(name), declared.workers[name]
    for what in ("placement", "limits"):
        yield from _maps(what, *(_single(_map(worker.get(what))) for worker in (before, after)))


def _classes(name: str, declared: DeclaredEnvironment, last: StackOutputs) -> Iterator[Change]:
    """The steps of Durable Object classes that the last release did not have: no rollback goes back past them."""
    before = last.worker_manifest(name).get("class_migrations")
    known = {_map(step).get("tag") for step in before} if isinstance(before, list) else set()
    for step in declared.catalog.workers[name].class_migrations:
        if step.tag not in known:
            yield Change("Durable Object migration", step.tag, None, f"{step.summary}; at once, no way back")


def _variables(name: str, declared: DeclaredEnvironment, last: StackOutputs) -> Iterator[Change]:
    before = last.workers[name].variables if name in last.workers else {}
    yield from _maps("variable", before, variables_of(name, declared.catalog, declared.settings))


def _secrets(name: str, declared: DeclaredEnvironment, last: StackOutputs) -> Iterator[Change]:
    """Compared by fingerprint where the values were read; else only those that the worker newly binds, or no longer binds."""
    before, after = last.fingerprints, declared.fingerprints
    bound = {binding for binding, kind in _map(last.worker_manifest(name).get("bindings")).items() if kind == "secret_text"}
    known = after is not None and comparable(before, after)
    for secret in declared.catalog.workers[name].secrets:
        was = before.get(secret.key) if known else "unknown" if secret.binding in bound else None
        now = _map(after).get(secret.key) if known else "unknown"
        if was != now:
            yield Change("secret", secret.key, "set" if was else None, ("new value" if was else "set") if now else None)
    for binding in sorted(bound - {secret.binding for secret in declared.catalog.workers[name].secrets}):
        yield Change("secret", binding, "set", None)


def comparable(before: Mapping[str, str], after: Mapping[str, str]) -> bool:
    """Whether both were made with one key, so that equal fingerprints mean equal secrets."""
    return not before or before.get(KEY_NAME) == after.get(KEY_NAME)


def _bindings(name: str, declared: DeclaredEnvironment, last: StackOutputs) -> Iterator[Change]:
    """All but variables and secrets, which have rows of their own."""
    before, after = _map(last.worker_manifest(name).get("bindings")), _map(declared.workers[name]["bindings"])
    names = {key for key in before.keys() | after.keys() if {before.get(key), after.get(key)} - {None, "plain_text", "secret_text"}}
    yield from _maps("binding", *({key: one[key] for key in one.keys() & names} for one in (before, after)))


def _settings(name: str, declared: DeclaredEnvironment, last: StackOutputs) -> Iterator[Change]:
    before, after = last.workers.get(name), declared.settings.workers[name]
    was, now = before.services if before else {}, {binding: service.form for binding, service in after.services.items()}
    yield from _maps("service", *(_scripts(services, declared.settings) for services in (was, now)))
    yield from _maps("binding of", _texts(before.bindings if before else {}), _texts(after.bindings))
    yield from _maps("setting", _single(before.declared if before else ScriptSettings().declared), _single(after.declared))
    yield from _differing("schedules", "", _listed(before.crons if before else None), _listed(after.crons))
    yield from _differing("address", "", before.url if before else None, declared.settings.url(name))


def _scripts(services: Mapping[str, str | Mapping[str, str]], settings: Settings) -> dict[str, str]:
    """The script that each service binding calls, with the entrypoint if there is one."""
    called = {name: {"worker": value} if isinstance(value, str) else value for name, value in services.items()}
    return {
        name: settings.script(service.get("worker", "")) + (f" (entrypoint {service['entrypoint']})" if "entrypoint" in service else "")
        for name, service in called.items()
    }


def _checks(name: str, declared: DeclaredEnvironment, last: StackOutputs) -> Iterator[Change]:
    before, after = (_map(one.get("checks")).get(name) for one in (last.manifest, declared.manifest))
    yield from _differing("checks", "", _digest(before), _digest(after))


def _maps(what: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Change]:
    for key in sorted(before.keys() | after.keys()):
        yield from _differing(what, key, before.get(key), after.get(key))


def _texts(bindings: Mapping[str, str | Mapping[str, str]]) -> dict[str, str]:
    return {
        name: value if isinstance(value, str) else ", ".join(f"{key} {text}" for key, text in value.items())
        for name, value in bindings.items()
    }


def _single(settings: Mapping[str, Any]) -> dict[str, str]:
    return {label(path).removeprefix("the "): shown(value) for path, value in single_values(settings)}


def _differing(what: str, name: str, before: object, after: object) -> Iterator[Change]:
    if before != after:
        yield Change(what, name, None if before is None else str(before), None if after is None else str(after))


def _modules(worker: Mapping[str, Any]) -> dict[str, str]:
    return {str(name): str(_map(one).get("sha256")) for name, one in _map(worker.get("modules")).items()}


def _module(sha256: str | None, sizes: Mapping[str, int]) -> str | None:
    if sha256 is None:
        return None
    return ", ".join((*([f"{sizes[sha256]:,} bytes"] if sha256 in sizes else []), f"sha256 {sha256[:_SHOWN]}"))


def _total(modules: Mapping[str, str], sizes: Mapping[str, int]) -> str | None:
    if not modules:
        return None
    count = f"{len(modules)} module{'s' if len(modules) > 1 else ''}"
    known = all(sha256 in sizes for sha256 in modules.values())
    return f"{count}, {sum(sizes[sha256] for sha256 in modules.values()):,} bytes" if known else count


def _digest(value: object) -> str | None:
    return None if value is None else str(value)[:_SHOWN]


def _listed(values: object) -> str | None:
    return ", ".join(map(str, values)) or None if isinstance(values, list | tuple) else None


def _map(value: object) -> dict[str, Any]:
    return dict(value) if isinstance(value, Mapping) else {}
