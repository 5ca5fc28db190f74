"""A run that has read a ledger before takes the bookmark while it reads the ledger again, and takes another one where the ledger has changed."""

from collections.abc import Sequence

import pytest

from crane_infra.d1.client import D1
from crane_infra.errors import ApiError
from crane_infra.migrations.apply import Outcome, migrate
from crane_infra.migrations.files.read import MigrationFile, SchemaFiles
from crane_infra.migrations.ledger import Ledger, read_ledger
from tests.d1.server import D1Server, failed, say
from tests.migrations.conftest import Runner

Files = tuple[MigrationFile, ...]


async def go_on(db: D1, files: Sequence[MigrationFile], known: Ledger) -> Outcome:
    """Apply files to a database that a release has used, as an update does that has read its ledger."""
    schema = SchemaFiles(tuple(files), has_ledger=True)
    return await migrate(db, schema, release="release-2", log=lambda _: None, known=known)


def bookmark_of(server: D1Server, file: MigrationFile) -> str:
    """The way back that the ledger names for a file."""
    ((bookmark,),) = server.sql("SELECT bookmark FROM crane_migrations WHERE name = ?", file.name)
    return str(bookmark)


async def test_an_unchanged_ledger_is_read_beside_the_bookmark_and_each_in_one_call(run: Runner, server: D1Server, three: Files) -> None:
    await run(three[:1])
    known = await read_ledger(run.db)
    server.requests.clear()
    assert (await go_on(run.db, three, known)).applied == ("0002_fill.sql", "0010_widen.sql")
    kinds = [kind for kind, _ in server.requests]
    assert sorted(kinds[: kinds.index("write")]) == ["bookmark", "read"]
    assert kinds.count("bookmark") == 1
    assert bookmark_of(server, three[1]) == "bookmark-1"


async def test_after_another_run_the_way_back_is_not_from_before_that_run(run: Runner, server: D1Server, three: Files) -> None:
    await run(three[:1])
    known = await read_ledger(run.db)
    await run(three[:2])
    server.requests.clear()
    server.script("bookmark", say(200, {"success": True, "errors": [], "messages": [], "result": {"bookmark": "from-before"}}))
    assert (await go_on(run.db, three, known)).applied == ("0010_widen.sql",)
    assert server.count("bookmark") == 2
    assert bookmark_of(server, three[2]) == "bookmark-2"


async def test_a_bookmark_that_cannot_be_read_is_asked_for_again_and_without_one_nothing_is_applied(
    run: Runner, server: D1Server, three: Files
) -> None:
    denied = say(403, failed(10000, "Authentication error"))
    await run(three[:1])
    known = await read_ledger(run.db)
    server.script("bookmark", denied, denied)
    with pytest.raises(ApiError, match="Authentication error"):
        await go_on(run.db, three, known)
    assert server.names() == ["0001_make.sql"]
    server.script("bookmark", denied)
    assert (await go_on(run.db, three, known)).applied == ("0002_fill.sql", "0010_widen.sql")
    assert bookmark_of(server, three[1]) == "bookmark-1"
