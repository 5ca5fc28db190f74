"""A copy of a database at Cloudflare: with a token that may only read, through a network that fails, and equal to the last byte."""

import asyncio
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import apsw
import pytest
import stamina
from pydantic import SecretStr

from crane_infra.checks.results import Checked, CheckResult
from crane_infra.commands import rehearse_migrations
from crane_infra.commands.backup import BackupWish, RestoreWish, Talk, back_up, restore_into_new, restore_into_stack
from crane_infra.commands.rehearse_migrations import Wish, bound_databases, proof_of, ready_file, rehearse
from crane_infra.config.catalog import CatalogDatabase
from crane_infra.config.settings import DatabaseSettings
from crane_infra.d1.api import connect
from crane_infra.d1.client import D1
from crane_infra.data.backup.stores import store_at
from crane_infra.data.copy import Copied, Watch, copy_database
from crane_infra.data.trial import Trial
from crane_infra.errors import DataError, LiveError
from crane_infra.live.heads import ledger_heads
from crane_infra.release.rehearsed import rehearsal_proof
from local_cloud.faults.client import Faults
from local_cloud.faults.model import Drop, Error
from local_cloud.tokens import Permission
from tests.cloud import Api
from tests.commands.production import Production
from tests.data.d1_like import dump
from tests.data.test_copy import EVERYTHING, MANY

pytestmark = pytest.mark.cloud
FIRST = {"0001_t.sql": "CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT, b INTEGER);\n"}
WHOLE = {"splits_inside_triggers": False, "splits_inside_lowercase_triggers": False}
QUERY, IMPORT = "POST /accounts/{a}/d1/database/{id}/query", "POST /accounts/{a}/d1/database/{id}/import"


async def copied_from(api: Api, token: str, database: str, path: Path, said: list[str]) -> Copied:
    """A copy through the API."""

    async def pause(_: float) -> None:
        said.append("waited")

    async with connect(api.running.api_url, token) as client:
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


def test_migrations_are_tried_on_the_rows_of_production_with_a_token_that_only_reads(api: Api, faults: Faults, tmp_path: Path) -> None:
    production = Production(api, tmp_path)
    production.release({"one": "a"}, {"db": FIRST})
    api.query(production.databases["db"], "INSERT INTO t VALUES (1, 'one', 1), (2, 'two', 1), (3, 'three', 2)")
    pending = {"0002_u.sql": "UPDATE t SET b = 9 WHERE id < 3;\n", "0003_v.sql": "CREATE UNIQUE INDEX by_b ON t (b);\n"}
    for name, text in pending.items():
        (tmp_path / "db" / name).write_text(text)
    settings = production.settings.model_copy(update={"api_token": SecretStr(faults.token(Permission.D1_READ))})
    faults.reset()
    (tmp_path / "copies").mkdir()
    wish = Wish(None, tmp_path / "copies", 1000, keys=True)
    said = list[str]()
    (trial,) = rehearse(settings, production.catalog, production.outputs, wish, said.append, lambda _: None)
    assert [line.partition(": ")[2] for line in said] == [
        "a copy reads at most 5 rows of 5 tables: less than 1% of what the free plan reads in a day"
    ]
    assert [(report.name, report.failure) for report in trial.files] == [
        ("0002_u.sql", ""),
        ("0003_v.sql", "UNIQUE constraint failed: t.b"),
    ]
    assert [(change.table, change.changed, change.keys) for change in trial.files[0].tables] == [("t", 2, {"changed": ((1,), (2,))})]
    assert [(one.rows, one.keys) for one in trial.files[1].violations] == [(2, ((1,), (2,)))]
    assert {(call["method"], call["route"].rpartition("/")[2]) for call in faults.calls()} == {("POST", "query"), ("GET", "bookmark")}
    assert api.query(production.databases["db"], "SELECT COUNT(*) AS n FROM t WHERE b = 9") == [[{"n": 0}]]


