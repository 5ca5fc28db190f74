"""A run whose files go in one request reads the ledger at its end; where the reply is not whole and right, the ledger is read after it, as ever."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crane_infra.errors import CraneError, MigrationError
from crane_infra.migrations.apply import migrate
from crane_infra.migrations.edits import accept_edits
from crane_infra.migrations.files.read import MigrationFile, SchemaFiles, read_base
from crane_infra.migrations.ledger import head_of
from crane_infra.migrations.unfinished import StartedNotDoneError
from tests.d1.server import NAME, Action, D1Server, Execute, Reply, connected, done, drop_after_commit, drop_unread, running, say, serve
from tests.migrations.builders import SHOWN, write_files
from tests.migrations.conftest import Runner
from tests.migrations.test_faults import GO_ON, LOST, commit_then

Files = tuple[MigrationFile, ...]
TABLE = {"0001_make.sql": "CREATE TABLE t (x TEXT);"}
RUNS = {
    "a file": {"0002_fill.sql": "INSERT INTO t VALUES ('a'); INSERT INTO t VALUES ('b');"},
    "files": {"0002_widen.sql": "ALTER TABLE t ADD COLUMN y TEXT;", "0003_index.sql": "CREATE INDEX by_y ON t (y);"},
}
"""The files of one request, by what it has."""
LOOK = 2
"""The last results of a reply: the number of rows of the ledger, and the rows."""
Change = Callable[[list[dict[str, Any]]], object]


@pytest.fixture(params=RUNS)
async def files(request: pytest.FixtureRequest, run: Runner, server: D1Server, tmp_path: Path) -> Files:
    """Files, of which the first is applied and the others are sent in one request: each would fail or be seen if it ran twice."""
    files = write_files(tmp_path / "files", {**TABLE, **RUNS[request.param]})
    await run(files[:1])
    server.requests.clear()
    return files


def names(files: Files) -> list[str]:
    return [file.name for file in files]


def settled(server: D1Server, files: Files) -> None:
    """Each of these files is done, and its statements ran once."""
    assert server.names() == server.names("crane_migrations") == names(files)
    assert server.sql("SELECT count(*) FROM crane_migrations WHERE done_at IS NULL") == [(0,)]
    if files[1].name == "0002_fill.sql":
        assert server.sql("SELECT x FROM t") == [("a",), ("b",)]


def after_the_write(server: D1Server) -> list[str]:
    """The kinds of the requests after the last write."""
    kinds = [kind for kind, _ in server.requests]
    return kinds[len(kinds) - kinds[::-1].index("write") :]


def spoilt(change: Change) -> Action:
    """Everything is done, and the results of a reply that ends with a look at the ledger are changed."""

    def action(execute: Execute) -> Reply:
        reply = execute()
        envelope = json.loads(reply.content)
        results = envelope["result"]
        if len(results) < LOOK or [list(row) for row in results[-LOOK]["results"]] != [["counted"]]:
            return reply
        change(results)
        return Reply(200, envelope)

    return action


class TestOneRequest:
    async def test_is_the_last_call_and_says_how_the_ledger_stands(self, run: Runner, server: D1Server, files: Files) -> None:
        outcome = await run(files)
        assert (list(outcome.applied), outcome.head) == (names(files)[1:], head_of(files))
        assert after_the_write(server) == []
        settled(server, files)

    async def test_that_is_a_base_schema_too(self, run: Runner, server: D1Server, tmp_path: Path) -> None:
        (tmp_path / "schema.sql").write_text("CREATE TABLE t (x TEXT);", encoding="utf-8")
        base, files = read_base(tmp_path / "schema.sql", "schema.sql", 1), write_files(tmp_path / "m", TABLE)
        outcome = await migrate(run.db, SchemaFiles(files, base), release="r", log=run.log.append)
        assert (outcome.applied, outcome.head) == (("schema.sql",), head_of(files))
        assert after_the_write(server) == []

    async def test_in_a_ledger_with_accepted_edits_reads_them_too(
        self, run: Runner, server: D1Server, files: Files, tmp_path: Path
    ) -> None:
        edited = (*write_files(tmp_path / "edited", {"0001_make.sql": "-- why\nCREATE TABLE t (x TEXT);"}), *files[1:])
        was = TABLE["0001_make.sql"].encode()
        assert await accept_edits(run.db, SchemaFiles(edited[:1]), {files[0].sha256: was})
        assert (await run(edited)).head == head_of(edited)
        assert after_the_write(server) == []

    async def test_beside_wranglers_rows_that_are_imported_first(self, run: Runner, server: D1Server, files: Files) -> None:
        server.sql("DELETE FROM crane_migrations")
        outcome = await run(files)
        assert (outcome.adopted, outcome.head) == ((files[0].name,), head_of(files))
        assert after_the_write(server) == []

    async def test_whose_statement_fails_is_named_as_ever(self, run: Runner, server: D1Server, files: Files, tmp_path: Path) -> None:
        (broken,) = write_files(tmp_path / "broken", {files[-1].name: "INSERT INTO t (x) VALUES ('c'); SELECT abs(-9223372036854775808);"})
        if len(files) == 3:
            await run(files[:2])
        with pytest.raises(MigrationError, match=rf"^{SHOWN}/{broken.name}: not applied .* at statement 2 of 2 .*It was rolled back"):
            await run([*files[:-1], broken])
        assert server.names() == names(files)[:-1]
        await run(files)
        settled(server, files)


async def test_several_requests_are_followed_by_a_look_of_its_own(run: Runner, server: D1Server, three: Files) -> None:
    assert (await run(three)).head == head_of(three)
    assert after_the_write(server) == ["read"]


async def test_what_is_left_after_a_failed_request_is_one_request_again(run: Runner, server: D1Server, three: Files) -> None:
    """The ledger was read in between, and has all but the last file."""
    server.script("write", serve, serve, drop_after_commit)
    assert (await run(three)).head == head_of(three)
    assert after_the_write(server) == []


def without_look(results: list[dict[str, Any]]) -> None:
    del results[-LOOK:]


def rows_of(change: Callable[[dict[str, Any]], object], source: str = "crane_migrations") -> Change:
    """Change the rows of the ledger's last file in the reply."""

    def spoil(results: list[dict[str, Any]]) -> None:
        change([row for row in results[-1]["results"] if row["source"] == source][-1])

    return spoil


