"""Whatever stands in an answer of the API, a look at the account ends with what it says or with one line; no other exception leaves it.

Each field of each answer gets each wrong value. What is read must be what it should be; what is not read may be anything.
"""

import asyncio
import json
import os
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crane_infra.d1.api import Api
from crane_infra.d1.client import D1
from crane_infra.d1.database import BoundStatement
from crane_infra.errors import ApiError, CraneError
from crane_infra.live.account import Account
from crane_infra.live.set_back import change_settings
from crane_infra.migrations.ledger import read_ledger
from tests.d1.fixtures import no_waiting
from tests.wrong_values import ABSENT, WRONG, Path, json_values, paths, spoiled

__all__ = ["no_waiting"]

ID, SCRIPT, VERSION = "11111111111111111111111111111111", "crane-context", "b0a3e9c8-0000-4000-8000-000000000001"
DATABASE = "22222222-2222-4222-8222-222222222222"
EXAMPLES = 10 * int(os.environ.get("CRANE_SOAK_ROUNDS", "2"))
"""How many drawn answers each of the looks gets; all of them read through the same few functions."""
Json = dict[str, Any]
LISTED = {
    "deployments": [
        {
            "id": "d1",
            "source": "wrangler",
            "strategy": "percentage",
            "author_email": "someone@example.com",
            "created_on": "2026-11-24T12:00:00Z",
            "annotations": {"workers/triggered_by": "deployment"},
            "versions": [{"version_id": VERSION, "percentage": 90.0}, {"version_id": "v0", "percentage": 10}],
        }
    ]
}
SHOWN = {
    "id": VERSION,
    "number": 3,
    "created_on": "2026-11-24T12:00:00Z",
    "limits": {"cpu_ms": 50},
    "annotations": {"workers/tag": "t1", "workers/message": "m"},
    "bindings": [{"name": "DB", "type": "d1", "id": DATABASE}, {"name": "M", "type": "plain_text", "text": "x"}],
    "compatibility_date": "2026-01-01",
    "compatibility_flags": ["nodejs_compat"],
    "migration_tag": "v1",
}
WORKER = {
    "id": "w1",
    "name": SCRIPT,
    "deployed_on": "2026-11-24T12:00:00Z",
    "tags": [],
    "subdomain": {"enabled": True, "previews_enabled": False},
}
SERVICE = {"id": SCRIPT, "default_environment": {"environment": "production", "script": {"id": SCRIPT, "migration_tag": "v1"}}}
UPLOADED = {"items": [{"id": VERSION, "number": 3}, {"id": "v0", "number": 2}]}
SCHEDULES = {"schedules": [{"cron": "0 3 * * *", "created_on": "2026-11-24T12:00:00Z"}]}
NAMED = {"uuid": DATABASE, "name": "db", "num_tables": 3, "read_replication": {"mode": "disabled"}}
NO_COLUMN = dict.fromkeys(("id", "type", "sql", "sha256", "origin", "token", "release", "bookmark", "started_at", "done_at"), None)
OBJECTS = [
    {"source": "sqlite_master", **NO_COLUMN, "name": name, "type": "table", "sql": f"CREATE TABLE {name} (x)"} for name in ("t", "u")
]
RECORDED = {"sha256": "s", "origin": "applied", "token": "t", "release": "r", "started_at": "then", "done_at": "then"}
LEDGER = [*OBJECTS, {"source": "crane_migrations", **NO_COLUMN, "name": "0001_t.sql", **RECORDED}]
READ = {"success": True, "meta": {"changes": 0}}
ROWS = [{**READ, "results": [{"counted": len(LEDGER)}]}, {**READ, "results": LEDGER}]
ANSWERS: dict[str, Any] = {
    f"/workers/scripts/{SCRIPT}/deployments": LISTED,
    f"/workers/workers/{SCRIPT}/versions/{VERSION}": SHOWN,
    f"/workers/workers/{SCRIPT}": WORKER,
    f"/workers/scripts/{SCRIPT}/schedules": SCHEDULES,
    f"/workers/services/{SCRIPT}": SERVICE,
    f"/workers/scripts/{SCRIPT}/versions": UPLOADED,
    f"/d1/database/{DATABASE}": NAMED,
    "/d1/database": [NAMED, {"uuid": "33333333-3333-4333-8333-333333333333", "name": "db-2"}],
    f"/d1/database/{DATABASE}/query": ROWS,
    f"/d1/database/{DATABASE}/time_travel/bookmark": {"bookmark": "b1"},
}
Look = Callable[[Account, D1], Awaitable[object]]
LOOKS: dict[str, tuple[str, Look]] = {
    "deployments": (f"/workers/scripts/{SCRIPT}/deployments", lambda account, _: account.deployments(SCRIPT)),
    "tag": (f"/workers/workers/{SCRIPT}/versions/{VERSION}", lambda account, _: account.tag_of(SCRIPT, VERSION)),
    "presence": (f"/workers/workers/{SCRIPT}", lambda account, _: account.has_worker(SCRIPT)),
    "worker": (f"/workers/workers/{SCRIPT}", lambda account, _: account.worker(SCRIPT)),
    "worker's version": (f"/workers/workers/{SCRIPT}/versions/{VERSION}", lambda account, _: account.worker(SCRIPT)),
    "schedules": (f"/workers/scripts/{SCRIPT}/schedules", lambda account, _: account.worker(SCRIPT)),
    "classes": (f"/workers/services/{SCRIPT}", lambda account, _: account.class_tag(SCRIPT)),
    "newest version": (f"/workers/scripts/{SCRIPT}/versions", lambda account, _: account.newest_version(SCRIPT)),
    "version": (f"/workers/workers/{SCRIPT}/versions/{VERSION}", lambda account, _: account.version(SCRIPT, VERSION)),
    "settings": (f"/workers/workers/{SCRIPT}", lambda account, _: change_settings(account, SCRIPT, {"logpush": True})),
    "database": (f"/d1/database/{DATABASE}", lambda account, _: account.database_name(DATABASE)),
    "replication": (f"/d1/database/{DATABASE}", lambda account, _: account.read_replication(DATABASE)),
    "database by name": ("/d1/database", lambda account, _: account.database_named("db")),
    "ledger": (f"/d1/database/{DATABASE}/query", lambda _, db: read_ledger(db, ready=True)),
    "write": (f"/d1/database/{DATABASE}/query", lambda _, db: db.write([BoundStatement("INSERT"), BoundStatement("INSERT")])),
    "bookmark": (f"/d1/database/{DATABASE}/time_travel/bookmark", lambda _, db: db.bookmark()),
}
"""By name: the answer that is spoilt, and what reads it."""


