"""Do the settings fit the catalog, the other environment and what this stack declared last? Pure but for one file read.

Prevents two environments from sharing a database, and a rename or a removal from becoming a replacement or a deletion.
"""

from collections.abc import Mapping
from typing import Any

from crane_infra.config.catalog import Catalog
from crane_infra.config.settings import ENVIRONMENTS, Settings
from crane_infra.config.stackfile import stack_config
from crane_infra.config.variables import variables_of
from crane_infra.errors import SettingsError


def require_consistent(catalog: Catalog, settings: Settings, others: Mapping[str, Mapping[str, Any]]) -> None:
    """Settings against catalog and against the databases that other environments name (see ``neighbours``).

    Raises SettingsError with the path of the first fault.
    """
    for kind, wanted, given in (("databases", catalog.databases, settings.databases), ("workers", catalog.workers, settings.workers)):
        if unknown := sorted(set(given) - set(wanted)):
            raise SettingsError(
                f"{settings.file} {kind}.{unknown[0]}", "it is not in the catalog", f"Known are {', '.join(sorted(wanted))}"
            )
        if missing := sorted(set(wanted) - set(given)):
            raise SettingsError(f"{settings.file} {kind}.{missing[0]}", "is missing", "The catalog has it, so each stack has to set it")
    for name, worker in settings.workers.items():
        variables_of(name, catalog, settings)
        for binding, service in worker.services.items():
            if binding in catalog.workers[name].binding_names:
                where = f"{settings.file} workers.{name}.services.{binding}"
                raise SettingsError(where, "the catalog has a binding of this name", "Choose another")
            if service not in catalog.workers:
                raise SettingsError(
                    f"{settings.file} workers.{name}.services.{binding}", f"there is no worker {service}", "Name one of the catalog"
                )
    _require_own_databases(settings, others)


def _require_own_databases(settings: Settings, others: Mapping[str, Mapping[str, Any]]) -> None:
    taken: dict[str, str] = {}
    for place, databases in others.items():
        for name, database in databases.items():
            taken |= {
                str(value): f"{place} ({name})" for value in (database.get("name"), database.get("adopt"), database.get("id")) if value
            }
    for name, own in settings.databases.items():
        for key, value in (("name", own.name), ("adopt", own.adopt)):
            if value in taken:
                raise SettingsError(
                    f"{settings.file} databases.{name}.{key}", f"{value} is a database of {taken[value]}", "Give each environment its own"
                )
            taken |= {str(value): f"this environment ({name})"} if value else {}


def neighbours(settings: Settings, outputs: Mapping[str, Mapping[str, Any] | None]) -> dict[str, dict[str, Any]]:
    """The databases of the other environments, as their stack files and their last outputs name them.

    Raises SettingsError where the stack file beside ours cannot be read.
    """
    found: dict[str, dict[str, Any]] = {}
    for other in ENVIRONMENTS:
        if other == settings.environment:
            continue
        config = stack_config(settings.root, other)
        try:
            databases = config.get(f"{settings.project}:databases") or {}
            found[f"Pulumi.{other}.yaml"] = {name: dict(database) for name, database in databases.items()}
        except (AttributeError, TypeError, ValueError):
            raise SettingsError(f"Pulumi.{other}.yaml {settings.project}:databases", "cannot be read", "Correct its YAML") from None
        found[f"stack {other}"] = dict(((outputs.get(other) or {}).get("environment") or {}).get("databases") or {})
    return found


def require_nothing_lost(last: Mapping[str, Any], settings: Settings) -> None:
    """Compare with what this stack declared last.

    Raises SettingsError where a database or worker of then was renamed or removed, stands for another one now, or where its
    ``adopt`` was added or taken away: the engine replaces what is adopted anew.
    """
    for name, was in (last.get("databases") or {}).items():
        now = settings.databases.get(name)
        where = f"{settings.file} databases.{name}"
        if now is None or now.name != was["name"]:
            gone = "was removed" if now is None else f"was renamed from {was['name']} to {now.name}"
            raise SettingsError(where, f"{gone}: that would replace or delete the database and lose its data", f"Put {was['name']} back")
        if now.adopt and was.get("adopted") and now.adopt != was["id"]:
            raise SettingsError(f"{where}.adopt", f"names {now.adopt}, but this stack has {was['id']}", f"Put {was['id']} back")
        _require_same_adoption(where, was, adopts=now.adopt is not None, back=f"adopt: {was['id']}")
    for name, was in (last.get("workers") or {}).items():
        if name not in settings.workers:
            raise SettingsError(
                f"{settings.file} workers.{name}", f"was removed, but {was['script']} is deployed", "Put it back; see docs/runbook.md"
            )
        _require_same_adoption(f"{settings.file} workers.{name}", was, adopts=settings.workers[name].adopt, back="adopt: true")


def _require_same_adoption(where: str, was: Mapping[str, Any], *, adopts: bool, back: str) -> None:
    if adopts and not was.get("adopted"):
        raise SettingsError(f"{where}.adopt", "this stack made it and did not adopt it: adopting it now would replace it", "Remove adopt")
    if was.get("adopted") and not adopts:
        raise SettingsError(
            f"{where}.adopt", "was taken away; what was adopted keeps it, or a later one would replace it", f"Put back {back}"
        )
