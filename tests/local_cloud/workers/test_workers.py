"""The records of workers: settings, deployments, schedules and references, and what a deletion removes."""

from typing import Any

import pytest

from local_cloud.faults.client import Faults
from tests.cloud import Api

pytestmark = pytest.mark.cloud


def test_deployments_are_listed_newest_first_and_found_by_id(api: Api) -> None:
    worker = api.worker()
    path = f"/workers/scripts/{worker['name']}/deployments"
    assert api.result("GET", path) == {"deployments": []}
    version = api.upload(worker)
    first, second = (api.deploy(worker, (version, 100)) for _ in range(2))
    assert api.result("GET", path) == {"deployments": [second, first]}
    assert api.result("GET", f"{path}/{first['id']}") == first
    assert first["versions"] == [{"percentage": 100, "version_id": version["id"]}]
    assert first["annotations"] == {"workers/triggered_by": "deployment"}


@pytest.mark.parametrize("percentages", [[90], [50, 51], [100, 0, 0], [150, -50], [], ["100"]])
def test_percentages_that_do_not_add_up_to_100_are_refused_and_the_old_version_keeps_serving(api: Api, percentages: list[object]) -> None:
    worker = api.worker()
    api.deploy(worker, (api.upload(worker), 100))
    versions = [{"version_id": api.upload(worker)["id"], "percentage": percentage} for percentage in percentages]
    path = f"/workers/scripts/{worker['name']}/deployments"
    assert api.refusal("POST", path, {"strategy": "percentage", "versions": versions})[0] == 400
    assert len(api.result("GET", path)["deployments"]) == 1
    assert api.edge(worker).text == "hello"


def test_a_version_of_another_worker_cannot_be_deployed(api: Api) -> None:
    worker, other = api.worker(), api.worker()
    body = {"strategy": "percentage", "versions": [{"version_id": api.upload(other)["id"], "percentage": 100}]}
    assert api.refusal("POST", f"/workers/scripts/{worker['name']}/deployments", body)[:2] == (404, 100146)


def test_schedules_are_kept_as_a_whole_list(api: Api) -> None:
    path = f"/workers/scripts/{api.worker()['name']}/schedules"
    assert api.result("GET", path) == {"schedules": []}
    put = api.result("PUT", path, [{"cron": "*/10 * * * *"}, {"cron": "0 3 * * *"}])
    assert [entry["cron"] for entry in put["schedules"]] == ["*/10 * * * *", "0 3 * * *"]
    assert api.result("GET", path) == put
    assert api.refusal("PUT", path, [{"cron": "often"}])[0] == 400
    assert api.result("PUT", path, []) == {"schedules": []}


def test_a_put_resets_what_it_does_not_name_and_a_patch_leaves_it(api: Api) -> None:
    worker = api.worker()
    path = f"/workers/workers/{worker['id']}"
    assert api.result("PATCH", path, {"tags": ["t"], "logpush": True})["subdomain"] == worker["subdomain"]
    replaced = api.result("PUT", path, {"name": worker["name"], "tags": ["u"]})
    assert (replaced["logpush"], replaced["tags"], replaced["subdomain"]["enabled"]) == (False, ["u"], False)
    assert api.result("GET", f"/workers/workers/{worker['name']}") == replaced


def test_a_worker_shows_when_it_was_deployed_and_which_workers_bind_it(api: Api) -> None:
    back, front = api.worker(), api.worker()
    assert back["deployed_on"] is None
    deployed = api.deploy(back, (api.upload(back), 100))
    bindings = [{"name": "BACK", "type": "service", "service": back["name"]}]
    api.deploy(front, (api.upload(front, bindings=bindings), 100))
    shown = api.result("GET", f"/workers/workers/{back['name']}")
    assert shown["deployed_on"] == deployed["created_on"]
    assert shown["references"]["workers"] == [{"id": front["id"], "name": front["name"]}]


def test_a_worker_shows_at_once_that_another_binds_it_no_longer(api: Api) -> None:
    back, front, deleted = api.worker(), api.worker(), api.worker()
    for other in (front, deleted):
        api.deploy(other, (api.upload(other, bindings=[{"name": "BACK", "type": "service", "service": back["name"]}]), 100))
    assert names_of_binders(api, back) == [front["name"], deleted["name"]]
    api.result("DELETE", f"/workers/workers/{deleted['id']}")
    assert names_of_binders(api, back) == [front["name"]]
    api.deploy(front, (api.upload(front), 100))
    assert names_of_binders(api, back) == []


