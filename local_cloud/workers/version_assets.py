"""The static assets of a version: what an upload names, what is stored and shown of it, and how Miniflare serves it.

``_headers`` and ``_redirects`` come as part of the configuration, as wrangler sends them, or as modules, as the provider does.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

from local_cloud.envelope import BAD_REQUEST, BAD_WORKER, Refusal
from local_cloud.workers.asset_sessions import missing
from local_cloud.workers.asset_tokens import session_of

if TYPE_CHECKING:
    from local_cloud.cloud import Cloud
    from local_cloud.store import Body

RULES = ("_headers", "_redirects")
_HANDLING = {
    "html_handling": ("auto-trailing-slash", "force-trailing-slash", "drop-trailing-slash", "none"),
    "not_found_handling": ("none", "404-page", "single-page-application"),
}
_CONFIG = (*_HANDLING, "run_worker_first")


def with_assets(cloud: Cloud, script: str, body: Body, before: Body | None) -> Body:
    """Give an upload with its assets as a version stores them; raises Refusal.

    Those of the version before stay where the upload asks for that (``keep_assets``), or gives a configuration alone.
    """
    given, known = body.get("assets"), (before or {}).get("assets")
    rest = {key: value for key, value in body.items() if key not in ("assets", "keep_assets")}
    if given is None:
        return {**rest, "assets": known} if body.get("keep_assets") and known else rest
    if not isinstance(given, dict) or not isinstance(given.get("config") or {}, dict):
        raise _refused("assets must be an object")
    config = _checked(given.get("config") or {}, has_script=bool(body.get("main_module")))
    if given.get("jwt") is None and known is None:
        raise _refused("assets have no jwt of a completed upload")
    rules = {**_module_rules(body), **{name: str(text) for name in RULES if (text := (given.get("config") or {}).get(name)) is not None}}
    manifest = known["manifest"] if known and given.get("jwt") is None else _uploaded(cloud, script, str(given["jwt"]))
    return {**rest, "assets": {"config": config, "manifest": manifest, "set": cloud.assets.make_set(manifest, rules)}}


def shown_assets(version: Body) -> Body:
    """Give what a version shows of its assets."""
    return {"assets": {"config": version["assets"]["config"]}} if version.get("assets") else {}


def is_rule(version: Body, module: Body) -> bool:
    """Whether a module is a file of rules for assets, and no part of the worker."""
    return bool(version.get("assets")) and module["name"] in RULES


def served(version: Body) -> dict[str, Any]:
    """The options of Miniflare for the assets of a version; main.mjs knows where the set's folder is."""
    assets = version.get("assets")
    if not assets:
        return {}
    config = assets["config"]
    first = config.get("run_worker_first")
    routing: dict[str, Any] = {"has_user_worker": bool(version.get("main_module"))}
    if isinstance(first, list):
        rules = [rule.removeprefix("!") for rule in first if rule.startswith("!")]
        routing["static_routing"] = {"user_worker": [rule for rule in first if not rule.startswith("!")], "asset_worker": rules}
    elif first is not None:
        routing["invoke_user_worker_ahead_of_assets"] = first
    bound = next((binding["name"] for binding in version["bindings"] if binding["type"] == "assets"), None)
    handling = {key: config[key] for key in _HANDLING if key in config}
    return {"assets": {"set": assets["set"], **({"binding": bound} if bound else {}), "routerConfig": routing, "assetConfig": handling}}


def _checked(config: Body, *, has_script: bool) -> Body:
    kept = {key: config[key] for key in _CONFIG if config.get(key) is not None}
    for key, allowed in _HANDLING.items():
        if key in kept and kept[key] not in allowed:
            raise _refused(f"{key} must be one of {', '.join(allowed)}")
    first = kept.get("run_worker_first", False)
    if first and not has_script:
        raise _refused("run_worker_first needs a script")
    if not isinstance(first, bool) and not _are_rules(first):
        raise _refused("run_worker_first must be true, false, or rules that begin with '/' or '!/', at least one without '!'")
    return kept


def _are_rules(rules: object) -> bool:
    return (
        isinstance(rules, list)
        and all(isinstance(rule, str) and rule.removeprefix("!").startswith("/") for rule in rules)
        and any(not rule.startswith("!") for rule in rules)
    )


def _module_rules(body: Body) -> dict[str, str]:
    modules = body.get("modules")
    named = [module for module in modules if isinstance(module, dict) and module.get("name") in RULES] if isinstance(modules, list) else []
    return {module["name"]: base64.b64decode(module.get("content_base64", "")).decode(errors="replace") for module in named}


def _uploaded(cloud: Cloud, script: str, jwt: str) -> dict[str, str]:
    session = cloud.store.get("asset_session", session_of(cloud.token, jwt, "completion") or "")
    if session is None or session["script"] != script or missing(cloud, session):
        raise _refused("the jwt of the assets is not that of a completed upload for this Worker")
    return {path: entry["hash"] for path, entry in session["manifest"].items()}


def _refused(what: str) -> Refusal:
    return Refusal(BAD_REQUEST, BAD_WORKER, f"The assets are invalid: {what}")