ODD: dict[str, Change] = {
    "no look": without_look,
    "more results than statements": lambda results: results.append(results[-1]),
    "another number of rows": lambda results: results[-LOOK]["results"][0].update(counted=1),
    "a number that is a text": lambda results: results[-LOOK]["results"][0].update(counted="9"),
    "a row less": lambda results: results[-1]["results"].pop(),
    "no rows": lambda results: (results[-1].update(results=[]), results[-LOOK]["results"][0].update(counted=0)),
    "rows of null": lambda results: results[-1].update(results=None),
    "a look that failed": lambda results: results[-1].update(success=False, error="disk full"),
    "a count that failed": lambda results: results[-LOOK].update(success=False),
    "a look of null": lambda results: results.__setitem__(-1, None),  # type: ignore[call-overload]
    "a row of somebody else": rows_of(lambda row: row.update(source="x")),
    "a row without a column": rows_of(lambda row: row.pop("sha256")),
    "a name of null": rows_of(lambda row: row.update(name=None), "d1_migrations"),
    "the token of another run": rows_of(lambda row: row.update(token="theirs")),
    "a file that is not done": rows_of(lambda row: row.update(done_at=None)),
    "another name": rows_of(lambda row: row.update(name="0099_other.sql")),
}


class TestAReplyThatIsNotWholeAndRight:
    @pytest.mark.parametrize("how", ODD)
    async def test_in_the_look_is_followed_by_one_of_its_own(self, run: Runner, server: D1Server, files: Files, how: str) -> None:
        server.script("write", spoilt(ODD[how]))
        outcome = await run(files)
        assert (list(outcome.applied), outcome.head) == (names(files)[1:], head_of(files))
        assert set(after_the_write(server)) == {"read"}
        settled(server, files)

    @pytest.mark.parametrize("missing", range(12))
    async def test_because_any_one_result_is_missing_leaves_the_request_in_doubt(
        self, run: Runner, server: D1Server, files: Files, missing: int
    ) -> None:
        """Which one it is cannot be told from the others, so the next run stops too, until somebody has looked."""
        statements = sum(len(file.statements) + 3 for file in files[1:]) + LOOK
        server.script("write", spoilt(lambda results: results.pop(missing % statements)))
        for _ in range(2):
            with pytest.raises(StartedNotDoneError, match=f"^{SHOWN}/{files[1].name}: started in {NAME} at "):
                await run(files)

    @pytest.mark.parametrize("how", LOST)
    async def test_because_it_is_lost_is_settled_by_one_look(self, run: Runner, server: D1Server, files: Files, how: str) -> None:
        server.script("write", LOST[how])
        outcome = await run(files)
        assert (list(outcome.applied), outcome.head, server.count("write")) == (names(files)[1:], head_of(files), 1)
        settled(server, files)

    @pytest.mark.parametrize("fault", [drop_unread, say(503), say(200)])
    async def test_because_it_never_arrived_is_sent_once_more(self, run: Runner, server: D1Server, files: Files, fault: Action) -> None:
        server.script("write", fault)
        assert (await run(files)).head == head_of(files)
        settled(server, files)

    async def test_with_a_ledger_that_cannot_be_read_either_says_so(self, run: Runner, server: D1Server, files: Files) -> None:
        server.script("write", commit_then(Reply(200, "<html>welcome</html>")))
        server.script("read", serve, serve, serve, *[say(404)] * 5)
        with pytest.raises(MigrationError) as caught:
            await run(files)
        assert f"and the ledger of {NAME} cannot be read: Cloudflare's API failed: status 404 with text/html" in str(caught.value)
        assert str(caught.value).endswith(GO_ON)

    async def test_because_nothing_was_done_fails_the_run_and_names_the_file(self, run: Runner, server: D1Server, files: Files) -> None:
        empty = {"success": True, "results": [], "meta": {"changes": 1}}
        server.script("write", lambda _execute: Reply(200, done([empty] * len(server.requests[-1][1]))))
        with pytest.raises(MigrationError, match=rf"^{SHOWN}/{files[1].name}: not applied to {NAME}: D1 reported success, but the ledger "):
            await run(files)
        assert (await run(files)).head == head_of(files)
        settled(server, files)

    async def test_because_it_is_that_of_another_run_fails_the_run(self, run: Runner, server: D1Server, files: Files) -> None:
        """An old reply, with the ledger as it would be: the token is not ours, so the ledger itself is asked, which has nothing."""

        def replayed(_execute: Execute) -> Reply:
            server.sqlite.execute("SAVEPOINT before")
            with server.lock:
                results = [server._statement(one) for one in server.requests[-1][1]]
                server.sqlite.execute("ROLLBACK TO before")
                server.sqlite.execute("RELEASE before")
            text = json.dumps(done(results))
            return Reply(200, json.loads(text.replace(server.requests[-1][1][0]["params"][2], "theirs")))

        server.script("write", replayed)
        with pytest.raises(MigrationError, match="D1 reported success, but the ledger has no record of it"):
            await run(files)
        assert (await run(files)).head == head_of(files)
        settled(server, files)


