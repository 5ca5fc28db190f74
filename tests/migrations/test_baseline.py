"""A database with tables and no ledger is baselined only if its schema matches the files or each difference is accepted."""

from pathlib import Path

import pytest

from crane_infra.errors import MigrationError
from crane_infra.migrations.baseline import Claim, record_baseline
from crane_infra.migrations.drift import SchemaDiffersError
from crane_infra.migrations.files.read import MigrationFile, SchemaFiles, read_base
from crane_infra.migrations.status import status_of
from tests.d1.server import D1Server
from tests.migrations.builders import write_files
from tests.migrations.conftest import Runner

FILES = {
    "0001_make.sql": "CREATE TABLE t (x TEXT);",
    "0002_widen.sql": "ALTER TABLE t ADD COLUMN y TEXT;",
    "0003_u.sql": "CREATE TABLE u (z TEXT);",
}


@pytest.fixture
def files(tmp_path: Path) -> tuple[MigrationFile, ...]:
    return write_files(tmp_path / "migrations", FILES)


@pytest.fixture
def populated(server: D1Server) -> D1Server:
    """A database that holds the first two files, and rows, and no ledger."""
    server.sqlite.executescript("CREATE TABLE t (x TEXT); ALTER TABLE t ADD COLUMN y TEXT; INSERT INTO t VALUES ('a', 'b');")
    return server


async def test_a_populated_database_without_a_ledger_is_refused_first(
    run: Runner, populated: D1Server, files: tuple[MigrationFile, ...]
) -> None:
    found = await status_of(run.db, SchemaFiles(files))
    assert found.refusal is not None
    assert "it has tables but an empty ledger" in str(found.refusal)
    assert populated.sql("SELECT x FROM t") == [("a",)]


async def test_where_schema_and_files_agree_the_ledger_is_written_and_the_rest_is_pending(
    run: Runner, populated: D1Server, files: tuple[MigrationFile, ...]
) -> None:
    assert await record_baseline(run.db, SchemaFiles(files), Claim("2")) == ("0001_make.sql", "0002_widen.sql")
    assert (await run(files)).applied == ("0003_u.sql",)
    assert populated.names() == list(FILES)
    assert populated.sql("SELECT x, y FROM t") == [("a", "b")]


async def test_a_difference_is_shown_and_nothing_is_written(run: Runner, populated: D1Server, files: tuple[MigrationFile, ...]) -> None:
    with pytest.raises(SchemaDiffersError) as caught:
        await record_baseline(run.db, SchemaFiles(files), Claim())
    assert "its schema differs from the one that these files make (table u)" in str(caught.value)
    assert "-CREATE TABLE u (z TEXT);" in caught.value.diff
    assert all(kind != "write" for kind, _ in populated.requests)


async def test_a_difference_that_was_named_is_accepted_and_no_other(
    run: Runner, populated: D1Server, files: tuple[MigrationFile, ...]
) -> None:
    populated.sqlite.execute("CREATE INDEX extra ON t (x)")
    with pytest.raises(SchemaDiffersError, match=r"\(index extra\)"):
        await record_baseline(run.db, SchemaFiles(files), Claim(accept=["table u"]))
    with pytest.raises(MigrationError, match="table nothing does not differ"):
        await record_baseline(run.db, SchemaFiles(files), Claim(accept=["table u", "index extra", "table nothing"]))
    assert len(await record_baseline(run.db, SchemaFiles(files), Claim(accept=["table u", "index extra"]))) == 3


async def test_a_database_with_a_ledger_needs_no_baseline(run: Runner, files: tuple[MigrationFile, ...]) -> None:
    await run(files)
    with pytest.raises(MigrationError, match=r"its ledger already has 3 migrations, up to 0003_u\.sql"):
        await record_baseline(run.db, SchemaFiles(files), Claim())


async def test_a_base_schema_counts_for_the_files_that_it_contains(
    run: Runner, populated: D1Server, files: tuple[MigrationFile, ...], tmp_path: Path
) -> None:
    path = tmp_path / "schema.sql"
    path.write_text("CREATE TABLE t (x TEXT, y TEXT);", encoding="utf-8")
    populated.sqlite.executescript("DROP TABLE t; CREATE TABLE t (x TEXT, y TEXT);")
    assert len(await record_baseline(run.db, SchemaFiles(files, read_base(path, "schema.sql", 2)), Claim("2"))) == 2


SEEDS = {"0003_seed.sql": "INSERT INTO t VALUES ('c', 'd');", "0004_more.sql": "UPDATE t SET x = 'e' WHERE y = 'd';"}


async def test_files_that_only_change_data_need_a_word_whether_they_ran(run: Runner, populated: D1Server, tmp_path: Path) -> None:
    schema = SchemaFiles(write_files(tmp_path / "migrations", {**dict(list(FILES.items())[:2]), **SEEDS}))
    unclear = "its schema cannot tell whether 0003_seed.sql and 0004_more.sql ran: they only change data. "
    with pytest.raises(MigrationError) as caught:
        await record_baseline(run.db, schema, Claim())
    assert unclear + "Say whether it has them: --up-to 0004_more.sql if it has, --up-to 0002_widen.sql if it has not." in str(caught.value)
    with pytest.raises(MigrationError) as caught:
        await record_baseline(run.db, schema, Claim("2"))
    assert unclear + "If it has them, use --up-to 0004_more.sql; if they still have to run, add --pending 0003_seed.sql" in str(
        caught.value
    )
    assert all(kind != "write" for kind, _ in populated.requests)
    assert await record_baseline(run.db, schema, Claim("3", pending=["0004_more.sql"])) == (*list(FILES)[:2], "0003_seed.sql")
    assert (await run(schema.files)).applied == ("0004_more.sql",)


async def test_the_number_that_fits_is_proposed(run: Runner, populated: D1Server, files: tuple[MigrationFile, ...]) -> None:
    for claim in (Claim(), Claim("0001_make.sql")):
        with pytest.raises(
            SchemaDiffersError, match=r"Its schema is the one of the files up to 0002_widen.sql: use --up-to 0002_widen.sql"
        ):
            await record_baseline(run.db, SchemaFiles(files), claim)
    with pytest.raises(MigrationError, match=r"--up-to 0009_x.sql: there is no such migration"):
        await record_baseline(run.db, SchemaFiles(files), Claim("0009_x.sql"))
    assert all(kind != "write" for kind, _ in populated.requests)