def test_databases_that_workers_bind_are_made_ready_for_the_checks(api: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that has something pending is migrated, one that has nothing is copied, and one that is not there yet is made."""
    production, said = Production(api, tmp_path), list[str]()
    production.release({"one": "a"}, {"db": FIRST, "other": FIRST})
    for name in ("db", "other"):
        api.query(production.databases[name], "INSERT INTO t VALUES (1, 'one', 1), (2, 'two', 1)")
    (tmp_path / "db" / "0002_u.sql").write_text("UPDATE t SET b = 9 WHERE id = 1;\n")
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "0001_t.sql").write_text(FIRST["0001_t.sql"])
    catalog = production.catalog
    worker = catalog.workers["one"].model_copy(update={"databases": {name.upper(): name for name in ("db", "other", "new")}})
    databases = {**catalog.databases, "new": CatalogDatabase(migrations="new"), "unbound": CatalogDatabase(migrations="new")}
    catalog = catalog.model_copy(update={"workers": {"one": worker}, "databases": databases})
    settings = production.settings
    named = {**settings.databases, "new": DatabaseSettings(name="new"), "unbound": DatabaseSettings(name="unbound")}
    settings = settings.model_copy(update={"databases": named})
    monkeypatch.setattr(rehearse_migrations, "created_databases", lambda _: {})
    folder = tmp_path / "copies"
    folder.mkdir()
    wish = Wish(None, folder, 1000, ready=folder)
    trials = rehearse(settings, catalog, production.outputs, wish, said.append, lambda _: None)
    assert [(trial.database, trial.passes) for trial in trials] == [("db", True), ("other", True)]
    assert "other: nothing is pending; it is copied for the checks of the release" in said
    made = {}
    for name in bound_databases(catalog):
        with apsw.Connection(str(ready_file(folder, name))) as db:
            made[name] = db.execute("SELECT (SELECT group_concat(b) FROM t), COUNT(*) FROM d1_migrations").fetchall()
    assert made == {"db": [("9,1", 2)], "other": [("1,1", 1)], "new": [(None, 1)]}
    (tmp_path / "new" / "0002_no.sql").write_text("INSERT INTO t VALUES (1, 'a', 1), (1, 'b', 1);\n")
    again = tmp_path / "again"
    again.mkdir()
    trials = rehearse(settings, catalog, production.outputs, Wish(None, again, 1000, ready=again), said.append, lambda _: None)
    assert [(trial.database, trial.passes) for trial in trials] == [("db", True), ("other", True), ("new", False)]


def test_a_backup_comes_back_into_a_new_database_and_into_the_one_it_is_of(api: Api, faults: Faults, tmp_path: Path) -> None:
    production, said = Production(api, tmp_path), list[str]()
    production.release({"one": "a"}, {"db": FIRST})
    database = production.databases["db"]
    with faults.behaviour(**WHOLE):
        api.query(database, EVERYTHING)
        api.query(database, "INSERT INTO t VALUES (1, ?, 1), (2, 'two', 9007199254740993)", "one; 'two'")
    reading = production.settings.model_copy(update={"api_token": SecretStr(faults.token(Permission.D1_READ))})
    store, watch = store_at(str(tmp_path / "kept"), {}), Watch(said.append)
    for _ in range(2):
        back_up(reading, production.catalog, production.outputs, BackupWish(None, 10_000, keep=1), store, watch)
    assert len(store.names()) == 1
    talk = Talk(said.append)
    restore_into_new(production.settings, store, RestoreWish("db"), "db-restored", talk)
    assert "db-restored: every row was compared with the backup, and all are equal" in said
    with pytest.raises(DataError, match="database db-restored: it exists already"):
        restore_into_new(production.settings, store, RestoreWish("db"), "db-restored", talk)

    said.clear()
    unsure = Talk(said.append, lambda: False)
    assert not restore_into_stack(reading, production.catalog, production.outputs, store, RestoreWish("db"), unsure), (
        "nothing would be lost"
    )
    assert any(line.endswith(": no row changes") for line in said)
    api.query(database, "UPDATE t SET a = 'newer' WHERE id = 1; INSERT INTO t VALUES (3, 'new', 3)")
    faults.reset()
    said.clear()
    with pytest.raises(LiveError, match="the rows above are lost"):
        restore_into_stack(reading, production.catalog, production.outputs, store, RestoreWish("db"), talk)
    assert "  t: 3 rows before, 2 after: 1 changed, 1 deleted" in said
    assert {(call["method"], call["route"].rpartition("/")[2]) for call in faults.calls()} == {("POST", "query"), ("GET", "bookmark")}
    wish = RestoreWish("db", lose_writes=True)
    with faults.fault(IMPORT, Drop("after-commit"), saying="ingest") as lost:
        assert restore_into_stack(production.settings, production.catalog, production.outputs, store, wish, talk)
    assert lost.fired == 1
    assert api.query(database, "SELECT a, CAST(b AS TEXT) AS b FROM t ORDER BY id") == [
        [{"a": "one; 'two'", "b": "1"}, {"a": "two", "b": "9007199254740993"}]
    ]
    assert any(line.startswith("To return: crane restore -s production -d db --bookmark ") for line in said)


def test_a_rehearsal_that_passes_opens_production_until_its_ledger_changes(api: Api, tmp_path: Path) -> None:
    production = Production(api, tmp_path)
    production.release({"one": "a"}, {"db": FIRST})
    adopted = DatabaseSettings(name="db", adopt=production.databases["db"])
    settings = production.settings.model_copy(update={"databases": {"db": adopted}})
    trial = Trial("db", None, asyncio.run(ledger_heads(settings, production.outputs))["db"])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rehearse_migrations, "read_release", lambda *_: SimpleNamespace(digest="a" * 64))
        proof = proof_of(settings, production.catalog, production.outputs, [trial])
        assert proof == rehearsal_proof("a" * 64, {"db": trial.head})
        assert proof_of(settings, production.catalog, production.outputs, []) is None
        assert proof_of(settings, production.catalog, production.outputs, [replace(trial, refusal=("it fails",))]) is None
        failed = CheckResult("one", "health", passed=False, expected="200", came="status 500")
        well = replace(failed, passed=True)
        given = {"failed": Checked((well, failed)), "open": Checked(not_run="no local cloud", lacking=True), "passed": Checked((well,))}
        proofs = {name: proof_of(settings, production.catalog, production.outputs, [trial], checked) for name, checked in given.items()}
        assert proofs == {"failed": None, "open": None, "passed": proof}
        production.release({"one": "b"}, {"db": {**FIRST, "0002_u.sql": "CREATE TABLE u (x TEXT);\n"}})
        with pytest.raises(LiveError, match="its ledger changed during the rehearsal"):
            proof_of(settings, production.catalog, production.outputs, [trial])
