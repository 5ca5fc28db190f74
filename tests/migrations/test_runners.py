"""Several runs at once, wrangler among them: every file is applied once, and all succeed."""

# ruff: noqa: S608 - SQL of the tests themselves

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from crane_infra.errors import MigrationError
from crane_infra.migrations.files.read import MigrationFile
from crane_infra.migrations.ledger import head_of
from crane_infra.migrations.unfinished import StartedNotDoneError
from tests.d1.server import NAME, D1Server, Execute, Reply, connected, drop_after_commit, drop_unread, serve
from tests.migrations.builders import SHOWN, write_files
from tests.migrations.conftest import Runner

Files = tuple[MigrationFile, ...]


def many(folder: Path, count: int) -> Files:
    contents = {f"{number:04}_f.sql": f"INSERT INTO t VALUES ({number});" for number in range(2, count + 1)}
    return write_files(folder, {"0001_f.sql": "CREATE TABLE t (x);", **contents})


@pytest.mark.parametrize("faults", [False, True])
async def test_five_runners_apply_each_file_once(server: D1Server, tmp_path: Path, faults: bool) -> None:  # noqa: FBT001
    """Row 10, with and without lost replies among them."""
    files = many(tmp_path / "m", 8)
    if faults:
        server.script("write", *[serve] * 5, drop_after_commit, serve, drop_unread, serve, drop_after_commit, serve, drop_unread)
    async with AsyncExitStack() as stack:
        runners = [Runner(await stack.enter_async_context(connected(server))) for _ in range(5)]
        outcomes = await asyncio.gather(*(run(files) for run in runners))
    names = [file.name for file in files]
    assert sorted(name for outcome in outcomes for name in outcome.applied) == names
    assert [outcome.head for outcome in outcomes] == [head_of(files)] * 5
    assert server.names() == server.names("crane_migrations") == names
    assert server.sql("SELECT x FROM t") == [(number,) for number in range(2, 9)]


async def test_five_runners_take_wranglers_rows_over_once(server: D1Server, tmp_path: Path) -> None:
    files = many(tmp_path / "m", 4)
    server.sql("CREATE TABLE t (x)")
    server.sql(
        "CREATE TABLE d1_migrations (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT UNIQUE, applied_at DEFAULT CURRENT_TIMESTAMP NOT NULL)"
    )
    server.sql("INSERT INTO d1_migrations (name) VALUES ('0001_f.sql')")
    async with AsyncExitStack() as stack:
        runners = [Runner(await stack.enter_async_context(connected(server))) for _ in range(5)]
        outcomes = await asyncio.gather(*(run(files) for run in runners))
    assert {outcome.head for outcome in outcomes} == {head_of(files)}
    assert server.sql("SELECT x FROM t") == [(2,), (3,), (4,)]


async def test_wrangler_applying_the_file_in_between_is_noticed_by_the_token(run: Runner, server: D1Server, three: Files) -> None:
    """Row 20."""

    def wrangler_first(execute: Execute) -> Reply:
        for statement in three[1].statements:
            server.sql(statement)
        server.sql("INSERT INTO d1_migrations (name) VALUES (?)", three[1].name)
        return execute()

    server.script("write", serve, serve, wrangler_first)
    outcome = await run(three)
    assert (outcome.applied, outcome.adopted) == ((three[0].name, three[2].name), (three[1].name,))
    assert outcome.head == head_of(three)
    assert server.sql("SELECT x FROM t") == [("a-b",), ("c",)]
    assert f"{NAME}: another run applied {three[1].name} in the meantime" in run.log


async def test_wrangler_applying_another_file_in_between_stops_the_run(run: Runner, server: D1Server, three: Files) -> None:
    """The plan is out of date, so the file must not run, although its own name is free."""

    def wrangler_first(execute: Execute) -> Reply:
        server.sql("INSERT INTO d1_migrations (name) VALUES ('0002_other.sql')")
        return execute()

    server.script("write", serve, serve, wrangler_first)
    with pytest.raises(MigrationError, match=f"^0002_other.sql: applied to {NAME}, but the file is missing"):
        await run(three)
    assert server.sql("SELECT x FROM t") == []


def taken(server: D1Server, file: MigrationFile, *, sha256: str = "") -> None:
    server.sql(
        "INSERT INTO crane_migrations (name, sha256, origin, token, \"release\", bookmark, started_at) VALUES (?, ?, 'applied', 'theirs', '', 'b', '2026')",
        file.name,
        sha256 or file.sha256,
    )


async def test_a_file_that_another_runner_is_applying_is_waited_for(run: Runner, server: D1Server, three: Files) -> None:
    def theirs_first(execute: Execute) -> Reply:
        taken(server, three[1])
        return execute()

    def finish() -> None:
        if len(run.pauses) == 2:
            for statement in three[1].statements:
                server.sql(statement)
            server.sql("INSERT INTO d1_migrations (name) VALUES (?)", three[1].name)
            server.sql("UPDATE crane_migrations SET done_at = '2026' WHERE name = ?", three[1].name)

    run.on_pause = finish
    server.script("write", serve, serve, theirs_first)
    outcome = await run(three)
    assert run.pauses == [1.0, 2.0]
    assert outcome.applied == (three[0].name, three[2].name)
    assert outcome.head == head_of(three)


async def test_a_file_that_another_runner_never_finishes_is_not_waited_for_without_end(run: Runner, server: D1Server, three: Files) -> None:
    def theirs_first(execute: Execute) -> Reply:
        taken(server, three[1])
        return execute()

    server.script("write", serve, serve, theirs_first)
    with pytest.raises(StartedNotDoneError, match=f"^{SHOWN}/{three[1].name}: started in {NAME} at 2026 but never marked as done"):
        await run(three)
    assert run.pauses == [1.0, 2.0, 4.0, 8.0, 16.0]
    assert server.sql("SELECT x FROM t") == []


async def test_another_runner_with_other_bytes_under_the_name_stops_the_run(run: Runner, server: D1Server, three: Files) -> None:
    def theirs_first(execute: Execute) -> Reply:
        taken(server, three[1], sha256="other")
        server.sql("INSERT INTO d1_migrations (name) VALUES (?)", three[1].name)
        server.sql("UPDATE crane_migrations SET done_at = '2026' WHERE name = ?", three[1].name)
        return execute()

    server.script("write", serve, serve, theirs_first)
    with pytest.raises(MigrationError, match=f"^{SHOWN}/{three[1].name}: edited after it was applied to {NAME} "):
        await run(three)


async def test_what_another_runner_applied_meanwhile_is_not_even_tried(run: Runner, server: D1Server, three: Files) -> None:
    """Our first write comes when the other runner has done everything: it is refused, and the only one."""
    await run(three[:1])
    before = server.count("write")

    def theirs_first(execute: Execute) -> Reply:
        for file in three[1:]:
            taken(server, file)
            server.sql("INSERT INTO d1_migrations (name) VALUES (?)", file.name)
        server.sql("UPDATE crane_migrations SET done_at = '2026'")
        return execute()

    server.script("write", theirs_first)
    assert (await run(three)).applied == ()
    assert server.count("write") == before + 1
    assert [f"{NAME}: another run applied {three[1].name} in the meantime"] == run.log[-1:]
