"""The real wrangler uses D1: databases, SQL by command and by file, migrations, export, Time Travel."""

import json
from pathlib import Path
from typing import Any

import pytest

from local_cloud.faults.client import Faults
from tests.cloud import Api
from tests.wrangler import Wrangler

pytestmark = [pytest.mark.cloud, pytest.mark.npm]

TRIGGER = "CREATE TRIGGER tr AFTER INSERT ON t\r\nBEGIN\r\n  INSERT INTO log VALUES('a;b');\r\nEND;\r\n"


def printed(wrangler: Wrangler, *arguments: str) -> Any:  # noqa: ANN401 (JSON)
    output = wrangler("d1", *arguments, "--json").stdout
    return json.loads(output[min(output.index(mark) for mark in ("{\n", "[\n", "[]") if mark in output) :])


def project(folder: Path, name: str, uuid: str) -> Path:
    """A folder with a configuration that binds the database, and its migrations."""
    database = {"binding": "DB", "database_name": name, "database_id": uuid}
    (folder / "wrangler.json").write_text(json.dumps({"name": "w", "compatibility_date": "2026-01-01", "d1_databases": [database]}))
    (folder / "migrations").mkdir()
    return folder / "migrations"


def test_a_database_is_created_listed_described_and_deleted(wrangler: Wrangler, api: Api) -> None:
    created = wrangler("d1", "create", "by-wrangler", "--location", "enam")
    (listed,) = [database for database in printed(wrangler, "list") if database["name"] == "by-wrangler"]
    assert listed["uuid"] in created.stdout
    api.query(listed["uuid"], "CREATE TABLE t(a)")
    info = printed(wrangler, "info", "by-wrangler")
    assert (info["uuid"], info["num_tables"], info["running_in_region"]) == (listed["uuid"], 1, "ENAM")
    assert (info["database_size"], info["read_queries_24h"]) == (api.result("GET", f"/d1/database/{listed['uuid']}")["file_size"], 0)
    assert "already exists" in wrangler("d1", "create", "by-wrangler", check=False).stderr
    wrangler("d1", "delete", "by-wrangler", "--skip-confirmation")
    assert api.call("GET", f"/d1/database/{listed['uuid']}").status_code == 404
    gone = wrangler("d1", "info", "by-wrangler", check=False)
    assert gone.returncode
    assert "Couldn't find a D1 DB with name or binding 'by-wrangler'" in gone.stderr


def test_sql_by_command_and_by_file(wrangler: Wrangler, api: Api, tmp_path: Path) -> None:
    database = api.database("by-execute")
    (first, second) = printed(wrangler, "execute", "by-execute", "--remote", "--command", "CREATE TABLE t(a); SELECT 'x' AS b")
    assert (first["success"], second["results"]) == (True, [{"b": "x"}])
    file = tmp_path / "file.sql"
    file.write_bytes(f"CREATE TABLE log(a);\r\n{TRIGGER}INSERT INTO t VALUES(1);\r\n".encode())
    (done,) = printed(wrangler, "execute", "by-execute", "--remote", "--yes", "--file", str(file))
    assert (done["results"][0]["Total queries executed"], done["success"]) == (3, True)
    assert done["finalBookmark"] == api.result("GET", f"/d1/database/{database}/time_travel/bookmark")["bookmark"]
    assert api.query(database, "SELECT a FROM log") == [[{"a": "a;b"}]]
    file.write_text("INSERT INTO t VALUES(2); INSERT INTO nope VALUES(3);")
    failed = wrangler("d1", "execute", "by-execute", "--remote", "--yes", "--file", str(file), check=False)
    assert failed.returncode
    assert "no such table: nope: SQLITE_ERROR" in failed.stdout + failed.stderr
    assert "File already uploaded" in wrangler("d1", "execute", "by-execute", "--remote", "--yes", "--file", str(file), check=False).stdout
    assert api.query(database, "SELECT a FROM t") == [[{"a": 1}]]
    refused = wrangler("d1", "execute", "by-execute", "--remote", "--command", "SELEC 1", check=False)
    assert "syntax error at offset 0: SQLITE_ERROR [code: 7500]" in refused.stdout + refused.stderr


@pytest.mark.parametrize("splits", [True, False])
def test_migrations_are_listed_and_applied(wrangler: Wrangler, api: Api, faults: Faults, tmp_path: Path, splits: bool) -> None:  # noqa: FBT001
    name = f"migrated-{splits}".lower()
    database = api.database(name)
    migrations = project(tmp_path, name, database)
    (migrations / "0001_first.sql").write_text("CREATE TABLE t(a); CREATE TABLE log(a);")
    (migrations / "0002_trigger.sql").write_bytes(TRIGGER.encode())
    with faults.behaviour(splits_inside_triggers=splits, splits_inside_crlf_triggers=False, splits_inside_quotes=False):
        applied = wrangler("d1", "migrations", "apply", "DB", "--remote", cwd=tmp_path, check=False)
    ledger = api.query(database, "SELECT name FROM d1_migrations ORDER BY id")[0]
    if splits:
        assert applied.returncode
        assert "incomplete input: SQLITE_ERROR" in applied.stdout + applied.stderr
        assert ledger == [{"name": "0001_first.sql"}]
        pending = wrangler("d1", "migrations", "list", "DB", "--remote", cwd=tmp_path).stdout
        assert ("0001_first.sql" in pending, "0002_trigger.sql" in pending) == (False, True)
    else:
        assert ledger == [{"name": "0001_first.sql"}, {"name": "0002_trigger.sql"}], applied.stdout + applied.stderr
        assert "No migrations to apply" in wrangler("d1", "migrations", "list", "DB", "--remote", cwd=tmp_path).stdout


def test_export_and_time_travel(wrangler: Wrangler, api: Api, faults: Faults, tmp_path: Path) -> None:
    database = api.database("traveller")
    api.query(database, "CREATE TABLE t(a); CREATE TABLE u(b); INSERT INTO t VALUES(1)")
    good = printed(wrangler, "time-travel", "info", "traveller")["bookmark"]
    assert good == api.result("GET", f"/d1/database/{database}/time_travel/bookmark")["bookmark"]
    api.query(database, "DELETE FROM t")
    back = printed(wrangler, "time-travel", "restore", "traveller", "--bookmark", good)
    assert back["previous_bookmark"] > good
    assert api.query(database, "SELECT a FROM t") == [[{"a": 1}]]
    file = tmp_path / "out.sql"
    with faults.behaviour(polls_until_done=1):
        wrangler("d1", "export", "traveller", "--remote", "--table", "t", "--output", str(file))
    assert file.read_text().splitlines() == ["PRAGMA defer_foreign_keys=TRUE;", "CREATE TABLE t(a);", 'INSERT INTO "t" ("a") VALUES(1);']
    api.query(database, "CREATE VIRTUAL TABLE ft USING fts5(a)")
    refused = wrangler("d1", "export", "traveller", "--remote", "--output", str(file), check=False)
    assert "cannot export databases with Virtual Tables (fts5)" in refused.stdout + refused.stderr
