"""The official SDK uses D1, sync and async, and gets complete typed models."""

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import cloudflare
import httpx
import pytest
from cloudflare import AsyncCloudflare, Cloudflare
from cloudflare.types.d1 import DatabaseExportResponse, DatabaseImportResponse

from local_cloud.daemon import Running
from local_cloud.faults.client import Faults

pytestmark = pytest.mark.cloud

SQL = b"CREATE TABLE t(a);\r\nCREATE TRIGGER tr AFTER INSERT ON t BEGIN UPDATE t SET a = 2; END;\r\nINSERT INTO t VALUES(1);"
ETAG = hashlib.md5(SQL, usedforsecurity=False).hexdigest()


@pytest.fixture
def sdk(cloud: Running) -> Iterator[Cloudflare]:
    with Cloudflare(api_token=cloud.token, base_url=cloud.api_url, max_retries=0) as client:
        yield client


def uploaded(begun: DatabaseImportResponse | None) -> str:
    assert begun
    assert begun.upload_url
    assert begun.filename
    httpx.put(begun.upload_url, content=SQL, trust_env=False, timeout=60).raise_for_status()
    return str(begun.filename)


def has_imported(done: DatabaseImportResponse | None) -> bool:
    assert done
    assert done.result
    assert done.result.meta
    assert done.result.meta.timings
    assert (done.type, done.success, done.status, done.result.num_queries) == ("import", True, "complete", 3)
    assert (done.result.meta.changed_db, done.result.meta.served_by_region) == (True, "WEUR")
    return bool(done.at_bookmark and done.result.final_bookmark and done.at_bookmark < done.result.final_bookmark)


def text_of(done: DatabaseExportResponse | None) -> str:
    assert done
    assert done.result
    assert done.result.signed_url
    assert (done.type, done.success, done.status) == ("export", True, "complete")
    return httpx.get(done.result.signed_url, trust_env=False, timeout=60).raise_for_status().text


def test_a_database_lives_through_the_sdk(sdk: Cloudflare, cloud: Running) -> None:
    account, databases = cloud.account_id, sdk.d1.database
    made = databases.create(account_id=account, name="through-the-sdk", primary_location_hint="weur")
    assert made.uuid
    assert made.created_at
    assert (made.name, made.version, made.num_tables) == ("through-the-sdk", "production", 0)
    (listed,) = databases.list(account_id=account, name="through-the-sdk")
    assert (listed.uuid, listed.created_at, listed.version) == (made.uuid, made.created_at, "production")
    edited = databases.edit(made.uuid, account_id=account, read_replication={"mode": "auto"})
    assert edited.read_replication
    assert edited.read_replication.mode == "auto"
    updated = databases.update(made.uuid, account_id=account, read_replication={"mode": "disabled"})
    assert updated.read_replication
    assert updated.read_replication.mode == "disabled"
    databases.query(made.uuid, account_id=account, sql="CREATE TABLE t(a)")
    got = databases.get(made.uuid, account_id=account)
    assert (got.num_tables, got.created_at) == (1, made.created_at)
    assert got.file_size
    databases.delete(made.uuid, account_id=account)
    with pytest.raises(cloudflare.NotFoundError) as refused:
        databases.get(made.uuid, account_id=account)
    assert refused.value.errors[0].code == 7404


def test_pages_of_databases_come_to_an_end(sdk: Cloudflare, cloud: Running) -> None:
    made = {sdk.d1.database.create(account_id=cloud.account_id, name=f"sdk-page-{number}").uuid for number in range(3)}
    ids = [database.uuid for database in sdk.d1.database.list(account_id=cloud.account_id, per_page=2)]
    assert made <= set(ids)
    assert len(ids) == len(set(ids))


def test_queries_fill_the_models(sdk: Cloudflare, cloud: Running) -> None:
    account = cloud.account_id
    uuid = str(sdk.d1.database.create(account_id=account, name="sdk-queries").uuid)
    both = list(sdk.d1.database.query(uuid, account_id=account, sql="CREATE TABLE t(a); INSERT INTO t VALUES(1), (2)"))
    (only,) = sdk.d1.database.query(uuid, account_id=account, sql="SELECT ? AS a", params=["x"])
    (raw,) = sdk.d1.database.raw(uuid, account_id=account, batch=[{"sql": "SELECT a FROM t WHERE a = ?", "params": ["2"]}])
    assert [result.success for result in both] == [True, True]
    meta = both[1].meta
    assert meta
    assert meta.timings
    assert (meta.changes, meta.changed_db, meta.last_row_id, meta.rows_written, meta.served_by_region) == (2, True, 2, 2, "WEUR")
    assert meta.size_after
    assert (meta.served_by_primary, meta.timings.sql_duration_ms) == (True, meta.duration)
    assert only.results == [{"a": "x"}]
    assert raw.results
    assert raw.results.columns == ["a"]
    with pytest.raises(cloudflare.BadRequestError) as refused:
        sdk.d1.database.query(uuid, account_id=account, sql="SELECT nope")
    assert (refused.value.errors[0].code, refused.value.errors[0].message) == (7500, "no such column: nope at offset 7: SQLITE_ERROR")


