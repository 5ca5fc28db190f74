"""Every kind of binding is declared once, in the catalog; each environment names its own resources, and none of another one."""

import importlib.util
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from crane_infra.config.bindings import (
    Ai,
    AnalyticsEngine,
    Binding,
    Browser,
    DurableObject,
    Json,
    KvNamespace,
    Queue,
    R2Bucket,
    RateLimit,
    SecretsStoreSecret,
    SendEmail,
    Workflow,
)
from crane_infra.config.bound import bindings_of
from crane_infra.config.catalog import Catalog, CatalogWorker
from crane_infra.config.consistency import require_consistent
from crane_infra.config.settings import Settings
from crane_infra.errors import SettingsError
from crane_infra.release.bundle import Bundle
from crane_infra.release.manifest import make_manifest
from tests import repository
from tests.docs import markdown

MakeSettings = Callable[..., Settings]
KV = "0123456789abcdef0123456789abcdef"
EVERY = {
    "AI": Ai(),
    "CACHE": KvNamespace(),
    "COPY": KvNamespace(shared=True),
    "FILES": R2Bucket(jurisdiction="eu"),
    "JOBS": Queue(),
    "ROOMS": DurableObject(class_name="Room"),
    "OTHER_ROOMS": DurableObject(class_name="Room", in_worker="second"),
    "EVENTS": AnalyticsEngine(),
    "LIMIT": RateLimit(limit=100, period=60),
    "TOKEN": SecretsStoreSecret(),
    "MAIL": SendEmail(allowed_destination_addresses=("a@example.com",)),
    "FLOW": Workflow(class_name="Flow"),
    "CONFIG": Json(value={"b": [1], "a": None}),
}
GIVEN: dict[str, Any] = {
    "CACHE": KV,
    "COPY": KV[::-1],
    "FILES": "files-staging",
    "JOBS": "jobs-staging",
    "EVENTS": "events_staging",
    "LIMIT": "7",
    "TOKEN": {"store_id": "store", "secret_name": "token-staging"},
    "FLOW": "flow-staging",
}


def catalog(bindings: Mapping[str, Binding]) -> Catalog:
    check = {"compatibility_date": "2026-01-01", "reports_version": False}
    return Catalog(
        workers={
            "first": CatalogWorker(bundle="first", bindings=dict(bindings), **check),
            "second": CatalogWorker(bundle="second", **check),
        },
        databases={},
    )


@pytest.fixture
def settings(make_settings: MakeSettings) -> Callable[[Mapping[str, Any]], Settings]:
    return lambda given: make_settings(databases={}, workers={"first": {"bindings": dict(given)}, "second": {}})


def refusal(settings: Settings, others: Mapping[str, Mapping[str, Any]] | None = None, **bindings: Binding) -> str:
    with pytest.raises(SettingsError) as refused:
        require_consistent(catalog(bindings), settings, others or {})
    return str(refused.value)


def test_a_binding_has_what_the_catalog_and_the_stack_say_of_it(settings: Callable[[Mapping[str, Any]], Settings]) -> None:
    bound = bindings_of("first", catalog(EVERY), settings(GIVEN))
    assert list(bound) == list(EVERY)
    assert bound["AI"] == {"type": "ai"}
    assert bound["CACHE"] == {"type": "kv_namespace", "namespace_id": KV}
    assert bound["FILES"] == {"type": "r2_bucket", "bucket_name": "files-staging", "jurisdiction": "eu"}
    assert bound["OTHER_ROOMS"] == {"type": "durable_object_namespace", "class_name": "Room", "script_name": "second-staging"}
    assert bound["LIMIT"] == {"type": "ratelimit", "namespace_id": "7", "simple": {"limit": 100, "period": 60}}
    assert bound["TOKEN"] == {"type": "secrets_store_secret", "store_id": "store", "secret_name": "token-staging"}
    assert bound["MAIL"] == {"type": "send_email", "allowed_destination_addresses": ("a@example.com",)}
    assert bound["FLOW"] == {"type": "workflow", "class_name": "Flow", "workflow_name": "flow-staging"}
    assert bound["CONFIG"] == {"type": "json", "json": '{"a":null,"b":[1]}'}


