"""A run that knows what a ledger was takes the bookmark while it reads the ledger again, and takes another one where the ledger has changed."""

from collections.abc import Sequence

import pytest

from crane_infra.d1.client import D1
from crane_infra.errors import ApiError, MigrationError
from crane_infra.migrations.apply import Outcome, migrate
from crane_infra.migrations.files.read import MigrationFile, SchemaFiles
from crane_infra.migrations.ledger import Ledger, LedgerHead, head_of, read_ledger
from tests.d1.server import D1Server, failed, say
from tests.migrations.conftest import Runner

Files = tuple[MigrationFile, ...]


async def go_on(db: D1, files: Sequence[MigrationFile], known: Ledger | LedgerHead) -> Outcome:
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


class TestANewDatabase:
    async def test_waits_for_three_calls_of_which_the_first_are_two_at_once(self, db: D1, server: D1Server, three: Files) -> None:
        """The look beside the bookmark, the tables of the ledger, and the request that ends with the last look."""
        assert (await migrate(db, SchemaFiles(three[:1]), release="r", log=lambda _: None, known=Ledger())).applied == ("0001_make.sql",)
        kinds = [kind for kind, _ in server.requests]
        assert (sorted(kinds[:2]), kinds[2:]) == (["bookmark", "read"], ["write", "write"])

    async def test_that_another_run_has_filled_meanwhile_gets_another_bookmark(self, run: Runner, server: D1Server, three: Files) -> None:
        await run(three[:1])
        server.requests.clear()
        server.script("bookmark", say(200, {"success": True, "errors": [], "messages": [], "result": {"bookmark": "from-before"}}))
        assert (await migrate(run.db, SchemaFiles(three[:2]), release="r", log=run.log.append, known=Ledger())).applied == (three[1].name,)
        assert server.count("bookmark") == 2
        assert bookmark_of(server, three[1]) == "bookmark-1"

    async def test_with_tables_and_no_ledger_is_refused_as_ever(self, db: D1, server: D1Server, three: Files) -> None:
        server.sql("CREATE TABLE theirs (x)")
        with pytest.raises(MigrationError, match="it has tables but an empty ledger"):
            await migrate(db, SchemaFiles(three), release="r", log=lambda _: None, known=Ledger())
        assert server.count("write") == 0

    async def test_without_a_bookmark_gets_no_file(self, db: D1, server: D1Server, three: Files) -> None:
        denied = say(403, failed(10000, "Authentication error"))
        server.script("bookmark", denied, denied)
        with pytest.raises(ApiError, match="Authentication error"):
            await migrate(db, SchemaFiles(three), release="r", log=lambda _: None, known=Ledger())
        assert server.names() == []


class TestTheHeadOfTheLastRelease:
    """Only the names and digests of its files are known."""

    async def test_that_is_that_of_the_ledger_still_waits_for_two_calls(self, run: Runner, server: D1Server, three: Files) -> None:
        await run(three[:2])
        server.requests.clear()
        await go_on(run.db, three, head_of(three[:2]))
        kinds = [kind for kind, _ in server.requests]
        assert (sorted(kinds[:2]), kinds[2:]) == (["bookmark", "read"], ["write"])
        assert bookmark_of(server, three[2]) == "bookmark-2"

    @pytest.mark.parametrize("listed", [0, 1, 3])
    async def test_that_is_another_gets_another_bookmark(self, run: Runner, server: D1Server, three: Files, listed: int) -> None:
        await run(three[:2])
        server.requests.clear()
        server.script("bookmark", say(200, {"success": True, "errors": [], "messages": [], "result": {"bookmark": "from-before"}}))
        await go_on(run.db, three, head_of(three[:listed]))
        assert server.count("bookmark") == 2
        assert bookmark_of(server, three[2]) == "bookmark-2"
