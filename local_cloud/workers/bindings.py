"""Bindings of a version: what is inherited from the version before, what may be shown, which secrets changed. Pure.

Every route that shows bindings takes them from ``shown``, which leaves out the values of secrets.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from local_cloud.envelope import BAD_REQUEST, Refusal

if TYPE_CHECKING:
    from collections.abc import Collection

    from local_cloud.behaviour import Behaviour
    from local_cloud.store import Body

_INVALID_INHERIT = 10057
_SECRET_FIELDS = {"secret_text": {"text"}}


def resolved(declared: list[Body], before: Body | None, *, keep: Collection[str] = (), strict: bool = False) -> list[Body]:
    """Give the declared bindings with the inherited ones filled in, and those of the types in ``keep`` that none replaces.

    They come from the version before, deployed or not. What cannot be inherited is dropped, or with ``strict`` refused (400, 10057); any
    ``version_id`` but ``latest`` is always refused. Source: answers of Cloudflare's API in alchemy-run/alchemy 1035 and wrangler's tests.
    """
    known = {binding["name"]: binding for binding in before["bindings"]} if before else {}
    filled = [_inherited(binding, known, strict=strict) if binding.get("type") == "inherit" else binding for binding in declared]
    result = [binding for binding in filled if binding is not None]
    taken = {binding.get("name") for binding in result}
    return [*result, *(binding for name, binding in known.items() if binding["type"] in keep and name not in taken)]


def shown(version: Body, behaviour: Behaviour) -> list[Body]:
    """Give a version's bindings as a reply has them, without the values of secrets."""
    visible = [{key: value for key, value in binding.items() if key not in _hidden(binding)} for binding in version["bindings"]]
    if behaviour.names_service_environment:
        visible = [{"environment": "production", **binding} if binding["type"] == "service" else binding for binding in visible]
    return visible[::-1] if behaviour.reverses_bindings else visible


def secrets(version: Body) -> dict[str, str]:
    """Give a version's secrets by name."""
    return {binding["name"]: binding["text"] for binding in version["bindings"] if binding["type"] == "secret_text"}


def changed_secrets(version: Body, since: Body) -> list[str]:
    """Give the names of the secrets that differ between two versions."""
    old, new = secrets(version), secrets(since)
    return sorted(name for name in old.keys() | new.keys() if old.get(name) != new.get(name))


def replaced(version: Body, changes: dict[str, Body | None]) -> list[Body]:
    """Give a version's bindings with some set and some (None) removed."""
    kept = [binding for binding in version["bindings"] if binding["name"] not in changes]
    return [*kept, *({**binding, "name": name} for name, binding in changes.items() if binding is not None)]


def services(version: Body) -> set[str]:
    """Give the scripts that a version binds."""
    return {str(binding["service"]) for binding in version["bindings"] if binding["type"] == "service"}


def _inherited(binding: Body, known: dict[str, Body], *, strict: bool) -> Body | None:
    name, place = binding.get("name"), binding.get("version_id") or "latest"
    if place != "latest":
        raise _refused(name, f"'version_id' value '{place}' is invalid, only the literal 'latest' is supported by this API")
    source = binding.get("old_name") or name
    inherited = known.get(str(source))
    if inherited is None and strict:
        raise _refused(name, f"previous version does not have binding named '{source}'")
    return None if inherited is None else {**inherited, "name": name}


def _refused(name: object, why: str) -> Refusal:
    return Refusal(BAD_REQUEST, _INVALID_INHERIT, f"inherit binding '{name}' is invalid: {why}")


def _hidden(binding: Body) -> set[Any]:
    return _SECRET_FIELDS.get(str(binding["type"]), set())
