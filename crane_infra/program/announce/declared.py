"""A worker as this stack declares it, in the form in which it is compared with a live one."""

from crane_infra.config.bound import bindings_of
from crane_infra.config.variables import variables_of
from crane_infra.live.adoption import Binding, Bindings, DeclaredWorker, readable
from crane_infra.live.declared import DeclaredScript
from crane_infra.program.preparation import Prepared


def declared_worker(prepared: Prepared, name: str) -> DeclaredWorker:
    """Script and version of a worker."""
    settings, worker = prepared.settings, prepared.catalog.workers[name]
    return DeclaredWorker(
        _bindings(prepared, name),
        worker.compatibility_date,
        worker.compatibility_flags,
        {"usage_model": "standard", **worker.version_settings},
        settings.workers[name].declared,
        prepared.crons_of(name),
    )


def declared_script(prepared: Prepared, name: str) -> DeclaredScript:
    """What all versions of a worker share."""
    settings = prepared.settings
    return DeclaredScript(settings.script(name), settings.workers[name].declared, prepared.crons_of(name))


def _bindings(prepared: Prepared, name: str) -> Bindings:
    settings, declared = prepared.settings, prepared.catalog.workers[name]
    return {
        declared.version_metadata: Binding("version_metadata", ""),
        **{key: Binding("plain_text", text) for key, text in variables_of(name, prepared.catalog, settings).items()},
        **dict.fromkeys(prepared.secrets_of(name), Binding("secret_text", "")),
        **{key: Binding("d1", _database_id(prepared, database)) for key, database in declared.databases.items()},
        **{key: readable(fields) for key, fields in bindings_of(name, prepared.catalog, settings).items()},
        **{key: Binding("service", settings.script(worker)) for key, worker in settings.workers[name].services.items()},
    }


def _database_id(prepared: Prepared, name: str) -> str:
    return prepared.database_id(name) or "a new database"
