"""What the entry of a worker in a stack file lacks so that its adoption changes nothing, and what stays as it is undeclared. Pure.

A setting that the file has is never touched: where it differs from what is live, a preview says so.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from crane_infra.config.bindings import Binding as Kind
from crane_infra.config.catalog import Catalog
from crane_infra.config.script_settings import shown, single_values
from crane_infra.config.settings import Service, Settings
from crane_infra.live.account import LiveWorker
from crane_infra.live.adoption import DeclaredWorker, readable
from crane_infra.live.script_settings import differences

Json = Mapping[str, Any]
_ADDRESSES = {"workers-dev": ("enabled", "workers_dev"), "preview-urls": ("previews_enabled", "preview_urls")}
"""By key of the stack file, the name of the setting in the API and in ``WorkerSettings``."""


def kept(live: LiveWorker, name: str, catalog: Catalog, settings: Settings) -> dict[str, Any]:
    """The keys of the worker's entry that keep what is live, as far as the catalog has a place for it."""
    entry = {
        "variables": _variables(live, name, catalog, settings),
        "services": _services(live, name, catalog, settings),
        "bindings": _bindings(live, name, catalog, settings),
    }
    return {**{key: value for key, value in entry.items() if value}, **_addresses(live, name, settings)}


def staying(live: LiveWorker, declared: DeclaredWorker) -> list[str]:
    """What belongs to the worker, is declared nowhere and stays, each in a few words."""
    texts = [] if declared.crons is not None or not live.script.crons else [f"the schedules {', '.join(sorted(live.script.crons))}"]
    domains = domains_of(live)
    texts += [f"the domains {', '.join(domains)}"] if domains else []
    queues = _references(live, "queues", "queue_name")
    texts += [f"the consumer of the queues {', '.join(queues)}"] if queues else []
    known = {path for path, _ in single_values(declared.script)}
    own = {key: value for key, value in live.script.settings.items() if key != "subdomain"}
    texts += [f"{each.label} ({shown(each.after)})" for each in differences({}, own) if each.path not in known]
    return texts


def domains_of(live: LiveWorker) -> list[str]:
    """The custom domains of a worker."""
    return _references(live, "domains", "hostname")


def is_opened(live: LiveWorker, name: str, settings: Settings) -> bool:
    """Whether the adoption would put a worker on workers.dev that is not there, since no file says otherwise."""
    given = settings.workers[name]
    return "workers_dev" not in given.model_fields_set and given.workers_dev and not _subdomain(live).get("enabled", True)


def bound_databases(live: LiveWorker, databases: Mapping[str, str]) -> dict[str, str]:
    """The ids of the databases that a worker binds, by their names in the catalog; ``databases`` are those names by binding."""
    ids = {name: binding.value for name, binding in _live(live).items() if binding.kind == "d1"}
    return {database: ids[binding] for binding, database in databases.items() if ids.get(binding)}


def _variables(live: LiveWorker, name: str, catalog: Catalog, settings: Settings) -> dict[str, str]:
    worker, given = catalog.workers[name], settings.workers[name].variables
    texts = {binding: each.value for binding, each in _live(live).items() if each.kind == "plain_text"}
    wanted = [*worker.variables, *worker.environment_variables]
    return {key: texts[key] for key in wanted if key in texts and key not in given and texts[key] != worker.variables.get(key)}


def _services(live: LiveWorker, name: str, catalog: Catalog, settings: Settings) -> dict[str, str | dict[str, str]]:
    scripts = {settings.script(worker): worker for worker in catalog.workers}
    taken = {*catalog.workers[name].binding_names, *settings.workers[name].services}
    entrypoints = {str(binding.get("name")): binding.get("entrypoint") for binding in live.version.get("bindings") or ()}
    return {
        binding: Service(worker=scripts[each.value], entrypoint=entrypoints[binding]).form
        for binding, each in _live(live).items()
        if each.kind == "service" and each.more.keys() <= {"entrypoint"} and each.value in scripts and binding not in taken
    }


def _bindings(live: LiveWorker, name: str, catalog: Catalog, settings: Settings) -> dict[str, str | dict[str, str]]:
    given = settings.workers[name].bindings
    found = {str(binding.get("name")): binding for binding in live.version.get("bindings") or ()}
    wanted = {key: kind for key, kind in catalog.workers[name].bindings.items() if kind.own and key not in given and key in found}
    values = {key: _own(kind, found[key]) for key, kind in wanted.items()}
    return {key: value for key, value in values.items() if value}


def _own(kind: Kind, binding: Json) -> str | dict[str, str]:
    """What the environment sets of a binding, as the stack file has it; empty where the live one is of another kind."""
    fields = {field: str(binding[field]) for field in kind.own if binding.get(field)}
    if binding.get("type") != kind.kind or len(fields) < len(kind.own):
        return ""
    return fields if len(fields) > 1 else next(iter(fields.values()))


def _addresses(live: LiveWorker, name: str, settings: Settings) -> dict[str, Any]:
    given, switches, entry = settings.workers[name], _subdomain(live), dict[str, Any]()
    for key, (switch, field) in _ADDRESSES.items():
        if field not in given.model_fields_set and switch in switches and bool(switches[switch]) != getattr(given, field):
            entry[key] = bool(switches[switch])
    if "workers-dev" in entry and given.url is None:
        if not (domains := domains_of(live)):
            del entry["workers-dev"]  # a worker that is not there needs an address, and nobody can tell which
        else:
            entry["url"] = f"https://{domains[0]}"
    return entry


def _subdomain(live: LiveWorker) -> Json:
    subdomain = live.script.settings.get("subdomain")
    return subdomain if isinstance(subdomain, Mapping) else {}


def _references(live: LiveWorker, kind: str, field: str) -> list[str]:
    return sorted(_texts_in((live.script.settings.get("references") or {}).get(kind), field))


def _texts_in(listed: object, field: str) -> Iterator[str]:
    for entry in listed if isinstance(listed, list) else []:
        if isinstance(entry, Mapping) and isinstance(text := entry.get(field), str):
            yield text


def _live(live: LiveWorker) -> dict[str, Any]:
    script = live.script.settings.get("name")
    return {str(binding.get("name")): readable(binding, script) for binding in live.version.get("bindings") or ()}
