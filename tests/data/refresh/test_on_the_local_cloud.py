"""A refresh brings production's rows to staging, scrubbed: production is only read, and staging has all of them or is as it was."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
import stamina

from crane_infra.alone import alone
from crane_infra.commands.databases import ManagedDatabase
from crane_infra.commands.refresh import DatabasePlan, Ends, Refresh, plan_refresh
from crane_infra.config.catalog import Catalog, CatalogDatabase
from crane_infra.config.data_rules import Sample, TableRule
from crane_infra.d1.api import connect
from crane_infra.d1.client import D1
from crane_infra.data.scrub.run import ScrubbedTable
from crane_infra.data.seeds.files import Seed
from crane_infra.errors import DataError, ScrubError
from crane_infra.migrations.apply import migrate
from crane_infra.migrations.drift import look_for_drift
from crane_infra.migrations.files.read import SchemaFiles
from crane_infra.migrations.ledger import read_ledger
from local_cloud.daemon import Running
from local_cloud.faults.client import Faults
from local_cloud.faults.model import Drop, Error
from local_cloud.tokens import Permission
from tests.cloud import Api
from tests.data.scrub.files import KEY
from tests.migrations.builders import write_files

# ruff: noqa: S608 - statements of the tests
pytestmark = pytest.mark.cloud
IMPORT = "POST /accounts/{a}/d1/database/{id}/import"
FILES = {
    "0001_shop.sql": "CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT NOT NULL UNIQUE, invited_by INTEGER REFERENCES users (id));"
    "CREATE TABLE orders (id INTEGER PRIMARY KEY, user_email TEXT NOT NULL REFERENCES users (email), note TEXT);"
    "CREATE TABLE log (what TEXT NOT NULL);",
    "0002_search.sql": "CREATE VIRTUAL TABLE search USING fts5(note, content='orders', content_rowid='id');"
    "CREATE TRIGGER noted AFTER INSERT ON orders BEGIN INSERT INTO search (rowid, note) VALUES (new.id, new.note);"
    " INSERT INTO log VALUES ('ordered; ' || new.user_email); END;",
    "0003_paid.sql": "ALTER TABLE orders ADD COLUMN paid INTEGER NOT NULL DEFAULT 0;UPDATE orders SET paid = 1 WHERE note LIKE '%paid%';",
}
RULES = {
    "users": TableRule(columns={"id": "keep", "email": "email"}),
    "orders": TableRule(columns={"id": "keep", "note": "keep", "paid": "keep"}),
    "log": TableRule(rows="none"),
}
SEED = Seed(
    "0001_me.sql", "seeds/0001_me.sql", "a" * 64, ("INSERT INTO users (id, email) VALUES (1000, 'me@staging.test') ON CONFLICT DO NOTHING",)
)
USERS = 400


async def at_once(_: float) -> None:
    """Wait for nothing."""


@dataclass
class Shop:
    """Both databases: production, which lacks the last migration, and staging, which has rows of its own."""

    api: Api
    ends: Ends
    folder: Path
    said: list[str] = field(default_factory=list)

    async def plan(self, rules: dict[str, TableRule] | None = None) -> DatabasePlan:
        """What a refresh would do."""
        (plan,) = await plan_refresh(self.catalog(rules), [self.ends], "staging", frozenset())
        return plan

    async def refresh(self) -> dict[str, ScrubbedTable]:
        """Refresh staging."""
        run = Refresh(self.catalog(), KEY, self.folder / "refresh", self.said.append, {"shop": (SEED,)}, pause=at_once)
        return {table.name: table for table in await run.run(await self.plan())}

    def catalog(self, rules: dict[str, TableRule] | None = None) -> Catalog:
        """The catalog with the rules."""
        return Catalog(workers={}, databases={"shop": CatalogDatabase(migrations="shop", staging_rows=RULES if rules is None else rules)})

    def bookmark(self) -> object:
        """Production's bookmark, which moves with each write."""
        return self.api.result("GET", f"/d1/database/{self.ends.production.id}/time_travel/bookmark")

    def staging(self, sql: str) -> list[tuple[object, ...]]:
        """Ask staging."""
        return [tuple(row.values()) for row in self.api.query(self.ends.staging.id, sql)[0]]

    def content(self) -> list[object]:
        """Staging's rows."""
        return [self.staging(f"SELECT * FROM {table} ORDER BY 1") for table in ("users", "orders", "log")]


