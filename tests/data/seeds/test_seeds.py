"""A seed runs once, again when it changed, only in staging, and is refused before anything runs where it could not run twice."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from crane_infra.d1.client import D1
from crane_infra.data.seeds.files import Seed, read_seeds, try_seeds
from crane_infra.data.seeds.run import due_seeds, read_ran, run_seeds
from crane_infra.data.staging import StagingDatabase, database_ids, staging_database
from crane_infra.errors import DataError, MigrationError
from crane_infra.migrations.apply import migrate
from crane_infra.migrations.drift import look_for_drift
from crane_infra.migrations.files.read import SchemaFiles
from crane_infra.migrations.ledger import read_ledger
from crane_infra.migrations.status import status_of
from tests.d1.fixtures import db, no_waiting, server
from tests.d1.server import DATABASE, Action, D1Server, drop_after_commit, drop_unread, failed, say
from tests.migrations.builders import write_files

__all__ = ["db", "no_waiting", "server"]
TABLES = {
    "0001_make.sql": "CREATE TABLE t (id INTEGER PRIMARY KEY, x TEXT); CREATE TABLE u (t INTEGER NOT NULL REFERENCES t (id), y TEXT);"
}
FIRST = "INSERT INTO t VALUES (1, 'it''s one') ON CONFLICT DO NOTHING;"
SECOND = "-- refers; to the first\nDELETE FROM u; INSERT INTO u VALUES (1, 'of one');"


def seeds(tmp_path: Path, files: Mapping[str, str], tables: Mapping[str, str] = TABLES) -> tuple[Seed, ...]:
    migrations = write_files(tmp_path / "migrations", dict(tables))
    folder = tmp_path / "seeds"
    folder.mkdir(exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    read = read_seeds(folder, "shop/seeds")
    try_seeds(read, migrations)
    return read


@pytest.fixture
async def staging(db: D1, tmp_path: Path) -> StagingDatabase:
    """A staging database with its migrations."""
    await migrate(db, SchemaFiles(write_files(tmp_path / "migrations", TABLES)), release="r", log=lambda _: None)
    return staging_database("staging", "shop", DATABASE, db, ["another"])


async def run(staging: StagingDatabase, given: tuple[Seed, ...]) -> list[str]:
    """What a run of seeds logs."""
    log: list[str] = []
    await run_seeds(staging, given, log.append)
    return [line.partition("seeded ")[2] for line in log]


class TestWhatRuns:
    async def test_each_seed_once_in_order_and_one_that_changed_again(
        self, staging: StagingDatabase, server: D1Server, tmp_path: Path
    ) -> None:
        given = seeds(tmp_path, {"0001_t.sql": FIRST, "0002_u.sql": SECOND})
        assert await run(staging, given) == ["0001_t.sql", "0002_u.sql"]
        assert not await run(staging, given)
        changed = seeds(
            tmp_path, {"0001_t.sql": FIRST, "0002_u.sql": SECOND.replace("of one", "other"), "0003_t.sql": "UPDATE t SET x = 'set';"}
        )
        assert [each.text for each in due_seeds(changed, await read_ran(staging.db))] == ["0002_u.sql (changed)", "0003_t.sql"]
        assert await run(staging, changed) == ["0002_u.sql (changed)", "0003_t.sql"]
        assert server.sql("SELECT x, y FROM t JOIN u ON t.id = u.t") == [("set", "other")]

    async def test_the_ledger_of_seeds_is_no_drift_and_pends_nothing(self, staging: StagingDatabase, db: D1, tmp_path: Path) -> None:
        await run(staging, seeds(tmp_path, {"0001_t.sql": FIRST}))
        schema = SchemaFiles(write_files(tmp_path / "migrations", TABLES))
        assert (await look_for_drift(db, schema, await read_ledger(db))).objects == []
        assert (await status_of(db, schema)).is_settled

    @pytest.mark.parametrize("fault", [drop_unread, drop_after_commit, say(503)])
    async def test_a_lost_reply_is_no_second_row(self, staging: StagingDatabase, server: D1Server, tmp_path: Path, fault: Action) -> None:
        server.script("write", fault)
        assert await run(staging, seeds(tmp_path, {"0001_u.sql": "INSERT INTO t VALUES (7, 'x') ON CONFLICT DO NOTHING;"})) == [
            "0001_u.sql"
        ]
        assert server.sql("SELECT COUNT(*) FROM t") == [(1,)]

    async def test_a_seed_that_fails_is_named_and_those_before_it_stay(
        self, staging: StagingDatabase, server: D1Server, tmp_path: Path
    ) -> None:
        server.sql("CREATE TRIGGER no BEFORE INSERT ON u BEGIN SELECT RAISE(ABORT, 'not today'); END")
        given = seeds(tmp_path, {"0001_t.sql": "INSERT OR IGNORE INTO t VALUES (1, 'a');", "0002_u.sql": SECOND})
        with pytest.raises(MigrationError, match=r"shop/seeds/0002_u\.sql: not run in crane-test-db-staging: .*not today"):
            await run(staging, given)
        assert server.sql("SELECT name FROM crane_seeds") == [("0001_t.sql",)]
        assert server.sql("SELECT COUNT(*) FROM u") == [(0,)]


class TestWhatIsRefused:
    @pytest.mark.parametrize(
        ("files", "messages"),
        [
            ({"users.sql": FIRST}, ["shop/seeds/users.sql: its name does not begin with a number"]),
            ({"1_a.sql": FIRST, "01_b.sql": FIRST}, ["1_a.sql: 2 seeds have the number 1", "01_b.sql: 2 seeds have the number 1"]),
            (
                {"1_a.sql": "CREATE TABLE v (x);", "2_b.sql": "PRAGMA user_version = 1;"},
                ["1_a.sql: a seed only writes rows", "2_b.sql: a seed only"],
            ),
            ({"1_a.sql": "INSERT INTO t VALUES (1, 'a')"}, ["1_a.sql: the last statement is incomplete"]),
            ({"1_a.sql": ""}, ["1_a.sql: the file is empty"]),
            ({"1_a.sql": "INSERT INTO missing VALUES (1);"}, ["1_a.sql, statement 1: SQLite refuses it: no such table: missing"]),
            (
                {"1_a.sql": "INSERT INTO u VALUES (9, 'orphan');"},
                ["1_a.sql, statement 1: SQLite refuses it: FOREIGN KEY constraint failed"],
            ),
            ({"1_a.sql": "INSERT INTO t VALUES (1, 'a');"}, ["1_a.sql, statement 1: it cannot run again: UNIQUE constraint failed: t.id"]),
            (
                {"1_a.sql": "INSERT INTO t (x) VALUES ('a');", "2_b.sql": "INSERT INTO t (x) VALUES ('b');"},
                ["1_a.sql: it does not leave the same rows when it runs again: t has 3 rows, and had 2", "2_b.sql: it does not leave"],
            ),
        ],
    )
    def test_what_could_not_run_twice_or_does_more_than_write_rows(
        self, tmp_path: Path, files: Mapping[str, str], messages: list[str]
    ) -> None:
        with pytest.raises(MigrationError) as caught:
            seeds(tmp_path, files)
        assert len(caught.value.errors) == len(messages)
        assert all(message in str(error) for message, error in zip(sorted(messages), sorted(map(str, caught.value.errors)), strict=True))

    def test_another_environment_and_a_database_of_production(self, db: D1) -> None:
        with pytest.raises(DataError, match="stack production: only staging gets rows from seeds and refreshes"):
            staging_database("production", "shop", DATABASE, db, [])
        places = {"Pulumi.production.yaml": {"databases": {"shop": {"name": "shop", "adopt": DATABASE}}}, "stack production": {}}
        with pytest.raises(DataError, match="is a database of production, so nothing is written to it"):
            staging_database("staging", "shop", DATABASE, db, database_ids(places))

    async def test_what_d1_refuses_at_once_is_not_sent_again(self, staging: StagingDatabase, server: D1Server, tmp_path: Path) -> None:
        given = seeds(tmp_path, {"0001_t.sql": "INSERT OR IGNORE INTO t VALUES (1, 'a');"})
        before = server.count("write")
        server.script("write", say(400, failed(7500, "no")))
        with pytest.raises(MigrationError, match="not run in"):
            await run(staging, given)
        assert server.count("write") == before + 1


def test_a_migration_that_only_a_database_can_judge_is_left_to_the_run(tmp_path: Path) -> None:
    fails = TABLES | {"0002_fails.sql": "CREATE TABLE v (x TEXT); SELECT abs(-9223372036854775808);"}
    assert [seed.name for seed in seeds(tmp_path, {"0001_t.sql": FIRST}, fails)] == ["0001_t.sql"]
