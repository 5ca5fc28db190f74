"""A migration runs only on the schema that it was written for: the one that the applied files make, or what somebody accepted."""

from pathlib import Path

import pytest

from crane_infra.migrations.baseline import Claim, record_baseline
from crane_infra.migrations.drift import SchemaDiffersError, look_for_drift
from crane_infra.migrations.files.read import MigrationFile, SchemaFiles
from crane_infra.migrations.ledger import read_ledger
from crane_infra.migrations.sqlite.schema import is_same
from tests.d1.server import NAME, D1Server
from tests.migrations.builders import write_files
from tests.migrations.conftest import Runner

FILES = {
    "0001_make.sql": "CREATE TABLE t (x TEXT); INSERT INTO t VALUES ('a');",
    "0002_widen.sql": "ALTER TABLE t ADD COLUMN y TEXT;",
    "0003_u.sql": "CREATE TABLE u (z TEXT);",
}


@pytest.fixture
def files(tmp_path: Path) -> tuple[MigrationFile, ...]:
    return write_files(tmp_path / "migrations", FILES)


@pytest.mark.parametrize(
    ("by_hand", "objects"),
    [
        ("ALTER TABLE t ADD COLUMN by_hand TEXT", "table t"),
        ("DROP TABLE t", "table t"),
        ("CREATE INDEX extra ON t (x)", "index extra"),
        ("CREATE TABLE other (x); CREATE VIEW v AS SELECT x FROM t", "table other, view v"),
    ],
)
async def test_a_schema_that_was_changed_by_hand_stops_the_run_and_is_shown(
    run: Runner, server: D1Server, files: tuple[MigrationFile, ...], by_hand: str, objects: str
) -> None:
    """Row 19."""
    await run(files[:1])
    server.sqlite.executescript(by_hand)
    server.requests.clear()
    with pytest.raises(SchemaDiffersError) as caught:
        await run(files)
    accept = " ".join(f"--accept '{name}'" for name in objects.split(", "))
    assert str(caught.value) == (
        f"{NAME}: its schema differs from the one that its migrations make ({objects}), so nothing was applied. Restore the schema by hand "
        f"(crane migrations verify shows the difference), or accept it as it is: crane migrations baseline -s <stack> -d <its name in the catalog> {accept}."
    )
    assert run.log[-1].startswith("--- expected from the migrations\n+++ live\n")
    assert server.count("write") == 0


async def test_without_a_pending_file_nobody_asks_for_the_schema(run: Runner, server: D1Server, files: tuple[MigrationFile, ...]) -> None:
    await run(files)
    server.sqlite.executescript("CREATE TABLE other (x)")
    assert (await run(files)).applied == ()


async def test_what_was_put_back_lets_the_run_go_on(run: Runner, server: D1Server, files: tuple[MigrationFile, ...]) -> None:
    await run(files[:1])
    server.sqlite.executescript("CREATE INDEX extra ON t (x)")
    with pytest.raises(SchemaDiffersError):
        await run(files)
    server.sqlite.executescript("DROP INDEX extra")
    assert (await run(files)).applied == ("0002_widen.sql", "0003_u.sql")


async def test_what_was_accepted_is_expected_from_then_on_and_changed_by_later_files(
    run: Runner, server: D1Server, files: tuple[MigrationFile, ...], tmp_path: Path
) -> None:
    await run(files[:1])
    server.sqlite.executescript("ALTER TABLE t ADD COLUMN by_hand TEXT; CREATE INDEX extra ON t (by_hand)")
    assert await record_baseline(run.db, SchemaFiles(files), Claim(accept=["table t", "index extra"])) == ("index extra", "table t")
    assert (await run(files)).applied == ("0002_widen.sql", "0003_u.sql")
    drift = await look_for_drift(run.db, SchemaFiles(files), await read_ledger(run.db))
    assert drift.objects == []
    assert "by_hand TEXT, y TEXT" in drift.expected["table t"]
    server.sqlite.executescript("DROP INDEX extra")
    more = write_files(tmp_path / "more", {**FILES, "0004_v.sql": "CREATE TABLE v (x);"})
    with pytest.raises(SchemaDiffersError, match=r"\(index extra\)"):
        await run(more)


async def test_an_object_that_is_gone_can_be_accepted_too(run: Runner, server: D1Server, files: tuple[MigrationFile, ...]) -> None:
    await run(files[:2])
    server.sqlite.executescript("DROP TABLE t")
    await record_baseline(run.db, SchemaFiles(files), Claim(accept=["table t"]))
    assert (await run(files)).applied == ("0003_u.sql",)


async def test_what_a_baseline_accepted_does_not_stop_the_next_migration(
    run: Runner, server: D1Server, files: tuple[MigrationFile, ...]
) -> None:
    server.sqlite.executescript("CREATE TABLE t (x TEXT, legacy TEXT)")
    await record_baseline(run.db, SchemaFiles(files), Claim("1", accept=["table t"]))
    assert (await run(files)).applied == ("0002_widen.sql", "0003_u.sql")
    assert (await look_for_drift(run.db, SchemaFiles(files), await read_ledger(run.db))).objects == []


async def test_a_statement_that_only_writes_rows_cannot_spoil_the_comparison(run: Runner, server: D1Server, tmp_path: Path) -> None:
    """It depends on rows that only the live database has."""
    rows = "CREATE TABLE u (x TEXT NOT NULL); INSERT INTO u SELECT x FROM t WHERE x = 'a' UNION ALL SELECT min(x) FROM t;"
    made = write_files(tmp_path / "m", {"0001_t.sql": "CREATE TABLE t (x TEXT);", "0002_u.sql": rows, "0003_v.sql": "CREATE TABLE v (x);"})
    await run(made[:1])
    server.sql("INSERT INTO t VALUES ('a')")
    assert (await run(made)).applied == ("0002_u.sql", "0003_v.sql")


async def test_an_applied_file_that_this_sqlite_does_not_know_is_told_and_stops_nothing(
    run: Runner, server: D1Server, tmp_path: Path
) -> None:
    """D1's SQLite may be newer than the one of this machine."""
    server.sqlite.create_function("newer", 0, lambda: "x", deterministic=True)
    made = write_files(
        tmp_path / "m",
        {"0001_t.sql": "CREATE TABLE t (x TEXT, y TEXT AS (newer()));", "0002_u.sql": "CREATE TABLE u (x);"},
    )
    assert (await run(made[:1])).applied == ("0001_t.sql",)
    assert (await run(made)).applied == ("0002_u.sql",)
    assert any("its schema could not be compared with its migrations: " in line and "no such function: newer" in line for line in run.log)


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [
        ("CREATE TABLE t (x TEXT)", 'create table "t" ( x\n TEXT -- why\n)', True),
        ("CREATE TABLE t (x TEXT DEFAULT 'A')", "CREATE TABLE t (x TEXT DEFAULT 'a')", False),
        ("CREATE TABLE t ([a b] TEXT)", "CREATE TABLE t (`a b` TEXT)", True),
        ("CREATE TABLE t (x TEXT)", "CREATE TABLE t (x TEXT NOT NULL)", False),
    ],
)
def test_white_space_comments_and_quotes_of_names_make_no_difference(one: str, other: str, *, equal: bool) -> None:
    assert is_same(one, other) is equal
