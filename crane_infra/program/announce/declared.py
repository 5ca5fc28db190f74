"""A worker as this stack declares it, in the form in which it is compared with a live one."""

from crane_infra.live import declared_worker as live
from crane_infra.live.adoption import DeclaredWorker
from crane_infra.live.declared import DeclaredScript
from crane_infra.program.preparation import Prepared


def declared_worker(prepared: Prepared, name: str) -> DeclaredWorker:
    """Script and version of a worker."""
    ids = {database: prepared.database_id(database) for database in prepared.settings.databases}
    known = live.Known(
        prepared.secrets_of(name), {database: known_id for database, known_id in ids.items() if known_id}, prepared.crons_of(name)
    )
    return live.declared_worker(name, prepared.catalog, prepared.settings, known)


def declared_script(prepared: Prepared, name: str) -> DeclaredScript:
    """What all versions of a worker share."""
    settings = prepared.settings
    return DeclaredScript(settings.script(name), settings.workers[name].declared, prepared.crons_of(name))
