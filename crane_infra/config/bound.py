"""What a worker binds in one environment: the bindings of the catalog, with the resources that the stack file names."""

from collections.abc import Mapping
from typing import Any

from crane_infra.config.bindings import Binding
from crane_infra.config.catalog import Catalog, CatalogWorker
from crane_infra.config.settings import Settings
from crane_infra.errors import SettingsError

Fields = dict[str, Any]


def bindings_of(name: str, catalog: Catalog, settings: Settings) -> dict[str, Fields]:
    """The bindings of a worker by name, each with its type and fields as Cloudflare's API names them.

    Raises SettingsError for a binding that the catalog does not have, or of which the stack sets something else than it must.
    """
    declared, given = catalog.workers[name].bindings, settings.workers[name].bindings
    where = f"{settings.file} workers.{name}.bindings"
    if unknown := sorted(set(given) - set(declared)):
        raise SettingsError(
            f"{where}.{unknown[0]}", "the catalog has no such binding", "Remove it, or declare it in crane_infra/catalog.py"
        )
    return {
        binding: {"type": one.kind, **one.fields, **_script(one, settings), **_own(one, given.get(binding), f"{where}.{binding}")}
        for binding, one in declared.items()
    } | _assets(catalog.workers[name])


def resources_of(catalog: Catalog, worker: str, given: Mapping[str, object]) -> dict[tuple[str, ...], str]:
    """The resources that belong to one environment alone, by kind and names: for each the binding. ``given`` is what its stack file sets."""
    declared = catalog.workers[worker].bindings if worker in catalog.workers else {}
    own = {binding: _values(declared[binding], value) for binding, value in given.items() if binding in declared}
    return {
        (declared[binding].kind, *(values[field] for field in declared[binding].own)): binding
        for binding, values in own.items()
        if values and not declared[binding].shared and set(values) == set(declared[binding].own)
    }


def _assets(worker: CatalogWorker) -> dict[str, Fields]:
    return {worker.assets.binding: {"type": "assets"}} if worker.assets and worker.assets.binding else {}


def _own(binding: Binding, value: str | dict[str, str] | None, where: str) -> Fields:
    if not binding.own:
        if value is None:
            return {}
        raise SettingsError(where, f"a binding of type {binding.kind} has nothing to set", "Remove it")
    if value is None:
        raise SettingsError(where, "is missing", f"Each environment must set its {' and '.join(binding.own)}")
    values = _values(binding, value)
    if set(values) != set(binding.own) or not all(values.values()):
        raise SettingsError(where, f"does not say {' and '.join(binding.own)}", f"Write {_example(binding)}")
    return values


def _values(binding: Binding, value: object) -> dict[str, str]:
    if isinstance(value, Mapping):
        return {str(field): str(text) for field, text in value.items()}
    return {binding.own[0]: str(value)} if binding.own else {}


def _example(binding: Binding) -> str:
    if len(binding.own) == 1:
        return "it as one text"
    return "{" + ", ".join(f"{field}: …" for field in binding.own) + "}"


def _script(binding: Binding, settings: Settings) -> Fields:
    worker = binding.worker()
    return {"script_name": settings.script(worker)} if worker else {}