def test_a_release_says_which_kinds_it_binds_and_nothing_of_one_environment() -> None:
    bundles = {name: Bundle("index.js", ()) for name in ("first", "second")}
    kinds = make_manifest(catalog(EVERY), bundles, {}, {})["workers"]["first"]["bindings"]
    assert (kinds["CACHE"], kinds["AI"]) == ("kv_namespace", "ai")
    assert kinds["OTHER_ROOMS"] == 'durable_object_namespace:{"class_name":"Room","in_worker":"second"}'
    assert kinds["LIMIT"] == 'ratelimit:{"simple":{"limit":100,"period":60}}'
    assert KV not in str(kinds)


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({}, "bindings.CACHE: is missing. Each environment must set its namespace_id."),
        ({"CACHE": KV, "CASH": KV}, "bindings.CASH: the catalog has no such binding. Remove it, or declare it in crane_infra/catalog.py."),
        ({"CACHE": {"id": KV}}, "bindings.CACHE: does not say namespace_id. Write it as one text."),
        ({"CACHE": ""}, "bindings.CACHE: does not say namespace_id. Write it as one text."),
        ({"CACHE": KV, "AI": "x"}, "bindings.AI: a binding of type ai has nothing to set. Remove it."),
        (
            {"CACHE": KV, "TOKEN": "x"},
            "bindings.TOKEN: does not say store_id and secret_name. Write {store_id: …, secret_name: …}.",
        ),
    ],
)
def test_a_wrong_resource_is_refused_with_its_place(
    settings: Callable[[Mapping[str, Any]], Settings], given: Mapping[str, Any], text: str
) -> None:
    bindings: dict[str, Binding] = {"CACHE": KvNamespace(), "AI": Ai()} | ({"TOKEN": SecretsStoreSecret()} if "TOKEN" in given else {})
    assert refusal(settings(given), None, **bindings) == f"Pulumi.staging.yaml workers.first.{text}"


@pytest.mark.parametrize("place", ["Pulumi.production.yaml", "stack production"])
def test_a_resource_of_the_other_environment_is_refused_unless_it_is_shared(
    settings: Callable[[Mapping[str, Any]], Settings], place: str
) -> None:
    others = {place: {"workers": {"first": {"bindings": {"CACHE": KV}}}}}
    assert refusal(settings({"CACHE": KV}), others, CACHE=KvNamespace()) == (
        f"Pulumi.staging.yaml workers.first.bindings.CACHE: {KV} is the kv_namespace of {place} (first.CACHE). "
        "Give each environment its own, or mark the binding as shared in crane_infra/catalog.py."
    )
    require_consistent(catalog({"CACHE": KvNamespace(shared=True)}), settings({"CACHE": KV}), others)


def test_the_same_name_of_another_kind_is_another_resource(settings: Callable[[Mapping[str, Any]], Settings]) -> None:
    others = {"stack production": {"workers": {"first": {"bindings": {"JOBS": "x"}}}}}
    require_consistent(catalog({"JOBS": Queue(), "FILES": R2Bucket()}), settings({"JOBS": "y", "FILES": "x"}), others)


def test_a_class_of_a_worker_that_the_catalog_lacks_is_refused() -> None:
    with pytest.raises(ValueError, match="first binds a class of the worker third, which is not in the catalog"):
        catalog({"ROOMS": DurableObject(class_name="Room", in_worker="third")})


def test_a_name_that_is_bound_already_is_refused() -> None:
    with pytest.raises(ValueError, match="the binding CF_VERSION_METADATA is declared twice"):
        catalog({"CF_VERSION_METADATA": Browser()})


def test_the_page_of_settings_lists_every_kind_with_what_each_environment_sets() -> None:
    rows = {cells[0].strip("`"): cells[2] for cells in markdown.rows(repository.ROOT / "docs" / "bindings.md") if len(cells) == 4}
    kinds = Binding.__subclasses__()
    assert {kind.kind: ", ".join(f"`{field}`" for field in kind.own) or "nothing" for kind in kinds} == {
        kind.kind: rows.get(kind.kind) for kind in kinds
    }


def test_each_kind_that_the_provider_takes_is_declared_or_named_with_what_to_do() -> None:
    """A later provider with another kind makes this red."""
    (place,) = importlib.util.find_spec("pulumi_cloudflare").submodule_search_locations  # type: ignore[union-attr,misc]
    source = (Path(place) / "_inputs.py").read_text(encoding="utf-8").partition("class WorkerVersionBindingArgsDict")[2]
    listed = re.search(r"Available values: (.*)\.", source)
    assert listed
    takes = {name.replace("*", "_") for name in re.findall(r'"([^"]+)"', listed[1])}
    own_fields = {"assets", "d1", "plain_text", "secret_text", "service", "version_metadata"}
    page = {name for cells in markdown.rows(repository.ROOT / "docs" / "bindings.md") for name in re.findall(r"`(\w+)`", cells[0])}
    assert takes - own_fields - page == {"inherit"}, "all bindings are declared, so none is taken over from another version"
