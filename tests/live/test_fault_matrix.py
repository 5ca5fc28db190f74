"""Whatever Cloudflare's API answers to any look, the run is closed with one line that is true: the API failed, or may not be asked.

Each call that the product makes, each wrong body, each look that makes the call. A read is sent again, so one wrong answer changes nothing;
one that stays ends the run. No wrong answer is told as a change that somebody made, and only 401 and 403 speak of permissions.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from _pytest.mark.structures import ParameterSet

from crane_infra.errors import CraneError
from local_cloud.daemon import Running
from local_cloud.faults.client import Faults
from local_cloud.faults.model import Drop, Error, Reply, Then
from tests.cloud import Api, api_of
from tests.d1.fixtures import no_waiting
from tests.live.proven_account import DATABASE as NAME
from tests.live.proven_account import MIGRATIONS, EmptyDatabase, ProvenAccount, make_proven_account

__all__ = ["no_waiting"]

pytestmark = pytest.mark.cloud

A = "/accounts/{a}"
DEPLOYMENTS, SCHEDULES = f"GET {A}/workers/scripts/{{name}}/deployments", f"GET {A}/workers/scripts/{{name}}/schedules"
WORKER, VERSION = f"GET {A}/workers/workers/{{id}}", f"GET {A}/workers/workers/{{id}}/versions/{{version}}"
DATABASE, QUERY = f"GET {A}/d1/database/{{id}}", f"POST {A}/d1/database/{{id}}/query"
JSON, HTML = {"content-type": "application/json"}, {"content-type": "text/html; charset=UTF-8"}
AGAIN, WAIT = r"Try again", r"\(429\).* Wait, then run the same command again"
PERMISSION, REFUSED = r"Use a valid token with the permission|Give it the permission", r"Could not route to .* Fix what the message names"
PAGE = "<!DOCTYPE html><html>attention required</html>"
MISLEADING = re.compile(
    r"does not exist|has changed|serves |deployed|is gone|was deleted|stands at|to adopt|restored|Traceback|no worker|no database"
)


def answer(result: str, status: int = 200) -> Reply:
    """A success of the API with this result, as JSON."""
    return Reply(status, f'{{"success": true, "errors": [], "messages": [], "result": {result}}}', JSON)


@dataclass(frozen=True)
class Wrong:
    """A wrong answer, and what the refusal says to do about it. ``passes``: one such answer is followed by a better one."""

    then: Then
    says: str = AGAIN
    passes: bool = True


BODIES = {
    "HTML with 200": Wrong(Reply(200, PAGE, HTML)),
    "HTML with 404": Wrong(Reply(404, PAGE, HTML)),
    "HTML with 403": Wrong(Reply(403, PAGE, HTML)),
    "HTML with 502": Wrong(Reply(502, PAGE, HTML)),
    "nothing with 200": Wrong(Reply(200, "")),
    "nothing with 404": Wrong(Reply(404, "")),
    "somebody else's 404": Wrong(Reply(404, '{"message": "Not Found"}', JSON)),
    "404 without a code": Wrong(Reply(404, '{"success": false, "errors": [], "messages": [], "result": null}', JSON)),
    "404 of an unknown route": Wrong(
        Error(404, 7003, "Could not route to /x, perhaps your object identifier is invalid?"), REFUSED, passes=False
    ),
    "no result": Wrong(Reply(200, '{"success": true, "errors": []}', JSON)),
    "success that is a text": Wrong(Reply(200, '{"success": "true", "result": []}', JSON)),
    "a result of null": Wrong(answer("null")),
    "an empty list": Wrong(answer("[]")),
    "an empty object": Wrong(answer("{}")),
    "a list of texts": Wrong(answer('["x"]')),
    "a number": Wrong(answer("1")),
    "not a number": Wrong(answer("NaN")),
    "infinity": Wrong(answer("[-Infinity]")),
    "half a pair": Wrong(answer('"\\ud800"')),
    "deep": Wrong(answer("[" * 5000 + "]" * 5000)),
    "cut short": Wrong(Reply(200, '{"success": true, "errors": [], "result": {"deployments": [{"id": "', JSON)),
    "failure without a reason": Wrong(Reply(200, '{"success": false, "errors": []}', JSON)),
    "errors that are none": Wrong(Reply(400, '{"success": false, "errors": [[1], "x", {"code": [], "message": {}}]}', JSON)),
    "500": Wrong(Error(500)),
    "503 as HTML": Wrong(Reply(503, PAGE, HTML)),
    "packed, and is not": Wrong(Reply(200, PAGE, {**JSON, "content-encoding": "gzip"})),
    "a way to another machine": Wrong(Reply(302, PAGE, {**HTML, "location": "http://127.0.0.1:1/login"})),
    "dropped": Wrong(Drop("after-read")),
    "dropped in the middle": Wrong(Drop("mid-body")),
    "429": Wrong(Error(429, 971, "slow down"), WAIT),
    "429 as HTML": Wrong(Reply(429, PAGE, HTML), WAIT),
    "429 for some time": Wrong(Error(429, 971, "slow down", {"retry-after": "soon"}), WAIT),
    "429 for ten minutes": Wrong(Error(429, 971, "slow down", {"retry-after": "600"}), r"asks to wait 600 s\. Wait, then", passes=False),
    "401": Wrong(Error(401, 10000, "Authentication error"), PERMISSION, passes=False),
    "403": Wrong(Error(403, 10000, "Authentication error"), PERMISSION, passes=False),
}
NO_ROWS = '{"success": true, "results": [], "meta": {}}'
EMPTY: dict[str, dict[str, Wrong]] = {
    DEPLOYMENTS: {
        "no deployment": Wrong(answer('{"deployments": []}')),
        "no worker": Wrong(Error(404, 10007, "This Worker does not exist on your account.")),
        "no version": Wrong(answer('{"deployments": [{"id": "d", "versions": []}]}')),
    },
    WORKER: {"no worker": Wrong(Error(404, 10007, "This Worker does not exist on your account."))},
    SCHEDULES: {"no worker": Wrong(Error(404, 10007, "This Worker does not exist on your account."))},
    DATABASE: {"no database": Wrong(Error(404, 7404, "The database could not be found"))},
    QUERY: {
        "no database": Wrong(Error(404, 7404, "The database could not be found")),
        "no rows": Wrong(answer(f"[{NO_ROWS}, {NO_ROWS}]")),
        "too many results": Wrong(answer(f"[{', '.join([NO_ROWS] * 20)}]")),
    },
}
"""By call, the answers that there is nothing, or no such thing, in Cloudflare's own words. Other answers contradict them."""
SHORT = {DEPLOYMENTS: "deployments", SCHEDULES: "schedules", WORKER: "worker", VERSION: "version", DATABASE: "database", QUERY: "query"}
WORST = ("HTML with 404", "cut short", "429", "403")
Look = Callable[[ProvenAccount], object]
LOOKS: dict[str, tuple[Look, tuple[str, ...]]] = {
    "verify of staging": (lambda account: _verified(account, "staging"), (DEPLOYMENTS,)),
    "verify of production": (lambda account: _verified(account, "production"), (DEPLOYMENTS, VERSION, WORKER, SCHEDULES, DATABASE, QUERY)),
    "gate": (lambda account: account.gate(), (DEPLOYMENTS, VERSION, QUERY)),
    "deployments of staging": (lambda account: account.deployments("staging"), (DEPLOYMENTS,)),
    "deployments of production": (lambda account: account.deployments("production"), (DEPLOYMENTS,)),
    "ledgers of production": (lambda account: account.ledgers("production"), (QUERY,)),
    "settings of production": (lambda account: account.script_settings("production"), (WORKER, SCHEDULES, DATABASE)),
    "adoptions": (lambda account: account.adoptions("production"), (WORKER, DEPLOYMENTS, VERSION, SCHEDULES, DATABASE, QUERY)),
    "proof": (lambda account: account.prove("production"), (DEPLOYMENTS, VERSION, QUERY)),
    "apply to staging": (lambda account: account.apply("staging"), (QUERY,)),
    "apply to production": (lambda account: account.apply("production"), (DEPLOYMENTS, VERSION, QUERY)),
}
"""Staging has its own row where its look is not a part of production's: ``verify`` of production first asks whether it was rolled back."""
WHOLE = {DEPLOYMENTS: "deployments of production", QUERY: "ledgers of production", VERSION: "gate"}
SETTINGS = "settings of production"
"""By call, the look that is tried with every body, one of few calls; the others are tried with the worst ones."""