def test_import_export_and_time_travel_fill_the_models(sdk: Cloudflare, cloud: Running) -> None:
    account, databases = cloud.account_id, sdk.d1.database
    uuid = str(databases.create(account_id=account, name="sdk-transfers").uuid)
    before = databases.time_travel.get_bookmark(uuid, account_id=account).bookmark
    filename = uploaded(databases.import_(uuid, account_id=account, action="init", etag=ETAG))
    done = databases.import_(uuid, account_id=account, action="ingest", etag=ETAG, filename=filename)
    assert has_imported(done)
    assert done
    assert has_imported(databases.import_(uuid, account_id=account, action="poll", current_bookmark=str(done.at_bookmark)))
    assert "CREATE TRIGGER tr" in text_of(
        databases.export(uuid, account_id=account, output_format="polling", dump_options={"no_data": True})
    )
    after = databases.time_travel.get_bookmark(uuid, account_id=account, timestamp=datetime.now(UTC) + timedelta(days=1)).bookmark
    restored = databases.time_travel.restore(uuid, account_id=account, bookmark=str(before))
    assert (restored.previous_bookmark, bool(restored.message)) == (after, True)
    assert restored.bookmark == databases.time_travel.get_bookmark(uuid, account_id=account).bookmark
    assert databases.get(uuid, account_id=account).num_tables == 0


async def test_the_async_sdk_does_the_same(cloud: Running, faults: Faults) -> None:
    account = cloud.account_id
    async with AsyncCloudflare(api_token=cloud.token, base_url=cloud.api_url, max_retries=0) as sdk:
        databases = sdk.d1.database
        uuid = str((await databases.create(account_id=account, name="async-sdk")).uuid)
        assert uuid in [database.uuid async for database in databases.list(account_id=account, name="async-sdk")]
        before = (await databases.time_travel.get_bookmark(uuid, account_id=account)).bookmark
        filename = uploaded(await databases.import_(uuid, account_id=account, action="init", etag=ETAG))
        with faults.behaviour(polls_until_done=1):
            active = await databases.import_(uuid, account_id=account, action="ingest", etag=ETAG, filename=filename)
            assert active
            assert (active.status, active.success, active.result) == ("active", True, None)
            assert has_imported(await databases.import_(uuid, account_id=account, action="poll", current_bookmark=str(active.at_bookmark)))
        exported = text_of(await databases.export(uuid, account_id=account, output_format="polling"))
        assert 'INSERT INTO "t" ("a") VALUES(2);' in exported
        rows = [result.results async for result in databases.query(uuid, account_id=account, sql="SELECT a FROM t")]
        raws = [result.results async for result in databases.raw(uuid, account_id=account, sql="SELECT a FROM t")]
        assert rows == [[{"a": 2}]]
        assert raws[0]
        assert raws[0].rows == [[2]]
        assert (await databases.time_travel.restore(uuid, account_id=account, bookmark=str(before))).previous_bookmark
        edited = await databases.edit(uuid, account_id=account, read_replication={"mode": "auto"})
        updated = await databases.update(uuid, account_id=account, read_replication={"mode": "disabled"})
        assert (edited.read_replication, updated.num_tables) != (None, 1)
        assert (await databases.get(uuid, account_id=account)).read_replication == updated.read_replication
        await databases.delete(uuid, account_id=account)
        assert not [database async for database in databases.list(account_id=account, name="async-sdk")]


def test_a_read_only_token_is_denied_a_write(cloud: Running, sdk: Cloudflare, faults: Faults) -> None:
    uuid = str(sdk.d1.database.create(account_id=cloud.account_id, name="sdk-reading").uuid)
    with Cloudflare(api_token=faults.token("D1 Read"), base_url=cloud.api_url, max_retries=0) as reading:
        assert reading.d1.database.query(uuid, account_id=cloud.account_id, sql="SELECT 1").result
        with pytest.raises(cloudflare.PermissionDeniedError):
            reading.d1.database.query(uuid, account_id=cloud.account_id, sql="CREATE TABLE t(a)")
