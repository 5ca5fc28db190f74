"""The records of workers: settings, deployments, schedules and references, and what a deletion removes."""

import pytest

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