def _verified(account: ProvenAccount, environment: str) -> object:
    report = account.verify("staging" if environment == "staging" else "production")
    return sorted(report.seen), [str(finding) for finding in report.findings]


def cases() -> Iterator[ParameterSet]:
    """Each look, each call that it makes, each wrong body."""
    for look, (_, routes) in LOOKS.items():
        for route in routes:
            whole = WHOLE.get(route, SETTINGS) == look
            bodies = {name: wrong for name, wrong in BODIES.items() if whole or name in WORST}
            for name, wrong in {**bodies, **EMPTY.get(route, {})}.items():
                yield pytest.param(look, route, wrong, id=f"{look}-{SHORT[route]}-{name}")


@pytest.fixture(scope="module")
def account(cloud: Running, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProvenAccount]:
    """Both environments run one proven release."""
    api: Api = api_of(cloud)
    with api.http:
        yield make_proven_account(api, cloud, tmp_path_factory.mktemp("account"))
        for name in api.made:
            api.call("DELETE", f"/workers/scripts/{name}?force=true")


@pytest.fixture(scope="module")
def good(account: ProvenAccount) -> dict[str, str]:
    """What each look gives where nothing is wrong."""
    return {name: repr(look(account)) for name, (look, _) in LOOKS.items()}


@pytest.fixture
def faults(cloud: Running) -> Faults:
    """The faults of the file's cloud, its log cleared. Each fault here ends with its block, so nothing is left to end afterwards."""
    injected = Faults(cloud)
    injected.reset()
    return injected


