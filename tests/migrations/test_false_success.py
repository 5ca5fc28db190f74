"""Success that is not true is never believed: the last look at the ledger decides, and an answer without rows is not "no rows"."""

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from crane_infra.errors import ApiError, MigrationError
from crane_infra.migrations.baseline import Claim, record_baseline
from crane_infra.migrations.files.read import MigrationFile, SchemaFiles
from tests.d1.server import NAME, Action, D1Server, Execute, Reply, done, say
from tests.migrations.builders import SHOWN, write_files
from tests.migrations.conftest import Runner

Files = tuple[MigrationFile, ...]
NAMES = ("0001_make.sql", "0002_fill.sql", "0010_widen.sql")
GO_ON = "Run the same `pulumi up` again: it reads the ledger first and continues from there"
EMPTY = {"success": True, "results": [], "meta": {"changes": 1}}


def claim(server: D1Server) -> Action:
    """Say that every statement of the request succeeded, and do nothing."""
    return lambda _execute: Reply(200, done([EMPTY] * len(server.requests[-1][1])))


async def test_files_that_were_never_applied_fail_the_run_and_are_named(run: Runner, server: D1Server, three: Files) -> None:
    assert (await run(three[:1])).applied == NAMES[:1]
    server.script("write", *[claim(server)] * 2)
    with pytest.raises(MigrationError) as caught:
        await run(three)
    assert str(caught.value) == (
        f"{SHOWN}/{NAMES[1]}: not applied to {NAME}: D1 reported success, but the ledger has no record of it. "
        f"Applied in this run: none. Pending: {NAMES[1]}, {NAMES[2]}. {GO_ON}."
    )
    assert (await run(three)).applied == NAMES[1:]


async def test_a_later_file_is_not_applied_over_one_that_is_missing(run: Runner, server: D1Server, three: Files) -> None:
    assert (await run(three[:1])).applied == NAMES[:1]
    server.script("write", claim(server))
    with pytest.raises(MigrationError, match=rf"^{SHOWN}/{NAMES[1]}: not applied to {NAME}: D1 reported success, but "):
        await run(three)
    assert server.names() == list(NAMES[:1])
    assert (await run(three)).applied == NAMES[1:]


async def test_wranglers_rows_that_were_never_imported_fail_the_run(run: Runner, server: D1Server, three: Files) -> None:
    await run(three)
    server.sql("DELETE FROM crane_migrations")
    server.script("write", claim(server))
    with pytest.raises(MigrationError, match=rf"^{SHOWN}/{NAMES[0]}: not imported from wrangler's ledger in {NAME}: D1 reported "):
        await run(three)
    assert (await run(three)).adopted == NAMES


async def test_a_baseline_that_was_never_written_is_an_error(run: Runner, server: D1Server, tmp_path: Path) -> None:
    files = write_files(tmp_path / "migrations", {"0001_make.sql": "CREATE TABLE t (x TEXT);"})
    server.sqlite.executescript("CREATE TABLE t (x TEXT); CREATE INDEX extra ON t (x);")
    schema, accepted = SchemaFiles(files), ["index extra"]
    server.script("write", claim(server))
    with pytest.raises(MigrationError, match=rf"^{NAME}: D1 reported success, but the ledger has no record of 0001_make\.sql\. Run "):
        await record_baseline(run.db, schema, Claim(accept=accepted))
    assert await record_baseline(run.db, schema, Claim(accept=accepted)) == ("0001_make.sql",)
    server.sql("CREATE INDEX other ON t (x)")
    server.script("write", claim(server))
    with pytest.raises(MigrationError, match=rf"^{NAME}: D1 reported success, but the ledger has no record of index other\. Run "):
        await record_baseline(run.db, schema, Claim(accept=["index other"]))
    assert await record_baseline(run.db, schema, Claim(accept=["index other"])) == ("index other",)


LIES: dict[str, Any] = {
    "no rows anywhere": lambda statements: done([EMPTY] * statements),
    "no rows, counted as none": lambda statements: done([{**EMPTY, "results": [{"counted": 0}]}] * statements),
    "rows of null": lambda statements: done([{**EMPTY, "results": None}] * statements),
    "no results": lambda _: done([]),
    "a row that is a text": lambda statements: done([{**EMPTY, "results": ["x"]}] * statements),
    "a row without columns": lambda _: done([{**EMPTY, "results": [{"counted": 1}]}, {**EMPTY, "results": [{}]}]),
}


@pytest.mark.parametrize("lie", LIES)
async def test_an_api_that_lies_from_beginning_to_end_applies_nothing_and_says_so(
    run: Runner, server: D1Server, three: Files, lie: str
) -> None:
    def answer(_execute: Execute) -> Reply:
        return Reply(200, LIES[lie](len(server.requests[-1][1])))

    for kind in ("read", "write"):
        server.script(kind, *[answer] * 50)
    with pytest.raises((ApiError, MigrationError)) as caught:
        await run(three)
    assert "\n" not in str(caught.value)
    assert server.sql("SELECT name FROM sqlite_master") == []


@pytest.mark.parametrize("column", ["source", "name", "sha256", "origin", "token", "release", "started_at", "done_at", "type", "sql"])
@pytest.mark.parametrize("value", [3, ["x"], {"x": 1}, True, "absent"], ids=str)
async def test_a_row_of_the_ledger_that_cannot_be_read_is_never_a_row_less(
    run: Runner, server: D1Server, three: Files, column: str, value: object
) -> None:
    await run(three)

    def spoil(execute: Execute) -> Reply:
        envelope = json.loads(execute().content)
        for row in envelope["result"][1]["results"]:
            row.pop(column, None) if value == "absent" else row.update({column: value})
        return Reply(200, envelope)

    server.script("read", *[spoil] * 20)
    server.requests.clear()
    with pytest.raises((ApiError, MigrationError)) as caught:
        await run(three)
    assert "cannot be read" in str(caught.value)
    assert server.count("write") == 0


async def test_an_empty_database_is_still_empty(run: Runner, server: D1Server, three: Files) -> None:
    """The count is a row, so that a database without tables can say so."""
    assert (await run(three)).applied == NAMES
    counted = [one["sql"] for _, batch in server.requests for one in batch if one["sql"].startswith("SELECT COUNT(*) AS counted FROM (")]
    assert counted
    with sqlite3.connect(":memory:") as empty:
        assert empty.execute(counted[0]).fetchall() == [(0,)]


async def test_a_page_in_place_of_the_last_look_is_an_error_and_not_a_success(run: Runner, server: D1Server, three: Files) -> None:
    server.script("read", lambda execute: execute(), *[say(404)] * 20)
    with pytest.raises(ApiError, match=r"Cloudflare's API failed: status 404 with text/html, which is not an answer of the API"):
        await run(three)
    server.scripts.clear()
    assert server.names() == list(NAMES)
