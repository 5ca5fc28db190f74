"""A run brings the database up to its files, and the ledger matches the real schema, whatever the database held before."""

from pathlib import Path

import pytest

from crane_infra.d1.client import D1
from crane_infra.errors import ApiError, MigrationError
from crane_infra.migrations.files.read import MigrationFile
from crane_infra.migrations.ledger import LedgerHead, head_of, read_ledger
from tests.d1.server import NAME, D1Server, failed, say
from tests.migrations.builders import SHOWN, write_files
from tests.migrations.conftest import Runner

WRANGLER = "CREATE TABLE d1_migrations(id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT UNIQUE, applied_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP NOT NULL)"
NAMES = ["0001_make.sql", "0002_fill.sql", "0010_widen.sql"]
BACK = f"wrangler d1 time-travel restore {NAME} --bookmark="


async def test_an_empty_database_gets_every_file_once_and_in_order(run: Runner, server: D1Server, three: tuple[MigrationFile, ...]) -> None:
    outcome = await run(three)
    assert outcome.applied == tuple(NAMES)
    assert outcome.head == head_of(three)
    assert server.names() == server.names("crane_migrations") == NAMES
    assert server.sql("SELECT x, y FROM t") == [("a-b", None), ("c", None)]
    assert run.log == [
        f"{NAME}: 3 pending; to return to the state before them: {BACK}bookmark-0",
        *(f"{NAME}: applied {name}" for name in NAMES),
    ]


async def test_each_file_is_one_request_and_nothing_is_read_in_between(
    run: Runner, server: D1Server, three: tuple[MigrationFile, ...]
) -> None:
    await run(three)
    kinds = [kind for kind, _ in server.requests]
    first = kinds.index("bookmark") + 1
    assert kinds[first : first + 3] == ["write"] * 3
    assert server.count("write") == 4


async def test_wranglers_table_is_the_one_that_wrangler_makes(run: Runner, server: D1Server, three: tuple[MigrationFile, ...]) -> None:
    await run(three)
    made = server.sql("SELECT name, type, \"notnull\", dflt_value, pk FROM pragma_table_info('d1_migrations')")
    server.sql("DROP TABLE d1_migrations")
    server.sql(WRANGLER)
    assert made == server.sql("SELECT name, type, \"notnull\", dflt_value, pk FROM pragma_table_info('d1_migrations')")


async def test_a_second_run_writes_nothing(run: Runner, server: D1Server, three: tuple[MigrationFile, ...]) -> None:
    first = await run(three)
    server.requests.clear()
    second = await run(three)
    assert (second.applied, second.adopted, second.head) == ((), (), first.head)
    assert [kind for kind, _ in server.requests] == ["read", "read"]


async def test_no_files_on_an_empty_database_leave_it_empty(run: Runner, server: D1Server) -> None:
    outcome = await run([])
    assert outcome.head == head_of([]) == LedgerHead(None, 0, head_of([]).digest)
    assert server.sql("SELECT * FROM sqlite_master") == []


async def test_the_ledger_says_who_when_and_how_to_return(run: Runner, db: D1, three: tuple[MigrationFile, ...]) -> None:
    await run(three)
    (entry, *_) = (await read_ledger(db)).entries
    assert (entry.name, entry.sha256, entry.origin, entry.release, entry.bookmark) == (
        NAMES[0],
        three[0].sha256,
        "applied",
        "release-1",
        "bookmark-0",
    )
    assert entry.settled
    assert entry.started_at is not None
    assert entry.done_at is not None


async def test_a_ledger_that_was_there_is_read_with_its_schema_in_one_request(
    run: Runner, db: D1, server: D1Server, three: tuple[MigrationFile, ...]
) -> None:
    await run(three)
    before = await read_ledger(db)
    server.requests.clear()
    again = await read_ledger(db, ready=True)
    assert [kind for kind, _ in server.requests] == ["read"]
    assert (again, sorted(again.objects)) == (before, sorted(before.objects))


