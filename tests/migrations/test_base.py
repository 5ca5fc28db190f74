"""An empty database gets the base schema first, once, and the files that it contains count as applied."""

from pathlib import Path

import pytest

from crane_infra.errors import MigrationError
from crane_infra.migrations.apply import migrate
from crane_infra.migrations.files.read import MigrationFile, SchemaFiles, read_base
from crane_infra.migrations.ledger import Ledger, LedgerEntry, head_of
from crane_infra.migrations.plan import make_plan
from tests.d1.server import D1Server, drop_after_commit, drop_unread
from tests.migrations.builders import write_files
from tests.migrations.conftest import Runner

BASE = "CREATE TABLE t (x TEXT, y TEXT); CREATE TABLE u (z TEXT);"
FILES = {
    "0001_make.sql": "CREATE TABLE t (x TEXT);",
    "0002_widen.sql": "ALTER TABLE t ADD COLUMN y TEXT;",
    "0005_more.sql": "INSERT INTO u VALUES ('new');",
}


@pytest.fixture
def base(tmp_path: Path) -> MigrationFile:
    """A schema that contains the migrations up to number 2."""
    path = tmp_path / "schema.sql"
    path.write_text(BASE, encoding="utf-8")
    return read_base(path, "workers/x/schema.sql", 2)


@pytest.fixture
def files(tmp_path: Path) -> tuple[MigrationFile, ...]:
    return write_files(tmp_path / "migrations", FILES)


async def run_with(run: Runner, base: MigrationFile, files: tuple[MigrationFile, ...]) -> tuple[str, ...]:
    """Run the migrations over a base, and say what was applied."""
    return (await migrate(run.db, SchemaFiles(files, base), release="release-1", log=run.log.append, pause=run.pause)).applied


async def test_an_empty_database_gets_the_base_and_what_came_after_it(
    run: Runner, server: D1Server, base: MigrationFile, files: tuple[MigrationFile, ...]
) -> None:
    assert await run_with(run, base, files) == ("schema.sql", "0005_more.sql")
    assert server.sql("SELECT z FROM u") == [("new",)]
    assert server.names() == list(FILES)


async def test_the_ledger_stands_where_it_would_without_a_base(run: Runner, base: MigrationFile, files: tuple[MigrationFile, ...]) -> None:
    outcome = await migrate(run.db, SchemaFiles(files, base), release="r", log=run.log.append, pause=run.pause)
    assert outcome.head == head_of(files)


async def test_a_second_run_changes_nothing(run: Runner, server: D1Server, base: MigrationFile, files: tuple[MigrationFile, ...]) -> None:
    await run_with(run, base, files)
    sent = len(server.requests)
    assert await run_with(run, base, files) == ()
    assert all(kind != "write" for kind, _ in server.requests[sent:])


async def test_a_database_that_has_its_migrations_gets_no_base(
    run: Runner, base: MigrationFile, files: tuple[MigrationFile, ...], server: D1Server
) -> None:
    await run(files[:2])
    server.sqlite.execute("CREATE TABLE u (z TEXT)")
    assert await run_with(run, base, files) == ("0005_more.sql",)


@pytest.mark.parametrize("action", [drop_unread, drop_after_commit])
@pytest.mark.parametrize("nth", range(4))
async def test_a_lost_reply_is_settled_by_the_ledger(
    run: Runner, server: D1Server, base: MigrationFile, files: tuple[MigrationFile, ...], action: object, nth: int
) -> None:
    for _ in range(nth):
        server.script("write", lambda execute: execute())
    server.script("write", action)  # type: ignore[arg-type]
    assert set(await run_with(run, base, files)) == {"schema.sql", "0005_more.sql"}
    assert server.sql("SELECT z FROM u") == [("new",)]


async def test_a_base_that_fails_leaves_nothing_and_is_named(
    run: Runner, server: D1Server, tmp_path: Path, files: tuple[MigrationFile, ...]
) -> None:
    path = tmp_path / "broken.sql"
    path.write_text("CREATE TABLE t (x); CREATE TABLE u (y); SELECT abs(-9223372036854775808);", encoding="utf-8")
    with pytest.raises(
        MigrationError,
        match=r"schema\.sql: not applied to .* at statement 3 of 3 .*integer overflow.*Pending: broken.sql, 0005_more.sql",
    ):
        await run_with(run, read_base(path, "schema.sql", 2), files)
    assert server.names() == []


def test_a_base_that_was_edited_after_a_database_was_made_from_it_is_refused(base: MigrationFile, tmp_path: Path) -> None:
    other = tmp_path / "other.sql"
    other.write_text("CREATE TABLE t (x);", encoding="utf-8")
    made = Ledger(
        base=LedgerEntry("schema.sql", listed=False, sha256=base.sha256, origin="base", done_at="then"), populated=True, ready=True
    )
    with pytest.raises(MigrationError, match="edited after it was recorded for db"):
        make_plan([], made, "db", base=read_base(other, "schema.sql", 0))


async def test_a_database_that_had_its_migrations_before_the_base_records_it_with_the_next_file(
    run: Runner, server: D1Server, base: MigrationFile, files: tuple[MigrationFile, ...]
) -> None:
    await run(files[:2])
    server.sqlite.execute("CREATE TABLE u (z TEXT)")
    assert await run_with(run, base, files) == ("0005_more.sql",)
    assert server.sql("SELECT name, sha256 FROM crane_migrations WHERE origin = 'base'") == [("schema.sql", base.sha256)]


async def test_a_base_that_the_ledger_does_not_know_yet_may_be_what_was_edited(
    run: Runner, files: tuple[MigrationFile, ...], base: MigrationFile, server: D1Server
) -> None:
    await run(files[:2])
    with pytest.raises(MigrationError, match=r"If workers/x/schema\.sql was edited since, restore it\. Restore the schema by hand"):
        await run_with(run, base, files)
    assert server.sql("SELECT name FROM crane_migrations WHERE origin = 'base'") == []


def test_a_missing_base_is_said(tmp_path: Path) -> None:
    with pytest.raises(MigrationError, match=r"schema\.sql: the file does not exist"):
        read_base(tmp_path / "schema.sql", "schema.sql", 0)
