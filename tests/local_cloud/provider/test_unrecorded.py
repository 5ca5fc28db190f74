"""Behaviour that the contract does not record but our program and its runbook rely on."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from pulumi.provider.experimental import provider
from pulumi.provider.experimental.property_value import PropertyValue

from local_cloud.errors import LocalCloudError
from local_cloud.provider.api import connected
from local_cloud.provider.bindings import received, sent
from local_cloud.provider.database import D1Database
from local_cloud.provider.deployment import WorkersDeployment
from local_cloud.provider.inputs import refreshed
from local_cloud.provider.json_values import ignoring
from local_cloud.provider.names import from_api, to_api
from local_cloud.provider.standin import StandIn
from local_cloud.provider.version import WorkerVersion
from local_cloud.provider.worker import Worker
from tests.local_cloud.provider.engine import Stack, resources
from tests.local_cloud.provider.replay import Exchange, Replay, success
from tests.local_cloud.provider.scenarios import ADOPTION, BY_HAND, BY_NAME, creation_of, exchanges

pytestmark = [pytest.mark.engine, pytest.mark.cloud]

Made = Callable[[], tuple[Stack, Replay]]
UNDECLARED = ["observability", "tags", "logpush", "tailConsumers"]
MODULE = {"name": "index.js", "contentType": "application/javascript+module", "contentBase64": "MQ=="}
VERSION: dict[str, Any] = {
    "accountId": "a",
    "workerId": "w",
    "annotations": {"workersTag": "t"},
    "bindings": [{"name": "A", "type": "plain_text", "text": "1"}, {"name": "B", "type": "d1", "databaseId": "d"}],
    "modules": [MODULE],
}


def test_an_adopted_worker_keeps_the_settings_whose_changes_are_ignored(make_stack: Made) -> None:
    """An adoption only reads; once another setting changes, the ignored ones are sent unchanged."""
    stack, replay = make_stack()
    inputs = {**BY_NAME[ADOPTION]["inputs"], "ignore_changes": UNDECLARED}
    live = whole(BY_NAME[ADOPTION])
    path = f"/accounts/{'0' * 32}/workers/workers"
    replay.expect(Exchange("GET", f"{path}/{name}", None, 200, success(live)) for name in (live["name"], live["id"]))
    adopted = stack.run("up", inputs)
    assert [step["op"] for step in adopted.steps] == ["import"], adopted.output
    assert (adopted.exit, replay.unexpected, replay.expected) == (0, [], [])

    inputs["worker"] = {**inputs["worker"], "subdomain": {"enabled": True, "previews_enabled": False}}
    body = {key: live[key] for key in ("logpush", "name", "observability", "tags", "tail_consumers")}
    body["subdomain"] = {"enabled": True, "previews_enabled": False}
    replay.expect([Exchange("PUT", f"{path}/{live['id']}", body, 200, success({**live, **body}))])
    assert stack.run("up", inputs).exit == 0
    assert (replay.unexpected, replay.expected) == ([], [])


def whole(adoption: dict[str, Any]) -> dict[str, Any]:
    """The adopted worker, with a value for everything that has a default."""
    live: dict[str, Any] = exchanges(adoption)[0].reply["result"]
    observability = live["observability"]
    return {**live, "observability": {**observability, "logs": {**observability["logs"], "persist": True}}}


def test_deleted_resources_are_created_again_after_a_refresh(make_stack: Made) -> None:
    """Only the deployment was deleted: it leaves the state, everything else stays."""
    stack, replay = make_stack()
    scenario = BY_NAME[BY_HAND]
    replay.expect(creation_of(scenario))
    assert stack.run("up", scenario["inputs"]).exit == 0
    gone = {"success": False, "errors": [{"code": 10007, "message": "no such deployment"}], "messages": [], "result": None}
    read = exchanges(scenario)
    replay.expect(
        Exchange(exchange.method, exchange.path, exchange.body, 404, gone) if "/deployments/" in exchange.path else exchange
        for exchange in read
    )
    refresh = stack.run("refresh", {})
    assert refresh.exit == 0, refresh.output
    left = {resource["type"] for resource in resources(stack.export())}
    assert "cloudflare:index/workersDeployment:WorkersDeployment" not in left
    assert len(left) == 4
    again = stack.run("preview", scenario["inputs"])
    assert [(step["op"], step["type"]) for step in again.steps] == [("create", "cloudflare:index/workersDeployment:WorkersDeployment")]


def test_a_database_without_read_replication_differs_after_a_refresh() -> None:
    """This is why the program declares it."""
    declared = {"accountId": "a", "name": "n"}
    created = {**declared, "id": "u"}
    assert D1Database().difference(declared, created).changed == ()
    difference = D1Database().difference(declared, {**created, "readReplication": {"mode": "disabled"}})
    assert (difference.changed, difference.replaces) == (("readReplication",), ())


@pytest.mark.parametrize(
    "state",
    [
        {**VERSION, "annotations": {"workersTag": "t", "workersTriggeredBy": "api"}},
        {**VERSION, "modules": [{**MODULE, "contentSha256": "6b86"}]},
        {**VERSION, "compatibilityFlags": ["nodejs_compat"], "number": 3.0},
    ],
    ids=["who triggered it", "the hash of a module", "what was not declared"],
)
def test_what_only_the_api_adds_changes_no_version(state: dict[str, Any]) -> None:
    assert WorkerVersion().difference(WorkerVersion().planned(VERSION, {}), {**state, "usageModel": "standard"}).changed == ()


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("bindings", VERSION["bindings"][:1]),
        ("bindings", VERSION["bindings"][::-1]),
        ("bindings", [VERSION["bindings"][0], {**VERSION["bindings"][1], "environment": "production"}]),
        ("annotations", {}),
        ("modules", [{**MODULE, "contentBase64": "Mg=="}]),
        ("compatibilityFlags", ["nodejs_compat"]),
        ("workerId", "another"),
        ("migrations", {"newTag": "v1", "steps": [{"newSqliteClasses": ["Room"]}]}),
    ],
)
def test_every_declared_change_replaces_a_version(key: str, value: object) -> None:
    planned = WorkerVersion().planned({**VERSION, key: value}, {})
    difference = WorkerVersion().difference(planned, {**VERSION, "usageModel": "standard"})
    assert (difference.changed, difference.replaces) == ((key,), tuple(sorted({key, "bindings"})))


@pytest.mark.parametrize(("key", "value"), [("annotations", {"workersTag": "t"}), ("limits", {"cpuMs": 50})])
def test_removing_what_the_api_then_chooses_replaces_a_version_because_of_its_bindings(key: str, value: object) -> None:
    prior = {**VERSION, "usageModel": "standard", key: value}
    declared = {name: VERSION[name] for name in VERSION if name != key}
    difference = WorkerVersion().difference(WorkerVersion().planned(declared, {}), prior)
    assert (difference.changed, difference.replaces) == ((key,), ("bindings",))


def test_without_bindings_removing_them_is_an_update_that_changes_nothing_and_comes_back() -> None:
    prior = {**VERSION, "usageModel": "standard", "bindings": []}
    declared = {name: VERSION[name] for name in VERSION if name != "annotations"} | {"bindings": []}
    difference = WorkerVersion().difference(WorkerVersion().planned(declared, {}), prior)
    assert (difference.changed, difference.replaces) == (("annotations",), ())


def test_another_text_of_a_json_binding_is_a_change_and_a_refresh_keeps_a_text_that_means_the_same() -> None:
    one, same, other = ([{"name": "J", "type": "json", "json": text}] for text in ('{"a": [1]}', '{ "a":[1] }', '{"a": [2]}'))
    planned = WorkerVersion().planned({**VERSION, "bindings": one}, {})
    assert WorkerVersion().difference(planned, {**VERSION, "usageModel": "standard", "bindings": same}).changed == ("bindings",)
    assert sent(one) == [{"name": "J", "type": "json", "json": {"a": [1]}}]
    assert received(sent(one), same) == same
    assert received(sent(one), other) == received(sent(one), []) == [{"name": "J", "type": "json", "json": '{"a":[1]}'}]


def test_bindings_are_read_in_the_order_of_the_state_with_its_secrets() -> None:
    before = [{"name": "B", "type": "secret_text", "text": "s"}, {"name": "A", "type": "service", "service": "x"}]
    reply = [
        {"name": "N", "type": "d1", "database_id": "d", "database_name": "unknown to the provider"},
        {"name": "A", "type": "service", "service": "x", "environment": "production"},
        {"name": "B", "type": "secret_text"},
    ]
    assert received(reply, before) == [
        before[0],
        {**before[1], "environment": "production"},
        {"name": "N", "type": "d1", "databaseId": "d"},
    ]


def test_percentages_are_the_same_whichever_way_they_are_written_but_their_order_matters() -> None:
    shares = [{"versionId": "v", "percentage": 90.0}, {"versionId": "w", "percentage": 10}]
    declared = {"accountId": "a", "scriptName": "s", "strategy": "percentage", "versions": shares}
    state = {**declared, "versions": [{"percentage": 90, "versionId": "v"}, {"percentage": 10.0, "versionId": "w"}]}
    assert WorkersDeployment().difference(declared, state).changed == ()
    assert WorkersDeployment().difference(declared, {**state, "versions": shares[::-1]}).changed == ("versions",)


def test_a_refresh_puts_drift_into_the_declared_inputs_in_the_order_of_the_state() -> None:
    declared = {"bindings": [{"name": "B", "type": "d1", "databaseId": "d"}, {"name": "A", "type": "plain_text", "text": "1"}]}
    now = {
        "bindings": [{"name": "A", "type": "plain_text", "text": "2", "part": "x"}, {"name": "B", "type": "d1", "databaseId": "d"}],
        "number": 3,
    }
    expected = [{"name": "A", "type": "plain_text", "text": "2"}, {"name": "B", "type": "d1", "databaseId": "d"}]
    assert refreshed(declared, now) == {"bindings": expected}


@pytest.mark.parametrize(
    ("declared", "planned"),
    [
        ({}, {"enabled": False, "previewsEnabled": False}),
        ({"enabled": True}, {"enabled": True, "previewsEnabled": True}),
        ({"enabled": True, "previewsEnabled": False}, {"enabled": True, "previewsEnabled": False}),
        ({"previewsEnabled": True}, {"enabled": False, "previewsEnabled": True}),
    ],
)
def test_previews_are_on_where_the_subdomain_is_unless_they_are_declared(declared: dict[str, bool], planned: dict[str, bool]) -> None:
    assert Worker().planned({"accountId": "a", "name": "n", "subdomain": declared}, {})["subdomain"] == planned


def test_an_ignored_path_within_an_object_leaves_its_neighbours() -> None:
    inputs = {"observability": {"enabled": True, "logs": {"enabled": True}}, "tags": ["new"]}
    prior = {"observability": {"enabled": False, "logs": {"enabled": False}}, "tags": ["old"]}
    kept = ignoring(inputs, prior, ["observability.logs", "tags[0]"])
    assert kept == {"observability": {"enabled": True, "logs": {"enabled": False}}, "tags": ["old"]}


def test_names_survive_conversion_to_the_api_and_back() -> None:
    properties = {"headSamplingRate": 0.5, "contentBase64": "x", "annotations": {"workersTag": "t"}, "versions": [{"versionId": "v"}]}
    sent = to_api(properties)
    assert json.dumps(sent, sort_keys=True) == json.dumps(
        {"annotations": {"workers/tag": "t"}, "content_base64": "x", "head_sampling_rate": 0.5, "versions": [{"version_id": "v"}]}
    )
    assert from_api(sent) == properties


@pytest.mark.parametrize(
    ("token", "inputs", "failure"),
    [
        (WorkerVersion.token, {**VERSION, "containers": []}, ("containers", "the stand-in provider does not support it")),
        (WorkerVersion.token, {key: VERSION[key] for key in VERSION if key != "workerId"}, ("workerId", "it is required")),
        (
            WorkerVersion.token,
            {**VERSION, "bindings": [{"name": "J", "type": "json", "json": "{"}, {"name": "N", "type": "json", "json": "null"}]},
            ("bindings", "the value of J is not JSON"),
        ),
    ],
)
async def test_unsupported_inputs_are_refused(token: str, inputs: dict[str, Any], failure: tuple[str, str]) -> None:
    async with connected() as http:
        checked = await StandIn("http://127.0.0.1:1", "t", http).check(_check(token, inputs))
    assert [(failed.property, failed.reason) for failed in checked.failures or []] == [failure]


async def test_an_unsupported_type_is_refused_by_name() -> None:
    async with connected() as http:
        with pytest.raises(LocalCloudError, match=r"^cloudflare:index/zone:Zone: the stand-in provider does not support this type\."):
            await StandIn("http://127.0.0.1:1", "t", http).check(_check("cloudflare:index/zone:Zone", {}))


def _check(token: str, inputs: dict[str, Any]) -> provider.CheckRequest:
    return provider.CheckRequest(f"urn:pulumi:s::p::{token}::n", {}, {key: _value(value) for key, value in inputs.items()}, b"")


def _value(value: Any) -> PropertyValue:  # noqa: ANN401 (JSON)
    if isinstance(value, dict):
        return PropertyValue({key: _value(item) for key, item in value.items()})
    return PropertyValue([_value(item) for item in value] if isinstance(value, list) else value)


@pytest.mark.parametrize(
    "binding",
    [
        {"type": "kv_namespace", "namespaceId": "n"},
        {"type": "r2_bucket", "bucketName": "b", "jurisdiction": "eu"},
        {"type": "queue", "queueName": "q"},
        {"type": "durable_object_namespace", "className": "C", "scriptName": "s"},
        {"type": "ratelimit", "namespaceId": "1", "simple": {"limit": 1, "period": 10}},
        {"type": "secrets_store_secret", "storeId": "s", "secretName": "n"},
        {"type": "send_email", "allowedDestinationAddresses": ["a"]},
        {"type": "workflow", "workflowName": "w", "className": "C"},
    ],
)
def test_a_binding_of_any_kind_comes_back_as_it_was_sent(binding: dict[str, object]) -> None:
    bindings = [{"name": "ONE", **binding}]
    assert received(sent(bindings), bindings) == bindings
