"""Translates what is stored into Miniflare's options for what should run. Pure but for reading handlers.mjs.

A version runs under its id while its script's newest deployment names it, while the edge still serves an older deployment that does, or
while its own address is in use. The same records always give the same options, so a restart runs the same workers. What binds only
values and databases is loaded into a workerd that runs already; everything else needs a start of workerd.
"""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

from local_cloud.workerd.install import RUNTIME
from local_cloud.workers.kinds import running
from local_cloud.workers.propagation import Propagation
from local_cloud.workers.version_assets import is_rule, served

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from local_cloud.store import Body, Store

OLDEST_DATE = "2021-11-02"
MODULE_TYPES = {
    "application/javascript+module": "ESModule",
    "application/javascript": "CommonJS",
    "application/wasm": "CompiledWasm",
    "text/plain": "Text",
    "application/octet-stream": "Data",
}
_ALWAYS = {"name", "modulesRoot", "modules", "compatibilityDate", "compatibilityFlags", "bindings", "d1Databases"}
_COMMON_FLAGS = {"nodejs_compat", "nodejs_als"}
_ABSENT: dict[str, Any] = {
    "name": "absent",
    "isLoaded": False,
    "compatibilityDate": OLDEST_DATE,
    "modulesRoot": "/",
    "modules": [
        {
            "type": "ESModule",
            "path": "/absent.js",
            "contents": "export default { fetch: () => new Response('This worker has no deployment, or no such entrypoint', { status: 503 }) };",
        }
    ],
    "d1Databases": {},
}

_NOBODY = {"name": "absent"}


def what_runs(store: Store, propagation: Propagation | None = None, previews: Iterable[str] = ()) -> dict[str, Any]:
    """Give what should run: every version that a deployment on the edge or a preview needs.

    ``isLoaded`` says of a version that it needs no start of workerd.
    """
    on_edge = propagation or Propagation()
    version_ids: dict[str, None] = {}
    for worker in store.all("worker"):
        newest = store.last_child("deployment", worker["id"])
        for deployment in (*([newest] if newest else []), *on_edge.formers(worker["id"])):
            version_ids.update(dict.fromkeys(share["version_id"] for share in deployment["versions"]))
    version_ids.update(dict.fromkeys(previews))
    versions = list(filter(None, (store.get("version", ident) for ident in version_ids)))
    databases = [database["uuid"] for database in store.all("database")]
    workers = [
        _without_deleted_databases(options(version, lambda name: active_version(store, on_edge, name)), databases) for version in versions
    ]
    classes = {version["id"]: version["classes"] for version in versions if "classes" in version}
    workers = [_without_missing_entrypoints(worker, classes) for worker in workers]
    bound = {name for worker in workers for name in _bound_workers(worker)}
    runs = [{**worker, "isLoaded": worker["name"] not in bound and _is_loaded(worker)} for worker in workers]
    return {"workers": [_ABSENT, *runs] if _ABSENT["name"] in bound else runs}


def _bound_workers(worker: dict[str, Any]) -> Iterator[str]:
    """Give the names of the workers that a worker binds."""
    yield from (service["name"] for service in worker["serviceBindings"].values())
    yield from (place["scriptName"] for place in worker.get("durableObjects", {}).values() if "scriptName" in place)


def trial(version: Body) -> dict[str, Any]:
    """Give the workers that must start before a version is accepted: one that inspects its main module, and itself, with its services absent.

    ``loadable`` says whether a process that runs already can load them, or a runtime has to be started for them.
    """
    itself = {key: value for key, value in options(version, lambda _: None).items() if key != "assets"}
    code = (RUNTIME / "handlers.mjs").read_text().replace('"MAIN"', json.dumps(f"./{version['main_module']}"))
    inspector = {"type": "ESModule", "path": "/crane-handlers.mjs", "contents": code}
    asking = {key: value for key, value in itself.items() if key != "durableObjects"}  # whose classes it does not export
    workers = [{**asking, "name": "handlers", "modules": [inspector, *itself["modules"]]}, itself, _ABSENT]
    return {"workers": workers, "loadable": _is_loadable(itself)}


