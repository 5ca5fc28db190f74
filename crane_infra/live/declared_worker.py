"""A worker as the files declare it, in the form in which it is compared with a live one. Pure."""

from collections.abc import Collection, Mapping
from typing import NamedTuple

from crane_infra.config.bound import bindings_of
from crane_infra.config.catalog import Catalog
from crane_infra.config.settings import Settings
from crane_infra.config.variables import variables_of
from crane_infra.live.adoption import Binding, Bindings, DeclaredWorker, readable


class Known(NamedTuple):
    """What the files alone do not say: which secrets have a value, by binding, and the ids of databases by their names in the catalog."""

    secrets: Collection[str]
    database_ids: Mapping[str, str]
    crons: tuple[str, ...] | None
    """None: the stack declares no schedules."""


def declared_worker(name: str, catalog: Catalog, settings: Settings, known: Known) -> DeclaredWorker:
    """Script and version of a worker. Raises SettingsError for a variable or binding that the stack has to set and does not."""
    worker = catalog.workers[name]
    return DeclaredWorker(
        _bindings(name, catalog, settings, known),
        worker.compatibility_date,
        worker.compatibility_flags,
        {"usage_model": "standard", **worker.version_settings, **({"assets": {"config": worker.assets.config}} if worker.assets else {})},
        settings.workers[name].declared,
        known.crons,
    )


def _bindings(name: str, catalog: Catalog, settings: Settings, known: Known) -> Bindings:
    declared = catalog.workers[name]
    return {
        declared.version_metadata: Binding("version_metadata", ""),
        **{key: Binding("plain_text", text) for key, text in variables_of(name, catalog, settings).items()},
        **dict.fromkeys(known.secrets, Binding("secret_text", "")),
        **{key: Binding("d1", known.database_ids.get(database, "a new database")) for key, database in declared.databases.items()},
        **{key: readable(fields) for key, fields in bindings_of(name, catalog, settings).items()},
        **{key: readable({"type": "service", **fields}) for key, fields in settings.services_of(name).items()},
    }
