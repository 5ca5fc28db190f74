"""The order of workers that bind each other as services: a worker comes after those that it calls. Pure.

Cloudflare refuses the upload of a version whose service does not exist yet ("references Worker … which was not found"), so workers that
call each other in a circle cannot be created in one run. Once they exist, the circle does no harm.
"""

from collections.abc import Collection, Mapping
from graphlib import CycleError, TopologicalSorter

from crane_infra.config.settings import Service, Settings
from crane_infra.errors import SettingsError


def called_first(settings: Settings, existing: Collection[str]) -> dict[str, tuple[str, ...]]:
    """The workers in an order in which they can be deployed, each with the workers that it calls and waits for.

    ``existing`` are the workers that the account has already. Raises SettingsError for a circle with a worker that does not exist yet.
    """
    calls = {name: {service.worker for service in worker.services.values()} for name, worker in settings.workers.items()}
    while True:
        try:
            order = list(TopologicalSorter({name: sorted(called) for name, called in calls.items()}).static_order())
        except CycleError as error:
            circle = list(reversed(error.args[1]))
            _require_existing(settings, circle, existing)
            calls[circle[0]] -= {circle[1]}
        else:
            return {name: tuple(sorted(calls[name])) for name in order}


def _require_existing(settings: Settings, circle: list[str], existing: Collection[str]) -> None:
    if missing := sorted(set(circle) - set(existing)):
        where, bindings = f"{settings.file} workers.{missing[0]}.services", _bindings(settings.workers[missing[0]].services, circle)
        what = f"{' calls '.join(circle)}, and {missing[0]} does not exist yet: Cloudflare refuses a service that does not exist"
        raise SettingsError(
            where, what, f"Remove {bindings}, run pulumi up -s {settings.environment}, then add it again and repeat the update"
        )


def _bindings(services: Mapping[str, Service], circle: list[str]) -> str:
    return " and ".join(sorted(binding for binding, called in services.items() if called.worker in circle))