def _is_loadable(worker: dict[str, Any]) -> bool:
    """Whether nothing but the code of a worker decides if it starts: no other binding, flag or kind of module, which only Miniflare judges."""
    paths = [module["path"] for module in worker["modules"]]
    bound = {name for name, value in worker.items() if value and name not in _ALWAYS}
    return (
        not bound
        and _COMMON_FLAGS.issuperset(worker["compatibilityFlags"])
        and len(paths) == len(set(paths))
        and all("contents" in module for module in worker["modules"])
    )


def _is_loaded(worker: dict[str, Any]) -> bool:
    """Whether a worker runs in a loader as it does in a workerd of its own: a loader has no cache."""
    return _is_loadable(worker) and not any("caches" in module["contents"] for module in worker["modules"])


def active_version(store: Store, propagation: Propagation, script: str) -> str | None:
    """Give the id of the version that gets most of a script's traffic, None if none does."""
    worker = store.named("worker", script)
    deployment = propagation.seen(worker["id"], store.last_child("deployment", worker["id"])) if worker else None
    if deployment is None:
        return None
    return str(max(deployment["versions"], key=lambda share: share["percentage"])["version_id"])


def options(version: Body, service: Callable[[str], str | None]) -> dict[str, Any]:
    """Translate a version into the options of one Miniflare worker; ``service`` finds the version behind a script's name."""
    modules = _modules(version)
    values: dict[str, Any] = {}
    databases: dict[str, str] = {}
    services: dict[str, Any] = {}
    for binding in version["bindings"]:
        name = binding["name"]
        match binding["type"]:
            case "plain_text" | "secret_text":
                values[name] = binding["text"]
            case "json":
                values[name] = binding["json"]
            case "version_metadata":
                values[name] = metadata(version)
            case "d1":
                databases[name] = database_id(binding)
            case "service":
                entrypoint = {"entrypoint": binding["entrypoint"]} if binding.get("entrypoint") else {}
                called = service(binding["service"])
                services[name] = {"name": called, **entrypoint} if called else _NOBODY
    return {
        "name": version["id"],
        "modulesRoot": "/",
        "modules": modules,
        "compatibilityDate": version.get("compatibility_date", OLDEST_DATE),
        "compatibilityFlags": version["compatibility_flags"],
        "bindings": values,
        "d1Databases": databases,
        "serviceBindings": services,
        **running(version, service),
        **served(version),
    }


def _modules(version: Body) -> list[dict[str, Any]]:
    """The modules of a worker, its main module first; a version with assets alone has a worker that is never asked."""
    main = version.get("main_module")
    if not main:
        return list(_ABSENT["modules"])
    modules = sorted(version["modules"], key=lambda module: module["name"] != main)
    return [_module(module) for module in modules if module["content_type"] in MODULE_TYPES and not is_rule(version, module)]


def _without_deleted_databases(worker: dict[str, Any], databases: list[str]) -> dict[str, Any]:
    """Leave out the bindings of databases that were deleted: Miniflare would create empty ones under the same ids."""
    return {**worker, "d1Databases": {name: uuid for name, uuid in worker["d1Databases"].items() if uuid in databases}}


def _without_missing_entrypoints(worker: dict[str, Any], classes: dict[str, list[str]]) -> dict[str, Any]:
    """Let calls of an entrypoint that the version behind it does not export fail, as at Cloudflare; workerd would not start.

    ``classes`` are what the versions export, as far as that was recorded.
    """
    services = {
        name: _NOBODY
        if called.get("entrypoint") and called["entrypoint"] not in classes.get(called["name"], [called["entrypoint"]])
        else called
        for name, called in worker["serviceBindings"].items()
    }
    return {**worker, "serviceBindings": services}


def metadata(version: Body) -> dict[str, str]:
    """Give the value of a version-metadata binding."""
    tag = version["annotations"].get("workers/tag", "")
    return {"id": version["id"], "tag": tag, "timestamp": version["created_on"]}


def database_id(binding: Body) -> str:
    """Give the id a D1 binding names; wrangler sends ``id``, the versions API ``database_id``."""
    return str(binding.get("database_id") or binding.get("id"))


def _module(module: Body) -> dict[str, Any]:
    kind = MODULE_TYPES[module["content_type"]]
    content = module["content_base64"]
    if kind in {"CompiledWasm", "Data"}:
        return {"type": kind, "path": f"/{module['name']}", "base64": content}
    return {"type": kind, "path": f"/{module['name']}", "contents": base64.b64decode(content).decode()}