@pytest.fixture
async def shop(cloud: Running, api: Api, faults: Faults, tmp_path: Path) -> AsyncIterator[Shop]:
    """Production with 400 users who invited each other, and their orders."""
    files = write_files(tmp_path / "migrations", FILES)
    ids = [api.database(), api.database()]
    tokens = [faults.token(Permission.D1_READ), cloud.token]
    async with connect(cloud.api_url, cloud.token) as client:
        databases = [
            D1(replace(client, token=token), cloud.account_id, one, name)
            for one, name, token in zip(ids, ("shop-prod", "shop-staging"), tokens, strict=True)
        ]
        writer = D1(client, cloud.account_id, ids[0], "shop-prod")
        await migrate(writer, SchemaFiles(files[:2]), release="r", log=lambda _: None)
        await migrate(databases[1], SchemaFiles(files), release="r", log=lambda _: None)
        numbers = f"WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < {USERS})"
        api.query(ids[0], f"{numbers} INSERT INTO users SELECT i, 'user' || i || '@corp.test', nullif(i - 1, 0) FROM n")
        api.query(
            ids[0],
            f"{numbers} INSERT INTO orders SELECT i, 'user' || i || '@corp.test', CASE WHEN i % 2 THEN 'it''s paid' || char(59) || ' thanks' ELSE 'open' END FROM n",
        )
        api.query(ids[1], "INSERT INTO users VALUES (3, 'old@staging.test', 3)")
        api.query(ids[1], "INSERT INTO orders VALUES (3, 'old@staging.test', 'old', 0)")
        schema = SchemaFiles(files)
        ends = Ends(*(ManagedDatabase("shop", one, db, schema) for one, db in zip(ids, databases, strict=True)))
        with stamina.set_testing(True, attempts=5, cap=True):
            yield Shop(api, ends, tmp_path)


@pytest.fixture(autouse=True)
def _fresh(faults: Faults) -> Iterator[None]:
    faults.reset()
    yield
    faults.reset()


async def test_staging_has_productions_rows_scrubbed_and_production_was_not_written_to(shop: Shop, faults: Faults) -> None:
    before = shop.bookmark()
    lines = (await shop.plan()).lines
    assert lines[0] == "shop: rows of shop-prod go to shop-staging"
    assert lines[3:] == [
        "  on the copy run first, since production does not have them: 0003_paid.sql",
        "  log: no rows",
        "  orders: at most 400 rows are read; masked: user_email (email); kept: id, note, paid",
        "  users: at most 400 rows are read; masked: email (email); kept: id, invited_by",
    ]
    assert lines[1].startswith("  reads at most 800 rows of 2 tables")
    assert lines[2].endswith("of what the free plan writes in a day, with indexes; 3 rows of staging go")
    faults.reset()
    tables = await shop.refresh()
    assert shop.bookmark() == before
    assert faults.seen(KEY) == []
    assert {shop.ends.production.id in sighting.path for sighting in faults.seen("user399@corp.test")} == {True}
    assert (tables["users"].kept, tables["orders"].kept) == (USERS, USERS)
    assert shop.staging("SELECT COUNT(*), SUM(paid), SUM(email LIKE '%@example.com') FROM orders JOIN users ON user_email = email") == [
        (400, 200, 400)
    ]
    assert shop.staging("SELECT COUNT(*) FROM users WHERE email LIKE '%corp.test'") == [(0,)]
    assert shop.staging("SELECT email FROM users WHERE id = 1000") == [("me@staging.test",)]
    assert shop.staging("SELECT COUNT(*) FROM search('thanks')") == [(200,)]
    assert shop.staging("SELECT COUNT(*) FROM log") == [(0,)]
    staging = shop.ends.staging
    ledger = await read_ledger(staging.db)
    assert [entry.name for entry in ledger.entries] == list(FILES)
    assert (await look_for_drift(staging.db, staging.schema, ledger)).objects == []
    assert ledger.refresh is None
    assert shop.staging("SELECT COUNT(*), COUNT(done_at) FROM crane_refreshes") == [(1, 1)]
    assert [path.name for path in (shop.folder / "refresh").iterdir()] == ["shop.lock"]
    assert (shop.folder / "refresh").stat().st_mode & 0o077 == 0
    first = shop.content()
    await shop.refresh()
    assert shop.content() == first


