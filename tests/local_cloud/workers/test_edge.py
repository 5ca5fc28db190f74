"""The edge: which version answers (by header, by key, by its own address), and how long a deployment takes to arrive."""

import itertools
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from local_cloud.faults.client import Faults
from local_cloud.workers.choose_version import chosen, dictionary
from local_cloud.workers.previews import MOST_RUNNING
from local_cloud.workers.propagation import Propagation
from tests.cloud import Api, Body
from tests.local_cloud.workers.forms import says

pytestmark = pytest.mark.cloud

OVERRIDES, AFFINITY = "Cloudflare-Workers-Version-Overrides", "Cloudflare-Workers-Version-Key"
UNKNOWN = "10ca1000-0000-4000-8000-000000000000"
HOUR = 3600.0


def _two(api: Api, percentage: float = 0) -> tuple[Body, Body, Body]:
    worker = api.worker()
    old, new = api.upload(worker, says("old")), api.upload(worker, says("new"))
    api.deploy(worker, (old, 100 - percentage), (new, percentage))
    return worker, old, new


def test_the_header_reaches_a_version_that_gets_no_traffic(api: Api) -> None:
    worker, old, new = _two(api)
    answers = [api.edge(worker, headers={OVERRIDES: f'{worker["name"]}="{version["id"]}"'}).text for version in (new, old, new)]
    assert answers == ["new", "old", "new"]
    both = f'other="{UNKNOWN}", {worker["name"]}="{new["id"]}";p=1'
    assert api.edge(worker, headers={OVERRIDES: both}).text == "new"
    assert {api.edge(worker).text for _ in range(10)} == {"old"}


def test_an_invalid_header_falls_back_to_the_percentages(api: Api) -> None:
    worker, _, new = _two(api)
    undeployed = api.upload(worker, says("undeployed"))
    name = worker["name"]
    useless = [f'{name}="{undeployed["id"]}"', f'other="{new["id"]}"', f"{name}={new['id']}", f'{name}="{new["id"]}"; broken=', ""]
    assert {api.edge(worker, headers={OVERRIDES: value}).text for value in useless} == {"old"}


@pytest.mark.parametrize(
    ("text", "members"),
    [
        ('a="x"', {"a": "x"}),
        ('a="x",b="y" ,\tc="z"', {"a": "x", "b": "y", "c": "z"}),
        ('a="x";p=1; q, b', {"a": "x"}),
        ('a=(1 "z");q, b=?1, c=:aGk=:, d=tok, e=-1.5, f="y"', {"f": "y"}),
        ('a="x", a="y"', {"a": "y"}),
        ('a="x", a=1', {}),
        (r'a="\"q\\"', {"a": '"q\\'}),
        ('A="x"', {}),
        ('a="x', {}),
        ('a="x",', {}),
        ('a="x" b="y"', {}),
        ('a="x";', {}),
        ("a='x'", {}),
        ('a="ä"', {}),
        ('a="' + "x" * 5000 + '"', {}),
    ],
)
def test_the_header_is_a_dictionary_of_rfc_9651_or_is_ignored(text: str, members: dict[str, str]) -> None:
    assert dictionary(text) == members


def test_a_key_always_leads_to_the_same_version_and_never_back_as_the_share_grows() -> None:
    def answers(percentage: float) -> list[str]:
        deployment = {"versions": [{"version_id": "old", "percentage": 100 - percentage}, {"version_id": "new", "percentage": percentage}]}
        keys = [{AFFINITY.lower(): f"user-{number}"} for number in range(300)]
        return [chosen(deployment, "w", key, {"old": 1, "new": 2}.__getitem__) for key in keys]

    steps = [answers(percentage) for percentage in (0, 10, 50, 100)]
    assert answers(50) == steps[2]
    assert [set(step) for step in steps] == [{"old"}, {"old", "new"}, {"old", "new"}, {"new"}]
    for before, after in itertools.pairwise(steps):
        assert [pair for pair in zip(before, after, strict=True) if pair == ("new", "old")] == []