def names_of_binders(api: Api, worker: dict[str, Any]) -> list[str]:
    """The workers that bind a worker, as it shows them."""
    return [other["name"] for other in api.result("GET", f"/workers/workers/{worker['id']}")["references"]["workers"]]


def test_a_deleted_worker_is_gone_with_its_deployments(api: Api) -> None:
    worker = api.worker()
    api.deploy(worker, (api.upload(worker), 100))
    assert api.result("DELETE", f"/workers/workers/{worker['id']}") is None
    gone = (404, 10007, "This Worker does not exist on your account.")
    assert api.refusal("GET", f"/workers/workers/{worker['id']}") == gone
    assert api.refusal("GET", f"/workers/scripts/{worker['name']}/deployments") == gone
    assert api.edge(worker).status_code == 404


def test_a_worker_name_is_unique(api: Api) -> None:
    assert api.refusal("POST", "/workers/workers", {"name": api.worker()["name"]})[0] == 409


FULL_LOGS = {"enabled": True, "head_sampling_rate": 1, "invocation_logs": True, "destinations": [], "persist": True}
FULL_TRACES = {"enabled": False, "head_sampling_rate": 1, "destinations": [], "persist": True}


def test_observability_is_returned_whole_or_as_it_was_stored_or_without_what_has_a_default(api: Api, faults: Faults) -> None:
    worker = api.worker()
    path = f"/workers/workers/{worker['id']}"
    stored = {"enabled": True, "logs": {"enabled": True}}
    put = api.result("PUT", path, {"name": worker["name"], "observability": stored})
    whole = {"enabled": True, "head_sampling_rate": 1, "logs": FULL_LOGS, "traces": FULL_TRACES}
    assert put["observability"] == api.result("GET", path)["observability"] == whole
    with faults.behaviour(worker_observability="as-stored"):
        assert api.result("GET", path)["observability"] == stored
        patched = api.result("PATCH", path, {"observability": {"logs": {"invocation_logs": False}}})
        assert patched["observability"] == {"enabled": True, "logs": {"enabled": True, "invocation_logs": False}}
        assert api.result("GET", f"/workers/workers/{api.worker()['id']}")["observability"] == {}
    with faults.behaviour(worker_observability="without-defaults"):
        shown = api.result("PUT", path, {"name": worker["name"], "observability": whole})["observability"]
        logs = {key: value for key, value in FULL_LOGS.items() if key != "persist"}
        assert shown == {"enabled": True, "head_sampling_rate": 1, "logs": logs}


def test_what_wrangler_stores_of_observability_is_added_to_what_is_there(api: Api, faults: Faults) -> None:
    worker = api.worker()
    api.deploy(worker, (api.upload(worker), 100))
    settings = f"/workers/scripts/{worker['name']}/script-settings"
    api.result("PATCH", settings, {"observability": {"enabled": True}})
    changed = api.result("PATCH", settings, {"observability": {"logs": {"enabled": True}}})
    assert changed["observability"] == {"enabled": True, "head_sampling_rate": 1, "logs": FULL_LOGS, "traces": FULL_TRACES}
    with faults.behaviour(worker_observability="as-stored"):
        assert api.result("GET", f"/workers/workers/{worker['id']}")["observability"] == {"enabled": True, "logs": {"enabled": True}}


def test_replies_can_name_an_environment_nobody_sent_and_list_bindings_in_another_order(api: Api, faults: Faults) -> None:
    worker, other = api.worker(), api.worker()
    bindings = [
        {"name": "A", "type": "plain_text", "text": "1"},
        {"name": "B", "type": "service", "service": other["name"]},
        {"name": "C", "type": "service", "service": other["name"], "environment": "staging"},
    ]
    path = f"/workers/workers/{worker['id']}/versions/{api.upload(worker, bindings=bindings)['id']}"
    assert api.result("GET", path)["bindings"] == bindings
    with faults.behaviour(names_service_environment=True):
        named = [bindings[0], {**bindings[1], "environment": "production"}, bindings[2]]
        assert api.result("GET", path)["bindings"] == named
        assert api.upload(worker, bindings=bindings)["bindings"] == named
    with faults.behaviour(reverses_bindings=True):
        assert api.result("GET", path)["bindings"] == bindings[::-1]