async def test_broken_off_before_the_import_ran_staging_is_as_before_says_so_and_the_next_run_completes(shop: Shop, faults: Faults) -> None:
    before = shop.content()
    for nth, message in ((1, "so staging is as before"), (2, "staging has all of them or is as before")):
        with faults.fault(IMPORT, Drop("before-read"), nth=nth, times=5), pytest.raises(DataError, match=message):
            await shop.refresh()
        assert shop.content() == before
    for name in ("shop.production.sqlite", "shop.sqlite", "shop.sqlite.part"):  # as a killed run leaves them
        (shop.folder / "refresh" / name).write_bytes(b"left behind")
    plan = await shop.plan()
    assert plan.unfinished
    assert "is not complete: all rows are still those of before it" in plan.lines[1]
    await shop.refresh()
    assert shop.staging("SELECT COUNT(*) FROM users") == [(USERS + 1,)]
    assert (await shop.plan()).unfinished is None


async def test_a_lost_reply_to_an_import_that_ran_is_found_out(shop: Shop, faults: Faults) -> None:
    with faults.fault(IMPORT, Drop("after-commit"), nth=2):
        await shop.refresh()
    assert shop.staging("SELECT COUNT(*) FROM users") == [(USERS + 1,)]


async def test_what_d1_refuses_leaves_staging_as_before(shop: Shop, faults: Faults) -> None:
    before = shop.content()
    with (
        faults.fault(IMPORT, Error(400, 7500, "CHECK constraint failed: x"), nth=2),
        pytest.raises(DataError, match=r"so staging is as before: .*CHECK"),
    ):
        await shop.refresh()
    assert shop.content() == before
    shop.api.query(shop.ends.staging.id, "CREATE INDEX extra ON users (invited_by)")
    with pytest.raises(DataError, match="its schema is not the one that its migrations make: index extra"):
        await shop.refresh()


async def test_everything_that_can_be_refused_is_refused_before_a_row_is_read(shop: Shop, faults: Faults) -> None:
    faults.reset()
    with pytest.raises(ScrubError, match="table orders: has no rule"):
        await shop.plan({"users": RULES["users"], "log": RULES["log"]})
    assert faults.calls() == []
    both = replace(shop.ends, staging=shop.ends.production)
    with pytest.raises(DataError, match="is a database of production, so nothing is written to it"):
        await plan_refresh(shop.catalog(), [both], "staging", frozenset())
    assert faults.calls() == []
    behind = replace(shop.ends, staging=replace(shop.ends.production, id=shop.ends.staging.id))
    with pytest.raises(DataError, match=r"0003_paid\.sql is pending"):
        await plan_refresh(shop.catalog(), [behind], "staging", frozenset())
    assert not any("FROM users" in str(call) for call in faults.calls())


async def test_of_two_at_once_in_a_clone_the_second_says_so_and_changes_nothing(shop: Shop, faults: Faults) -> None:
    before = shop.content()
    faults.reset()
    with alone(shop.folder / "refresh" / "shop.lock", DataError("", "", "")), pytest.raises(DataError) as refused:
        await shop.refresh()
    assert str(refused.value) == (
        "database shop-staging: another refresh of it runs in this clone. Let that one end, then run the same command again."
    )
    assert (shop.content(), [call for call in faults.calls() if "/import" in call["path"]]) == (before, [])


async def test_a_sample_says_what_staging_gets(shop: Shop) -> None:
    plan = await shop.plan({**RULES, "users": RULES["users"].model_copy(update={"rows": Sample(percent=12.5)})})
    assert "  users: at most 400 rows are read, of which staging gets 12.5 %; masked: email (email); kept: id, invited_by" in plan.lines