def test_a_key_reaches_the_edge(api: Api) -> None:
    worker, _, _ = _two(api, 50)
    answers = [{api.edge(worker, headers={AFFINITY: f"user-{number}"}).text for _ in range(3)} for number in range(20)]
    assert {len(answer) for answer in answers} == {1}
    assert set.union(*answers) == {"old", "new"}


def _preview(api: Api, worker: Body, version: Body, path: str = "/") -> httpx.Response:
    return api.edge({"name": f"{version['id'][:8]}-{worker['name']}"}, path)


def test_a_version_has_an_address_of_its_own_with_its_own_bindings_deployed_or_not(api: Api) -> None:
    code = "export default { fetch: (r, env) => Response.json([env.TTL, r.url]) };"
    worker = api.worker()
    versions = [api.upload(worker, code, bindings=[{"name": "TTL", "type": "plain_text", "text": text}]) for text in ("1", "2")]
    urls = [_preview(api, worker, version, "/a?b").json() for version in versions]
    assert urls == [["1", f"{versions[0]['urls'][0]}/a?b"], ["2", f"{versions[1]['urls'][0]}/a?b"]]
    api.deploy(worker, (versions[0], 100))
    assert [_preview(api, worker, version).json()[0] for version in versions] == ["1", "2"]
    assert api.edge(worker).json()[0] == "1"


def test_an_address_of_a_version_answers_only_while_previews_are_on(api: Api) -> None:
    worker = api.worker()
    version = api.upload(worker)
    path = f"/workers/scripts/{worker['name']}/subdomain"
    api.result("POST", path, {"enabled": False, "previews_enabled": True})
    assert _preview(api, worker, version).text == "hello"
    api.result("POST", path, {"enabled": True, "previews_enabled": False})
    assert _preview(api, worker, version).status_code == 404
    assert api.result("GET", f"/workers/workers/{worker['id']}/versions/{version['id']}")["urls"] == []


def test_an_alias_leads_to_the_newest_version_that_has_it(api: Api) -> None:
    worker = api.worker()
    for text in ("one", "two"):
        api.upload(worker, says(text), annotations={"workers/alias": "my-branch"})
    assert api.edge({"name": f"my-branch-{worker['name']}"}).text == "two"


def test_no_other_label_leads_to_a_version(api: Api) -> None:
    worker = api.worker()
    version = api.upload(worker)
    labels = [
        f"{version['id']}-{worker['name']}",
        f"{version['id'][:7]}-{worker['name']}",
        f"-{worker['name']}",
        f"deadbeef-{worker['name']}",
    ]
    assert {api.edge({"name": label}).status_code for label in labels} == {404}


def test_more_previews_than_may_run_all_answer_one_after_the_other(api: Api) -> None:
    worker = api.worker()
    versions = [api.upload(worker, says(str(number))) for number in range(MOST_RUNNING + 1)]
    assert [_preview(api, worker, version).text for version in versions] == [str(number) for number in range(MOST_RUNNING + 1)]
    assert _preview(api, worker, versions[0]).text == "0"


def test_the_edge_serves_the_former_deployment_until_the_new_one_arrives(api: Api, faults: Faults) -> None:
    worker = api.worker()
    old, new = api.upload(worker, says("old")), api.upload(worker, says("new"))
    api.deploy(worker, (old, 100))
    with faults.behaviour(propagation_seconds=HOUR):
        deployment = api.deploy(worker, (new, 100))
        assert {api.edge(worker).text for _ in range(10)} == {"old"}
        assert api.edge(worker, headers={OVERRIDES: f'{worker["name"]}="{new["id"]}"'}).text == "old"
        assert api.result("GET", f"/workers/scripts/{worker['name']}/deployments")["deployments"][0] == deployment
    assert {api.edge(worker).text for _ in range(10)} == {"new"}


def test_a_deployment_that_arrives_may_answer_beside_the_former_one(api: Api, faults: Faults) -> None:
    worker, old, new = _two(api)
    header = {OVERRIDES: f'{worker["name"]}="{new["id"]}"'}
    with faults.behaviour(propagation_seconds=HOUR, propagation_mixes=True):
        api.deploy(worker, (old, 100))
        assert {api.edge(worker, headers=header).text for _ in range(60)} == {"old", "new"}
    assert api.edge(worker, headers=header).text == "old"