async def test_another_run_between_the_look_and_the_write_is_noticed_by_the_token(run: Runner, server: D1Server, files: Files) -> None:
    def theirs_first(execute: Execute) -> Reply:
        for file in files[1:]:
            for statement in file.statements:
                server.sql(statement)
            server.sql("INSERT INTO d1_migrations (name) VALUES (?)", file.name)
        return execute()

    server.script("write", theirs_first)
    outcome = await run(files)
    assert (outcome.applied, list(outcome.adopted), outcome.head) == ((), names(files)[1:], head_of(files))
    settled(server, files)


FAULTS: list[Action] = [
    serve,
    drop_unread,
    drop_after_commit,
    say(503),
    say(429, headers={"retry-after": "3"}),
    commit_then(Reply(200, "<html>welcome</html>")),
    *map(spoilt, ODD.values()),
]
KINDS = ("CREATE TABLE t{} (x);", "CREATE TABLE t{} (x); CREATE INDEX i{} ON t{} (x);", "CREATE TABLE t{} (x); INSERT INTO t{} VALUES (1);")


@given(kinds=st.lists(st.sampled_from(KINDS), min_size=1, max_size=4), schedule=st.lists(st.sampled_from(FAULTS), max_size=5))
@settings(max_examples=40, suppress_health_check=list(HealthCheck), deadline=None)
async def test_whatever_becomes_of_the_replies_each_file_is_applied_once(
    tmp_path_factory: pytest.TempPathFactory, kinds: list[str], schedule: list[Action]
) -> None:
    """The statements fail if they run twice; the first table of the ledger is made before, so that faults meet the files."""
    texts = {f"{number:04}_f.sql": text.replace("{}", str(number)) for number, text in enumerate(kinds, 1)}
    files = write_files(tmp_path_factory.mktemp("m"), texts)
    with running() as server:
        async with connected(server) as db:
            run = Runner(db)
            server.script("write", serve, *schedule)
            for _ in range(len(schedule) + 1):
                try:
                    outcome = await run(files)
                except CraneError:
                    continue
                break
            else:
                raise AssertionError("more runs failed than there are faults")
            assert outcome.head == head_of(files)
            assert server.names() == server.names("crane_migrations") == list(texts)
            assert server.sql("SELECT count(*) FROM crane_migrations WHERE done_at IS NULL") == [(0,)]
            for number, text in enumerate(kinds, 1):
                assert server.sql(f"SELECT count(*) FROM t{number}") == [(int("INSERT" in text),)]  # noqa: S608
