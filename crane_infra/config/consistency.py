"""Checks that the settings match the catalog, the other environment and what this stack declared last.

Two environments may not share a database, and a rename or a removal may not replace or delete one. Reads the other stack's file and is
otherwise pure.
"""

from collections.abc import Collection, Mapping
from typing import Any

from crane_infra.config.bound import bindings_of, resources_of
from crane_infra.config.catalog import Catalog
from crane_infra.config.environments import ENVIRONMENTS
from crane_infra.config.settings import Settings
from crane_infra.config.stackfile import stack_config
from crane_infra.config.variables import variables_of
from crane_infra.errors import SettingsError


def require_consistent(catalog: Catalog, settings: Settings, others: Mapping[str, Mapping[str, Any]]) -> None:
    """Compare the settings with the catalog, and with the databases and bindings of other environments (see ``neighbours``).

    Raises SettingsError with the path of the first fault.
    """
    require_same_names(catalog, settings)
    for name in settings.workers:
        variables_of(name, catalog, settings)
        bindings_of(name, catalog, settings)
        _require_known_services(name, catalog, settings)
    _require_own_databases(settings, {place: _map(other.get("databases")) for place, other in others.items()})
    _require_own_resources(catalog, settings, others)


def require_same_names(catalog: Catalog, settings: Settings) -> None:
    """Raise SettingsError for the first database or worker that only the catalog or only the stack file has."""
    _require_same_names("databases", settings, catalog.databases, settings.databases)
    _require_same_names("workers", settings, catalog.workers, settings.workers)


def _require_same_names(kind: str, settings: Settings, declared: Collection[str], configured: Collection[str]) -> None:
    if unknown := sorted(set(configured) - set(declared)):
        raise SettingsError(
            f"{settings.file} {kind}.{unknown[0]}", "is not in the catalog", f"Remove it. Known names: {', '.join(sorted(declared))}"
        )
    if missing := sorted(set(declared) - set(configured)):
        raise SettingsError(f"{settings.file} {kind}.{missing[0]}", "is missing", "The catalog has it, so every stack must set it")


def _require_known_services(worker: str, catalog: Catalog, settings: Settings) -> None:
    for binding, service in settings.workers[worker].services.items():
        where = f"{settings.file} workers.{worker}.services.{binding}"
        if binding in catalog.workers[worker].binding_names:
            raise SettingsError(where, "the catalog already has a binding with this name", "Choose another name")
        if service.worker not in catalog.workers:
            raise SettingsError(where, f"there is no worker {service.worker}", f"Known names: {', '.join(sorted(catalog.workers))}")


def _require_own_databases(settings: Settings, others: Mapping[str, Mapping[str, Any]]) -> None:
    taken: dict[str, str] = {}
    for place, databases in others.items():
        for name, database in databases.items():
            values = map(_map(database).get, ("name", "adopt", "id"))
            taken |= {str(value): f"{place} ({name})" for value in values if value}
    for name, configured in settings.databases.items():
        for key, value in (("name", configured.name), ("adopt", configured.adopt)):
            if value in taken:
                where = f"{settings.file} databases.{name}.{key}"
                raise SettingsError(where, f"{value} is a database of {taken[value]}", "Give each environment its own database")
            taken |= {str(value): f"this environment ({name})"} if value else {}


def _require_own_resources(catalog: Catalog, settings: Settings, others: Mapping[str, Mapping[str, Any]]) -> None:
    """No queue, bucket or namespace of another environment: what a test writes there would be production's."""
    taken = {
        resource: f"{place} ({worker}.{binding})"
        for place, other in others.items()
        for worker, given in _map(other.get("workers")).items()
        for resource, binding in resources_of(catalog, worker, _map(_map(given).get("bindings"))).items()
    }
    for worker, configured in settings.workers.items():
        for (kind, *names), binding in resources_of(catalog, worker, configured.bindings).items():
            if (place := taken.get((kind, *names))) is not None:
                where = f"{settings.file} workers.{worker}.bindings.{binding}"
                what = f"{', '.join(names)} is the {kind} of {place}"
                raise SettingsError(where, what, "Give each environment its own, or mark the binding as shared in crane_infra/catalog.py")


def neighbours(settings: Settings, outputs: Mapping[str, Mapping[str, Any] | None]) -> dict[str, dict[str, Any]]:
    """The databases and workers of the other environments by place: those in their stack files, and those in their last outputs.

    Raises SettingsError if another stack file cannot be read.
    """
    by_place: dict[str, dict[str, Any]] = {}
    for other in ENVIRONMENTS:
        if other == settings.environment:
            continue
        config = stack_config(settings.root, other)
        by_place[f"Pulumi.{other}.yaml"] = {kind: _entries(other, settings.project, kind, config) for kind in ("databases", "workers")}
        by_place[f"stack {other}"] = _map(_map(outputs.get(other)).get("environment"))
    return by_place


def _entries(stack: str, project: str, kind: str, config: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    try:
        return {name: dict(entry) for name, entry in (config.get(f"{project}:{kind}") or {}).items()}
    except (AttributeError, TypeError, ValueError):
        raise SettingsError(f"Pulumi.{stack}.yaml {project}:{kind}", "cannot be read", "Correct its YAML") from None


def _map(value: object) -> dict[str, Any]:
    return dict(value) if isinstance(value, Mapping) else {}


def require_nothing_lost(last: Mapping[str, Any], settings: Settings) -> None:
    """Compare the settings with what this stack declared last (``StackOutputs.declared``).

    Raises SettingsError if a database or worker was renamed, removed or set to another id, or if its ``adopt`` was added or removed: the
    engine replaces a resource whose ``adopt`` is added.
    """
    for name, was in (last.get("databases") or {}).items():
        now = settings.databases.get(name)
        where = f"{settings.file} databases.{name}"
        if now is None or now.name != was["name"]:
            change = "was removed" if now is None else f"was renamed from {was['name']} to {now.name}"
            what = f"{change}: this would replace or delete the database and lose its data"
            retire = f", or let go of the database, which stays at Cloudflare: crane retire -s {settings.environment} {name}"
            raise SettingsError(where, what, f"Restore {was['name']}{'' if now else retire}")
        if now.recreate == was["id"]:
            continue  # it is gone, and whatever takes its place replaces nothing
        if now.adopt and was.get("adopted") and now.adopt != was["id"]:
            raise SettingsError(f"{where}.adopt", f"names {now.adopt}, but this stack has {was['id']}", f"Restore {was['id']}")
        _require_same_adoption(where, was, adopts=now.adopted is not None, back=f"adopt: {was['id']}")
    for name, was in (last.get("workers") or {}).items():
        if name not in settings.workers:
            todo = f"Restore it, or let go of the worker, which stays at Cloudflare: crane retire -s {settings.environment} {name}"
            raise SettingsError(f"{settings.file} workers.{name}", f"was removed, but {was['script']} is deployed", todo)
        if not settings.workers[name].recreate:
            _require_same_adoption(f"{settings.file} workers.{name}", was, adopts=settings.workers[name].adopted, back="adopt: true")


def _require_same_adoption(where: str, was: Mapping[str, Any], *, adopts: bool, back: str) -> None:
    if adopts and not was.get("adopted"):
        raise SettingsError(
            f"{where}.adopt", "was added, but this stack created the resource: adopting it now would replace it", "Remove adopt"
        )
    if was.get("adopted") and not adopts:
        raise SettingsError(
            f"{where}.adopt",
            "was removed, but this stack adopted the resource: adding adopt again later would replace it",
            f"Restore {back}",
        )
