"""The plain variables of a worker in one environment."""

from crane_infra.config.catalog import Catalog
from crane_infra.config.settings import Settings
from crane_infra.errors import SettingsError


def variables_of(name: str, catalog: Catalog, settings: Settings) -> dict[str, str]:
    """The plain variables of a worker in this environment: those of the catalog, overridden and completed by the settings.

    Raises SettingsError for a variable that the catalog does not have, and for one that the stack must set and does not.
    """
    worker, variables = catalog.workers[name], settings.workers[name].variables
    where = f"{settings.file} workers.{name}.variables"
    if unknown := sorted(set(variables) - set(worker.variables) - set(worker.environment_variables)):
        raise SettingsError(
            f"{where}.{unknown[0]}", "the catalog has no such variable", "Remove it, or declare it in crane_infra/catalog.py"
        )
    if missing := sorted(set(worker.environment_variables) - set(variables)):
        raise SettingsError(f"{where}.{missing[0]}", "is missing", "Each environment must set its own value")
    return {**worker.variables, **variables}
