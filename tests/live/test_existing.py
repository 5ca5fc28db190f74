"""What the account already has under a name is said with what is in it, and with the command that adopts it, or that deletes it where adopting is too late."""

# ruff: noqa: S608 - SQL of the tests themselves

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from uuid import uuid4

import pytest

from crane_infra.d1.api import connect
from crane_infra.errors import ApiError
from crane_infra.live.account import Account
from crane_infra.live.existing import Wanted, existing_database, existing_worker
from local_cloud.daemon import Running
from local_cloud.faults.client import Faults
from local_cloud.faults.model import Reply
from tests.cloud import Api

pytestmark = pytest.mark.cloud

LIST = "GET /accounts/{a}/d1/database"
NEITHER = "and this stack neither created nor adopted it."
AGAIN = "then run the same command again."


@pytest.fixture
async def account(cloud: Running) -> AsyncIterator[Account]:
    """The account of the local cloud."""
    async with connect(cloud.api_url, cloud.token) as client:
        yield Account(client, cloud.account_id)


@pytest.fixture
def wanted() -> Wanted:
    """Something that staging is about to create, under a name that nothing else has."""
    return Wanted("staging", "crane-context-db", f"crane-{uuid4().hex}")


def adopts(path: str, value: str) -> str:
    return f"If it belongs to this environment, adopt it: pulumi config set -s staging --path {path}.adopt {value}, {AGAIN}"


async def test_what_the_account_does_not_have_is_created(account: Account, wanted: Wanted) -> None:
    assert await existing_database(account, wanted) is None
    assert await existing_worker(account, wanted) is None


async def test_an_empty_database_is_named_with_the_setting_that_adopts_it(account: Account, api: Api, wanted: Wanted) -> None:
    created = api.database(wanted.name)
    what = f"database {wanted.name}: already exists as {created} without tables, {NEITHER}"
    assert str(await existing_database(account, wanted)) == f"{what} {adopts('databases.crane-context-db', created)}"


@pytest.mark.parametrize(("tables", "counted"), [(1, "1 table"), (2, "2 tables")])
async def test_a_database_with_tables_is_to_be_looked_at_first(
    account: Account, api: Api, wanted: Wanted, tables: int, counted: str
) -> None:
    created = api.database(wanted.name)
    for number in range(tables):
        api.query(created, f"CREATE TABLE t{number} (id INTEGER)")
    look = f"Look what is in it: wrangler d1 execute {wanted.name} --remote --command 'SELECT name FROM sqlite_schema'."
    said = f"database {wanted.name}: already exists as {created} with {counted}, {NEITHER} {look} {adopts('databases.crane-context-db', created)}"
    assert str(await existing_database(account, wanted)) == said


async def test_a_database_with_a_longer_name_is_another_one(account: Account, api: Api, wanted: Wanted, faults: Faults) -> None:
    """The API lists whatever contains the name, and page by page."""
    created = api.database(wanted.name)
    first, second = ([{"uuid": uuid, "name": name}] for uuid, name in (("other", f"{wanted.name}-old"), (created, wanted.name)))
    with faults.fault(LIST, listing(first)), faults.fault(LIST, listing(second), nth=2):
        assert f"already exists as {created} " in str(await existing_database(account, wanted))
    with faults.fault(LIST, listing(first)), faults.fault(LIST, listing([]), nth=2):
        assert await existing_database(account, wanted) is None


def listing(databases: list[dict[str, str]]) -> Reply:
    return Reply(
        200, json.dumps({"success": True, "errors": [], "messages": [], "result": databases}), {"content-type": "application/json"}
    )


async def test_a_database_whose_tables_the_api_does_not_count_is_to_be_looked_at_first(
    account: Account, api: Api, wanted: Wanted, faults: Faults
) -> None:
    created = api.database(wanted.name)
    body = json.dumps({"success": True, "errors": [], "messages": [], "result": {"uuid": created, "name": wanted.name}})
    with faults.fault("GET /accounts/{a}/d1/database/{id}", Reply(200, body, {"content-type": "application/json"})):
        assert f"already exists as {created}, {NEITHER} Look what is in it: " in str(await existing_database(account, wanted))


async def test_a_worker_is_named_with_the_setting_that_adopts_it(account: Account, api: Api) -> None:
    worker = api.worker()
    wanted = Wanted("staging", "crane-context", worker["name"])
    what = f"worker {worker['name']}: already exists and was never deployed, {NEITHER}"
    assert str(await existing_worker(account, wanted)) == f"{what} {adopts('workers.crane-context', 'true')}"
    api.deploy(worker, (api.upload(worker), 100))
    what, look = (
        f"worker {worker['name']}: already exists, {NEITHER}",
        f"Look what it serves: wrangler deployments list --name {worker['name']}.",
    )
    assert str(await existing_worker(account, wanted)) == f"{what} {look} {adopts('workers.crane-context', 'true')}"


async def test_a_worker_that_was_never_deployed_can_be_looked_at_before_it_is_adopted(account: Account, api: Api, faults: Faults) -> None:
    worker = api.worker()
    missing = Reply(404, json.dumps({"success": False, "errors": [], "messages": [], "result": None}), {"content-type": "application/json"})
    with faults.fault("GET /accounts/{a}/workers/scripts/{name}/schedules", missing):
        live = await account.worker(worker["name"])
    assert live is not None
    assert (live.version, live.script.crons) == ({}, ())


async def test_where_the_stack_had_one_before_adopting_is_no_way_out(account: Account, api: Api, wanted: Wanted) -> None:
    """A stack that created something cannot adopt another one in its place: config/consistency.py refuses that."""
    api.database(wanted.name)
    assert f"If it is empty, delete it: wrangler d1 delete {wanted.name}, {AGAIN}" in str(
        await existing_database(account, replace(wanted, replaces=True))
    )
    name = api.worker()["name"]
    assert f"If nobody needs it, delete it: wrangler delete --name {name}, {AGAIN}" in str(
        await existing_worker(account, Wanted("staging", "crane-context", name, replaces=True))
    )


@pytest.mark.parametrize("look", [existing_database, existing_worker])
async def test_an_api_that_fails_is_an_error_of_its_own(cloud: Running, wanted: Wanted, look: type) -> None:
    async with connect(cloud.api_url, "x" * 40) as client:
        with pytest.raises(ApiError, match="Use a valid token with the permission"):
            await look(Account(client, cloud.account_id), wanted)
