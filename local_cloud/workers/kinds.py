"""The kinds of bindings besides values, databases and services: what each must say, and how Miniflare runs it. Pure.

The resources themselves are not emulated: whatever an upload names is there, empty at first. What Miniflare cannot run without a network is stored
and shown, and the worker does not get it; the reply to the upload says so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from local_cloud.store import Body

NEEDS: dict[str, tuple[str, ...]] = {
    "ai": (),
    "ai_search": ("instance_name",),
    "ai_search_namespace": ("namespace",),
    "analytics_engine": ("dataset",),
    "assets": (),
    "browser": (),
    "dispatch_namespace": ("namespace",),
    "durable_object_namespace": ("class_name",),
    "flagship": ("app_id",),
    "hyperdrive": ("id",),
    "images": (),
    "kv_namespace": ("namespace_id",),
    "media": (),
    "mtls_certificate": ("certificate_id",),
    "pipelines": ("pipeline",),
    "queue": ("queue_name",),
    "r2_bucket": ("bucket_name",),
    "ratelimit": ("namespace_id", "simple"),
    "secrets_store_secret": ("store_id", "secret_name"),
    "send_email": (),
    "vectorize": ("index_name",),
    "vpc_network": ("tunnel_id",),
    "vpc_service": ("service_id",),
    "workflow": ("workflow_name", "class_name"),
}
"""The fields that a binding of each kind must have."""

_RUN: dict[str, tuple[str, Callable[[Body], Any]]] = {
    "kv_namespace": ("kvNamespaces", lambda binding: binding["namespace_id"]),
    "r2_bucket": ("r2Buckets", lambda binding: binding["bucket_name"]),
    "queue": ("queueProducers", lambda binding: {"queueName": binding["queue_name"]}),
    "analytics_engine": ("analyticsEngineDatasets", lambda binding: {"dataset": binding["dataset"]}),
    "ratelimit": ("ratelimits", lambda binding: {"namespace_id": str(binding["namespace_id"]), "simple": binding["simple"]}),
}


def running(version: Body, service: Callable[[str], str | None]) -> dict[str, Any]:
    """The options of Miniflare for what a version binds; ``service`` finds the version behind a script's name."""
    options: dict[str, Any] = {}
    for binding in version["bindings"]:
        if binding["type"] in _RUN:
            option, value = _RUN[binding["type"]]
            options.setdefault(option, {})[binding["name"]] = value(binding)
        elif binding["type"] == "durable_object_namespace" and (place := _durable_object(binding, service)):
            options.setdefault("durableObjects", {})[binding["name"]] = place
    return options


def notes(bindings: Iterable[Body]) -> list[str]:
    """What the local cloud says about the bindings of an upload that it only stores."""
    return [
        f"The local cloud stores the binding {binding['name']} of type {binding['type']}; the worker does not get it"
        for binding in only_stored(bindings)
    ]


def only_stored(bindings: Iterable[Body]) -> list[Body]:
    """Give the bindings that a worker does not get here."""
    return [
        binding for binding in bindings if binding["type"] in NEEDS and binding["type"] not in {*_RUN, "assets", "durable_object_namespace"}
    ]


def _durable_object(binding: Body, service: Callable[[str], str | None]) -> Body | None:
    script = binding.get("script_name")
    place = service(str(script)) if script else None
    if script and place is None:
        return None  # it has no deployment
    own = {"className": binding["class_name"], "useSQLite": True}
    return {**own, "scriptName": place} if place else own