@pytest.fixture(scope="module")
def empty(account: ProvenAccount) -> Iterator[EmptyDatabase]:
    """The database to which the cells of writes apply files, one after the other: each new one would start the runtime again."""
    with account.with_empty_database() as made:
        yield made


@pytest.mark.parametrize(("look", "route", "wrong"), list(cases()))
def test_a_wrong_answer_is_asked_for_again_and_one_that_stays_closes_with_one_true_line(
    account: ProvenAccount, good: dict[str, str], faults: Faults, look: str, route: str, wrong: Wrong
) -> None:
    if wrong.passes:
        with faults.fault(route, wrong.then):
            assert repr(LOOKS[look][0](account)) == good[look]
    with faults.fault(route, wrong.then, times=99), pytest.raises(CraneError) as refused:
        LOOKS[look][0](account)
    text, calls = str(refused.value), faults.calls()
    assert len([call for call in calls if call["fault"]]) > wrong.passes, "each of both looks met the wrong answer"
    assert len(text.splitlines()) == 1
    assert re.search(wrong.says, text), text
    assert not MISLEADING.search(text), text
    assert ("permission" in text) == (wrong.says == PERMISSION or "status 403" in text), text
    assert [call["path"] for call in calls if call["method"] != "GET" and not call["path"].endswith("/query")] == []


BOOKMARK, IMPORT, UPLOAD = (
    f"GET {A}/d1/database/{{id}}/time_travel/bookmark",
    f"POST {A}/d1/database/{{id}}/import",
    "PUT /d1-files/{uuid}/{name}",
)
WRITES = {
    "bookmark": (BOOKMARK, ""),
    "ledger's tables": (QUERY, "CREATE TABLE IF NOT EXISTS crane_migrations"),
    "file": (QUERY, MIGRATIONS["0002_row.sql"].strip().rstrip(";")),
    "import begun": (IMPORT, '"init"'),
    "import run": (IMPORT, '"ingest"'),
    "upload": (UPLOAD, ""),
}
"""The calls of a run that applies files, by the text that their body has."""
UNDONE = ("HTML with 404", "an empty object", "failure without a reason", "dropped", "403")
CLAIMED = f"[{', '.join([NO_ROWS] * 20)}]"


@pytest.mark.parametrize("name", [*UNDONE, "claimed"])
@pytest.mark.parametrize("call", WRITES)
def test_a_wrong_answer_to_a_write_never_ends_well_and_the_next_run_applies_what_is_missing_once(
    empty: EmptyDatabase, faults: Faults, call: str, name: str
) -> None:
    """Where a write is claimed to be done and is not, the last look at the ledger says so."""
    route, saying = WRITES[call]
    if name == "claimed" and route == UPLOAD:
        return  # whatever ends well there has stored nothing: the import that follows fails
    then = answer(CLAIMED if route == QUERY else '{"success": true, "status": "complete"}') if name == "claimed" else BODIES[name].then
    trigger = empty.clear(f"{call}, {name}")
    with faults.fault(route, then, times=99, saying=saying) as always, pytest.raises(CraneError) as refused:
        empty.account.apply("staging")
    assert always.fired
    text = str(refused.value)
    assert len(text.splitlines()) == 1
    assert "Traceback" not in text
    if "D1 Read" in text or "D1 Write" in text:
        assert f"permission {'D1 Read' if call == 'bookmark' else 'D1 Write'}" in text
    left = 3 - len(empty.account.listed("staging"))
    shown = empty.account.settings["staging"].databases[NAME].name
    assert empty.account.apply("staging") == [f"{shown}: {left} applied, ledger at 0003_trigger.sql"]
    for sql in (*MIGRATIONS.values(), trigger):
        assert faults.executed(sql.strip(), empty.account.database_id("staging")) == 1


SET_BACK = {"settings": f"PATCH {A}/workers/workers/{{id}}", "schedules": f"PUT {A}/workers/scripts/{{name}}/schedules"}


@pytest.mark.parametrize("name", [*UNDONE, "claimed"])
@pytest.mark.parametrize("what", SET_BACK)
def test_settings_are_set_back_only_where_another_look_agrees(account: ProvenAccount, faults: Faults, what: str, name: str) -> None:
    """Whatever the reply says; the next run sets back what is left."""
    then = answer("{}") if name == "claimed" else BODIES[name].then
    account.change_beside("staging")
    with faults.fault(SET_BACK[what], then, times=99) as always, pytest.raises(CraneError) as refused:
        account.set_back("staging")
    assert always.fired
    text = str(refused.value)
    assert len(text.splitlines()) == 1
    assert ("permission Workers Scripts Write" in text) == (name == "403"), text
    assert account.set_back("staging")
    assert account.set_back("staging") == []
