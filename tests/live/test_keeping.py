"""What a stack file lacks so that adopting a worker changes nothing: as far as the catalog has a place for it, and nothing that the file says."""

import json
from typing import Any

import pytest

from crane_infra.config.bindings import Ai, KvNamespace, RateLimit, SecretsStoreSecret
from crane_infra.config.catalog import Catalog, CatalogDatabase, CatalogWorker
from crane_infra.config.settings import Settings, parse
from crane_infra.live.account import LiveScript, LiveWorker
from crane_infra.live.adoption import DeclaredWorker
from crane_infra.live.keeping import bound_databases, domains_of, is_opened, kept, staying

SUBDOMAIN: dict[str, Any] = {"enabled": True, "previews_enabled": False}
OFF: dict[str, Any] = {"subdomain": {**SUBDOMAIN, "enabled": False}}
DOMAIN: dict[str, Any] = {"references": {"domains": [{"hostname": "shop.example.com"}], "queues": [{"queue_name": "orders"}]}}
CATALOG = Catalog(
    workers={
        "api": CatalogWorker(
            bundle="api",
            compatibility_date="2026-01-01",
            reports_version=False,
            databases={"DB": "shop"},
            variables={"MODE": "quiet"},
            environment_variables=("PLACE",),
            bindings={
                "CACHE": KvNamespace(),
                "STORE": SecretsStoreSecret(),
                "AI": Ai(),
                "RATE": RateLimit(limit=1, period=10),
            },
        ),
        "mail": CatalogWorker(bundle="mail", compatibility_date="2026-01-01", reports_version=False),
    },
    databases={"shop": CatalogDatabase(migrations="shop")},
)


def settings(**worker: object) -> Settings:
    known = {"environment": "staging", "project": "crane-infra", "organization": "organization", "root": "/"}
    config = {
        "workers-dir": "workers",
        "account-id": "0" * 32,
        "workers-subdomain": "shop",
        "databases": json.dumps({"shop": {"name": "shop"}}),
        "workers": json.dumps({"api": worker, "mail": {}}),
    }
    return parse(known, {f"crane-infra:{key}": value for key, value in config.items()}, {"CLOUDFLARE_API_TOKEN": "token"})


def live(*bindings: dict[str, Any], crons: tuple[str, ...] = (), **script: object) -> LiveWorker:
    return LiveWorker(LiveScript({"subdomain": SUBDOMAIN, **script}, crons), {"bindings": list(bindings)})


def added(worker: LiveWorker, **given: object) -> dict[str, Any]:
    return kept(worker, "api", CATALOG, settings(**given))


@pytest.mark.parametrize(
    ("binding", "entry"),
    [
        ({"type": "plain_text", "name": "MODE", "text": "loud"}, {"variables": {"MODE": "loud"}}),
        ({"type": "plain_text", "name": "MODE", "text": "quiet"}, {}),
        ({"type": "plain_text", "name": "PLACE", "text": "here"}, {"variables": {"PLACE": "here"}}),
        ({"type": "plain_text", "name": "OTHER", "text": "undeclared"}, {}),
        ({"type": "kv_namespace", "name": "CACHE", "namespace_id": "abc"}, {"bindings": {"CACHE": "abc"}}),
        ({"type": "r2_bucket", "name": "CACHE", "bucket_name": "another kind"}, {}),
        (
            {"type": "secrets_store_secret", "name": "STORE", "store_id": "s", "secret_name": "n"},
            {"bindings": {"STORE": {"store_id": "s", "secret_name": "n"}}},
        ),
        ({"type": "ai", "name": "AI"}, {}),
        ({"type": "service", "name": "MAIL", "service": "mail-staging", "environment": "production"}, {"services": {"MAIL": "mail"}}),
        (
            {"type": "service", "name": "MAIL", "service": "mail-staging", "entrypoint": "Letters"},
            {"services": {"MAIL": {"worker": "mail", "entrypoint": "Letters"}}},
        ),
        ({"type": "service", "name": "MAIL", "service": "mail-staging", "props": {"a": 1}}, {}),
        ({"type": "service", "name": "MAIL", "service": "mail-staging", "environment": "canary"}, {}),
        ({"type": "service", "name": "MAIL", "service": "somebody-elses"}, {}),
        ({"type": "secret_text", "name": "PLACE"}, {}),
    ],
    ids=lambda value: value.get("name") if "name" in value else None,
)
def test_a_binding_gets_the_place_that_the_catalog_has_for_it(binding: dict[str, Any], entry: dict[str, Any]) -> None:
    assert added(live(binding)) == entry


def test_what_the_file_says_is_never_touched() -> None:
    worker = live(
        {"type": "plain_text", "name": "MODE", "text": "loud"},
        {"type": "kv_namespace", "name": "CACHE", "namespace_id": "abc"},
        {"type": "service", "name": "MAIL", "service": "mail-staging"},
        subdomain={"enabled": True, "previews_enabled": True},
    )
    assert added(worker, variables={"MODE": "x"}, bindings={"CACHE": "y"}, services={"MAIL": "api"}, **{"preview-urls": False}) == {}


@pytest.mark.parametrize(
    ("script", "entry"),
    [
        ({}, {}),
        ({"subdomain": {"enabled": True, "previews_enabled": True}}, {"preview-urls": True}),
        ({**OFF, **DOMAIN}, {"workers-dev": False, "url": "https://shop.example.com"}),
        (OFF, {}),
    ],
)
def test_addresses_stay_as_they_are_where_an_address_is_known(script: dict[str, Any], entry: dict[str, Any]) -> None:
    assert added(live(**script)) == entry


def test_a_hidden_worker_without_an_address_would_be_opened() -> None:
    assert is_opened(live(**OFF), "api", settings())
    assert not is_opened(live(), "api", settings())
    assert not is_opened(live(**OFF), "api", settings(**{"workers-dev": True}))
    assert not is_opened(live(**OFF), "api", settings(**{"workers-dev": False, "url": "https://shop.example.com"}))


def test_the_databases_that_are_bound_are_known_by_the_names_of_the_catalog() -> None:
    assert bound_databases(live({"type": "d1", "name": "DB", "id": "the-id"}), {"DB": "shop", "MORE": "other"}) == {"shop": "the-id"}


def test_what_is_declared_nowhere_and_stays_is_named() -> None:
    declared = DeclaredWorker({}, "2026-01-01", (), {}, {"logpush": False, "subdomain": SUBDOMAIN}, None)
    worker = live(crons=("0 3 * * *",), logpush=True, tags=["a"], **DOMAIN)
    texts = ["the schedules 0 3 * * *", "the domains shop.example.com", "the consumer of the queues orders", "tags (a)"]
    assert staying(worker, declared) == texts


def test_references_that_cannot_be_read_are_no_domains() -> None:
    assert domains_of(live(references={"domains": [{"id": 1}, "x"]})) == []
