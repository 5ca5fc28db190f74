"""Checks an uploaded version before anything is stored: refuses what Cloudflare would, with code 10021 or the binding's own code.

It checks the upload's fields, and that what it binds exists. Only workerd can tell whether the modules start.
"""

from __future__ import annotations

import base64
import re
from datetime import date
from typing import TYPE_CHECKING

from local_cloud.envelope import BAD_REQUEST, BAD_WORKER, Refusal
from local_cloud.workers.kinds import NEEDS
from local_cloud.workers.runtime_options import MODULE_TYPES, database_id

if TYPE_CHECKING:
    from local_cloud.store import Body, Store

_NEEDS = {"plain_text": "text", "secret_text": "text", "json": "json", "version_metadata": None, "d1": None, "service": "service"}
_IGNORED_MODULES = {"application/source-map"}
_NO_DATABASE, _NO_SERVICE = 10181, 10144


def examine(body: Body, store: Store, newest_date: str) -> None:
    """Refuse an upload that cannot become a version (400)."""
    _examine_date(body.get("compatibility_date"), newest_date)
    if body.get("main_module") or not body.get("assets"):
        _examine_modules(body.get("modules"), body.get("main_module"))
    bindings = body.get("bindings") or []
    _demand(isinstance(bindings, list) and all(isinstance(binding, dict) for binding in bindings), "A binding is an object")
    names = [str(binding.get("name")) for binding in bindings]
    for name in names:
        _demand(names.count(name) == 1, f"binding name '{name}' already in use")
    for binding in bindings:
        _examine_binding(binding, store)
        _demand(
            binding["type"] != "assets" or body.get("assets"), f"binding {binding['name']} of type assets is invalid: there are no assets"
        )


def refusal(output: str) -> Refusal:
    """Turn workerd's output when it did not start into Cloudflare's refusal."""
    messages = [part for part in re.split(r"service core:user:[^:]*: ", output) if part.strip()]  # the same for each of the trial's workers
    text = messages[0].replace("file:///", "") if messages else ""
    return _refused(text.strip().splitlines()[0] if text.strip() else "The Worker does not start", text.strip().splitlines()[1:])


def _refused(what: str, details: list[str] | None = None) -> Refusal:
    more = "".join(f"\n{line}" for line in details or [])
    return Refusal(BAD_REQUEST, BAD_WORKER, f"{what}{more}")


def _demand(condition: object, what: str) -> None:
    if not condition:
        raise _refused(what)


def _examine_date(given: object, newest: str) -> None:
    if given is None:
        return
    try:
        day = date.fromisoformat(str(given)).isoformat()
    except ValueError as error:
        raise _refused(f'Invalid compatibility date: "{given}"') from error
    _demand(day <= newest, f'Can\'t set compatibility date in the future: "{given}". This runtime knows dates up to {newest}.')


def _examine_modules(given: object, main: object) -> None:
    modules = given if isinstance(given, list) else []
    _demand(modules and all(isinstance(module, dict) for module in modules), "No modules were uploaded")
    for module in modules:
        name, kind = module.get("name"), module.get("content_type")
        _demand(kind in MODULE_TYPES or kind in _IGNORED_MODULES, f"Module '{name}' has an unsupported content type: {kind}")
        try:
            content = base64.b64decode(module.get("content_base64", ""), validate=True)
            if MODULE_TYPES.get(kind) not in {"CompiledWasm", "Data"}:
                content.decode()
        except ValueError as error:
            raise _refused(f"Module '{name}' has content that cannot be read") from error
    _demand(main in [module.get("name") for module in modules], f"No such module: {main}. The main module must be uploaded")


def _examine_binding(binding: Body, store: Store) -> None:
    name, kind = binding.get("name"), binding.get("type")
    _demand(name and isinstance(name, str), "A binding has no name")
    if kind in NEEDS:
        for needed in NEEDS[str(kind)]:
            _demand(binding.get(needed), f"binding {name} of type {kind} is invalid: {needed} is missing")
        return
    _demand(kind in _NEEDS, f"binding {name} of type {kind} is invalid: unknown or unsupported binding type")
    field = _NEEDS[str(kind)]
    _demand(field is None or field in binding, f"binding {name} of type {kind} is invalid: {field} is missing")
    _demand(not kind or "text" not in str(kind) or isinstance(binding["text"], str), f"binding {name} of type {kind} is invalid: text")
    if kind == "d1" and not store.get("database", database_id(binding)):
        what = f"D1 binding '{name}' references database '{database_id(binding)}' which was not found."
        raise Refusal(BAD_REQUEST, _NO_DATABASE, what)
    if kind == "service" and not store.named("worker", str(binding["service"])):
        what = f"Service binding '{name}' references environment 'production' on Worker '{binding['service']}' which was not found."
        raise Refusal(BAD_REQUEST, _NO_SERVICE, what)