class Cloudflare:
    """The API, one of whose answers is spoilt. All looks share a client and its event loop: there are thousands of them."""

    def __init__(self) -> None:
        self.spoilt, self.status, self.body = "", 200, b""
        self._loop = asyncio.Runner()
        self._http = httpx.AsyncClient(base_url="http://127.0.0.1", transport=httpx.MockTransport(self._answer))

    def _answer(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path.partition(f"/accounts/{ID}")[2]
        if path == self.spoilt:
            return httpx.Response(self.status, content=self.body)
        return httpx.Response(200, json={"success": True, "errors": [], "messages": [], "result": ANSWERS[path]})

    async def _read(self, read: Look) -> object:
        return await read(Account(Api(self._http, "t"), ID), D1(Api(self._http, "t"), ID, DATABASE, "db"))

    def look(self, name: str, body: bytes, status: int = 200) -> object:
        """What a look gives, or the error that it ends with, where one call is answered with these bytes."""
        (self.spoilt, read), self.body, self.status = LOOKS[name], body, status
        try:
            return self._loop.run(self._read(read))
        except CraneError as error:
            return error

    def close(self) -> None:
        """End its event loop."""
        self._loop.run(self._http.aclose())
        self._loop.close()


@pytest.fixture(scope="module")
def api() -> Iterator[Cloudflare]:
    """One for all tests of this file."""
    made = Cloudflare()
    yield made
    made.close()


def closed(result: object) -> bool:
    """Whether a look ended with an error of one line."""
    if not isinstance(result, CraneError):
        return False
    assert isinstance(result, ApiError), result
    assert len(str(result).splitlines()) == 1
    assert "Traceback" not in str(result)
    return True


def envelope(result: object) -> bytes:
    """A success, as Python's lax JSON writes it: with NaN and half a surrogate pair."""
    return json.dumps({"success": True, "errors": [], "messages": [], "result": result}).encode("utf-8", "surrogatepass")


def test_each_look_reads_the_answers_that_are_right(api: Cloudflare) -> None:
    for name, (path, _) in LOOKS.items():
        assert not closed(api.look(name, envelope(ANSWERS[path]))), name


def wrong_fields(name: str) -> Iterator[tuple[Any, str]]:
    """Every field of an answer, with every wrong value."""
    whole = ANSWERS[LOOKS[name][0]]
    for path in paths(whole):
        for wrong, value in WRONG.items():
            if path or value is not ABSENT:
                yield spoiled(whole, path, value), f"{path} {wrong}"


@pytest.mark.parametrize("name", LOOKS)
def test_a_field_of_any_other_type_is_read_or_closes_with_one_line(api: Cloudflare, name: str) -> None:
    for result, _ in wrong_fields(name):
        closed(api.look(name, envelope(result)))


READ_FIELDS: dict[str, list[Path]] = {
    "deployments": [
        ("deployments",),
        ("deployments", 0),
        ("deployments", 0, "id"),
        ("deployments", 0, "versions"),
        ("deployments", 0, "versions", 0),
        ("deployments", 0, "versions", 0, "version_id"),
        ("deployments", 0, "versions", 0, "percentage"),
    ],
    "presence": [("name",), ("subdomain", "enabled"), ("tags",)],
    "tag": [("id",), ("annotations", "workers/tag")],
    "schedules": [("schedules",), ("schedules", 0), ("schedules", 0, "cron")],
    "database": [("uuid",), ("name",)],
    "ledger": [
        (0,),
        (1,),
        (0, "results"),
        (1, "results"),
        (1, "results", 0),
        (1, "results", 0, "source"),
        (1, "results", 2, "sha256"),
        (1, "success"),
    ],
    "bookmark": [("bookmark",)],
}


@pytest.mark.parametrize("wrong", ["huge", "not a number", "list of null", "object", "deep"])
@pytest.mark.parametrize("name", READ_FIELDS)
def test_a_field_that_is_read_is_never_guessed(api: Cloudflare, name: str, wrong: str) -> None:
    whole = ANSWERS[LOOKS[name][0]]
    for path in READ_FIELDS[name]:
        if path[-1:] != ("percentage",) or wrong != "huge":
            assert closed(api.look(name, envelope(spoiled(whole, path, WRONG[wrong])))), path


@pytest.mark.parametrize("name", LOOKS)
@settings(max_examples=EXAMPLES)
@given(
    result=json_values,
    success=st.sampled_from([True, False, None, "true"]),
    errors=json_values,
    status=st.sampled_from([200, 400, 404, 503]),
)
def test_any_answer_is_read_or_closes_with_one_line(
    api: Cloudflare, name: str, result: object, success: object, errors: object, status: int
) -> None:
    body = {"success": success, "errors": errors, "messages": [], "result": result}
    closed(api.look(name, json.dumps(body).encode("utf-8", "surrogatepass"), status))


@pytest.mark.parametrize("name", LOOKS)
@settings(max_examples=EXAMPLES)
@given(body=st.binary(max_size=30), status=st.integers(200, 599))
def test_any_bytes_close_with_one_line(api: Cloudflare, name: str, body: bytes, status: int) -> None:
    assert closed(api.look(name, body, status))


def test_no_control_character_of_an_answer_reaches_the_terminal(api: Cloudflare) -> None:
    refused = api.look("deployments", b'{"success": false, "errors": [{"code": 1, "message": "a\\u001b[2J\\nb"}]}', 400)
    assert str(refused) == f"deployments of {SCRIPT}: Cloudflare's API refused it: a [2J b (code 1). Fix what the message names."
    listed = json.loads(json.dumps(LISTED).replace(VERSION, "\\u001b[2J"))
    assert closed(api.look("deployments", envelope(listed)))
