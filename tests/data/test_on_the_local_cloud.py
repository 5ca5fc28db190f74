"""A copy of a database at Cloudflare: with a token that may only read, through a network that fails, and equal to the last byte."""

from pathlib import Path

import apsw
import pytest
import stamina
from cloudflare import AsyncCloudflare

from crane_infra.d1.client import D1
from crane_infra.data.copy import Copied, Watch, copy_database
from local_cloud.faults.client import Faults
from local_cloud.faults.model import Drop, Error
from local_cloud.tokens import Permission
from tests.cloud import Api
from tests.data.d1_like import dump
from tests.data.test_copy import EVERYTHING, MANY

pytestmark = pytest.mark.cloud
WHOLE = {"splits_inside_triggers": False, "splits_inside_lowercase_triggers": False}
QUERY = "POST /accounts/{a}/d1/database/{id}/query"


async def copied_from(api: Api, token: str, database: str, path: Path, said: list[str]) -> Copied:
    """A copy through the API."""

    async def pause(_: float) -> None:
        said.append("waited")

    async with AsyncCloudflare(api_token=token, base_url=api.running.api_url) as client:
        source = D1(client, api.running.account_id, database, "crane-test")
        with stamina.set_testing(True, attempts=5, cap=True):
            return await copy_database(source, path, watch=Watch(said.append, pause=pause))


async def test_a_copy_is_equal_to_the_last_byte_and_only_reads(api: Api, faults: Faults, tmp_path: Path) -> None:
    database = api.database()
    with apsw.Connection(str(tmp_path / "same.sqlite")) as same, faults.behaviour(**WHOLE):
        for sql in (EVERYTHING, MANY):
            api.query(database, sql)
            same.execute(sql)
    faults.reset()
    said = list[str]()
    with (
        faults.fault(QUERY, Drop("before-read"), nth=4),
        faults.fault(QUERY, Error(429, 10000, "too many"), nth=9, times=5),
        faults.fault(QUERY, Drop("mid-body"), nth=20),
    ):
        copied = await copied_from(api, faults.token(Permission.D1_READ), database, tmp_path / "copy.sqlite", said)
    assert dump(tmp_path / "copy.sqlite") == dump(tmp_path / "same.sqlite")
    assert (copied.unsettled, bool(copied.bookmark)) == ((), True)
    assert said.count("waited") == 1
    assert {(call["method"], call["route"].rpartition("/")[2]) for call in faults.calls()} == {("POST", "query"), ("GET", "bookmark")}