@pytest.mark.parametrize("kept", [(), ("d1_migrations",)], ids=["all", "all but wrangler's"])
async def test_a_ledger_that_was_there_and_is_gone_is_read_as_gone(
    run: Runner, db: D1, server: D1Server, three: tuple[MigrationFile, ...], kept: tuple[str, ...]
) -> None:
    await run(three)
    for table in {"d1_migrations", "crane_migrations", "crane_rows", "crane_accepted"}.difference(kept):
        server.sql(f"DROP TABLE {table}")
    again = await read_ledger(db, ready=True)
    assert again == await read_ledger(db)
    assert (len(again.entries), again.ready) == (len(three) if kept else 0, False)


async def test_reading_the_ledger_of_an_untouched_database_changes_nothing(db: D1, server: D1Server) -> None:
    assert (await read_ledger(db)).populated is False
    server.sql("CREATE TABLE _cf_KV (x)")
    assert (await read_ledger(db)).populated is False
    server.sql("CREATE TABLE users (x)")
    assert (await read_ledger(db)).populated is True
    assert server.count("write") == 0


async def test_what_wrangler_applied_is_taken_over_and_not_run(run: Runner, server: D1Server, three: tuple[MigrationFile, ...]) -> None:
    server.sql(WRANGLER)
    server.sql("CREATE TABLE t (x TEXT)")
    server.sql("INSERT INTO d1_migrations (name, applied_at) VALUES (?, '2025-06-01 10:00:00')", NAMES[0])
    outcome = await run(three)
    assert (outcome.adopted, outcome.applied) == ((NAMES[0],), (NAMES[1], NAMES[2]))
    assert outcome.head == head_of(three)
    assert run.log[0] == f"{NAME}: imported from wrangler's ledger: {NAMES[0]}"
    assert server.sql("SELECT origin, done_at FROM crane_migrations WHERE name = ?", NAMES[0]) == [("adopted", "2025-06-01 10:00:00")]


async def test_a_file_edited_after_it_was_taken_over_is_refused(
    run: Runner, server: D1Server, three: tuple[MigrationFile, ...], tmp_path: Path
) -> None:
    """Row 11: line ends only, and nothing is written."""
    await run(three)
    server.requests.clear()
    edited = write_files(tmp_path / "edited", {NAMES[0]: "CREATE TABLE t (x TEXT);\r\n"})
    with pytest.raises(MigrationError, match=f"^{SHOWN}/{NAMES[0]}: edited after it was applied to {NAME} "):
        await run([*edited, *three[1:]])
    assert server.count("write") == 0


async def test_an_order_that_wrangler_mixed_up_gives_the_same_head(run: Runner, server: D1Server, three: tuple[MigrationFile, ...]) -> None:
    server.sql(WRANGLER)
    for name in reversed(NAMES):
        server.sql("INSERT INTO d1_migrations (name) VALUES (?)", name)
    assert (await run(three)).head == head_of(three)


async def test_a_populated_database_without_ledger_is_not_touched(run: Runner, server: D1Server, three: tuple[MigrationFile, ...]) -> None:
    """Row 18."""
    server.sql("CREATE TABLE t (x TEXT)")
    with pytest.raises(MigrationError, match=f"^{NAME}: it has tables but an empty ledger"):
        await run(three)
    assert server.count("write") == 0


async def test_a_late_file_runs_only_where_that_is_allowed_and_is_told(run: Runner, server: D1Server, tmp_path: Path) -> None:
    """Row 12."""
    a, b, c = write_files(tmp_path / "m", {f"{number:04}_f.sql": f"CREATE TABLE t{number} (x);" for number in (1, 2, 10)})
    await run([a, c])
    with pytest.raises(MigrationError, match=f"^{SHOWN}/0002_f.sql: pending, but sorts before 0010_f.sql"):
        await run([a, b, c])
    outcome = await run([a, b, c], out_of_order=True)
    assert outcome.applied == ("0002_f.sql",)
    assert outcome.head == head_of([a, b, c])
    assert f"{NAME}: 0002_f.sql runs out of order, as the stack file allows" in run.log
    assert server.names() == ["0001_f.sql", "0010_f.sql", "0002_f.sql"]