def test_the_header_may_be_ignored(api: Api, faults: Faults) -> None:
    worker, _, new = _two(api)
    with faults.behaviour(ignores_version_overrides=True):
        assert api.edge(worker, headers={OVERRIDES: f'{worker["name"]}="{new["id"]}"'}).text == "old"


def test_before_a_first_deployment_arrives_there_is_nothing(api: Api, faults: Faults) -> None:
    worker = api.worker()
    version = api.upload(worker)
    with faults.behaviour(propagation_seconds=HOUR):
        api.deploy(worker, (version, 100))
        assert (api.edge(worker).status_code, api.edge(worker).text) == (404, "There is nothing here yet")
    assert api.edge(worker).text == "hello"


def test_service_bindings_reach_the_version_that_the_edge_serves(api: Api, faults: Faults) -> None:
    back, front = api.worker(), api.worker()
    api.deploy(back, (api.upload(back, says("old")), 100))
    code = "export default { fetch: (request, env) => env.BACK.fetch(request) };"
    api.deploy(front, (api.upload(front, code, bindings=[{"name": "BACK", "type": "service", "service": back["name"]}]), 100))
    with faults.behaviour(propagation_seconds=HOUR):
        api.deploy(back, (api.upload(back, says("new")), 100))
        assert api.edge(front).text == "old"
    assert api.edge(front).text == "new"


def test_a_worker_that_is_deleted_is_gone_at_once(api: Api, faults: Faults) -> None:
    worker, _, new = _two(api)
    with faults.behaviour(propagation_seconds=HOUR):
        api.deploy(worker, (new, 100))
        api.result("DELETE", f"/workers/scripts/{worker['name']}")
        assert api.edge(worker).status_code == 404


def test_deployments_arrive_in_their_order_each_after_its_own_time() -> None:
    now = [0.0]
    first, second, third = ({"id": ident} for ident in ("first", "second", "third"))
    propagation = Propagation(lambda: now[0])
    propagation.begin("w", "second", first)
    now[0] = 5
    propagation.begin("w", "third", second)
    assert (propagation.settle(10), propagation.seen("w", third)) == (False, first)
    assert propagation.formers("w") == [first, second]
    now[0] = 12
    assert (propagation.settle(10), propagation.seen("w", third)) == (True, second)
    now[0] = 15
    assert (propagation.settle(10), propagation.seen("w", third)) == (True, third)
    assert propagation.seen("other", None) is None


def test_a_failed_deployment_is_forgotten() -> None:
    propagation = Propagation(lambda: 0.0)
    propagation.begin("w", "second", {"id": "first"})
    propagation.forget("w", "second")
    assert propagation.seen("w", {"id": "first"}) == {"id": "first"}


def test_a_websocket_is_refused_with_a_reason(api: Api) -> None:
    worker, _, _ = _two(api)
    headers = {
        "connection": "upgrade",
        "upgrade": "websocket",
        "sec-websocket-version": "13",
        "sec-websocket-key": "x3JJHMbDL1EzLkh9GBhXDw==",
    }
    reply = api.edge(worker, headers=headers)
    assert (reply.status_code, reply.text) == (501, "The local cloud does not emulate WebSockets")


def test_requests_during_a_series_of_deployments_are_all_answered_by_one_of_them(api: Api) -> None:
    """A version is chosen when a request passes, so none is removed meanwhile."""
    worker = api.worker()
    versions = [api.upload(worker, says(text)) for text in ("one", "two")]
    api.deploy(worker, (versions[0], 100))
    with ThreadPoolExecutor(4) as pool:
        deploys = pool.submit(lambda: [api.deploy(worker, (versions[number % 2], 100)) for number in range(6)])
        answers = []
        while not deploys.done():
            answers += list(pool.map(lambda _: api.edge(worker), range(6)))
        deploys.result()
    assert {answer.text for answer in answers} <= {"one", "two"}
    assert {answer.status_code for answer in answers} == {200}