async def test_comments_quotes_unicode_and_numbers_pass_through(run: Runner, server: D1Server, tmp_path: Path) -> None:
    """Rows 13 and 14."""
    files = write_files(
        tmp_path / "odd", {"9_o'b.sql": "CREATE TABLE t (x);", "10_表.sql": "-- nothing", "0100_c.sql": "INSERT INTO t VALUES ('''表,');"}
    )
    assert (await run(files)).head == head_of(files)
    assert server.names() == ["9_o'b.sql", "10_表.sql", "0100_c.sql"]
    assert server.sql("SELECT x FROM t") == [("'表,",)]


async def test_without_a_bookmark_nothing_is_applied(run: Runner, server: D1Server, three: tuple[MigrationFile, ...]) -> None:
    """Without a way back no file is applied."""
    server.script("bookmark", say(403, failed(10000, "Authentication error")))
    with pytest.raises(ApiError, match="may not do this"):
        await run(three)
    assert server.names() == []
    assert (await run(three)).applied == tuple(NAMES)


async def test_a_failed_statement_leaves_nothing_and_is_named(
    run: Runner, server: D1Server, three: tuple[MigrationFile, ...], tmp_path: Path
) -> None:
    """Row 1."""
    bad = {"0002_fill.sql": "INSERT INTO t VALUES ('x'); SELECT abs(-9223372036854775808);"}
    (broken,) = write_files(tmp_path / "bad", bad)
    with pytest.raises(MigrationError) as caught:
        await run([three[0], broken, three[2]])
    assert str(caught.value) == (
        f"{SHOWN}/0002_fill.sql: not applied to {NAME} at statement 2 of 2 (SELECT abs(-9223372036854775808)): "
        "D1 refused it: integer overflow: SQLITE_ERROR (code 7500). It was rolled back. "
        "Applied in this run: 0001_make.sql. Pending: 0002_fill.sql, 0010_widen.sql. "
        "Fix what the message names; then run the same `pulumi up` again, which continues with this file."
    )
    assert server.names() == server.names("crane_migrations") == [NAMES[0]]
    assert server.sql("SELECT * FROM t") == []
    assert (await run(three)).applied == (NAMES[1], NAMES[2])


async def test_where_rows_decide_the_statements_that_write_there_are_named(run: Runner, server: D1Server, tmp_path: Path) -> None:
    inserts = "INSERT INTO t VALUES (1); SELECT 1; INSERT INTO t VALUES (2);"
    files = write_files(tmp_path / "m", {"0001_a.sql": "CREATE TABLE t (x UNIQUE);", "0002_b.sql": inserts})
    await run(files[:1])
    server.sql("INSERT INTO t VALUES (1)")
    with pytest.raises(MigrationError) as caught:
        await run(files)
    assert str(caught.value).startswith(
        f"{SHOWN}/0002_b.sql: not applied to {NAME} at one of the statements 1, 3 of 3: D1 refused it: UNIQUE constraint failed: t.x: SQLITE_ERROR"
    )


@pytest.mark.parametrize("size", [1, 500])
async def test_a_statement_that_never_ends_is_no_trap_for_the_search(run: Runner, tmp_path: Path, size: int) -> None:
    endless = "CREATE TABLE u AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 300) SELECT i FROM n;"
    files = write_files(tmp_path / "m", {"0001_a.sql": endless * 1 + "SELECT 1;" * size + "SELECT abs(-9223372036854775808);"})
    with pytest.raises(MigrationError, match=f"at statement {size + 2} of {size + 2} "):
        await run(files)
