"""Files that only change the schema share a request: all of them are applied or none, the ledger decides, and an error names the file."""

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from crane_infra.errors import MigrationError
from crane_infra.migrations.files.header import Header
from crane_infra.migrations.files.read import MigrationFile
from crane_infra.migrations.ledger import head_of
from crane_infra.migrations.run import shared
from crane_infra.migrations.run.shared import MOST_BYTES, only_changes_schema
from crane_infra.migrations.unfinished import StartedNotDoneError
from tests.d1.server import NAME, Action, D1Server, Execute, Reply, connected, done, drop_after_commit, drop_unread, failed, say, serve
from tests.migrations.builders import SHOWN, write_files
from tests.migrations.conftest import Runner
from tests.migrations.test_faults import EFFECTS, GO_ON, LOST, commit_then

Files = tuple[MigrationFile, ...]
TEXTS = {
    "0001_make.sql": "CREATE TABLE t (x TEXT);",
    "0002_widen.sql": "-- crane: expand\nALTER TABLE t ADD COLUMN y TEXT;",
    "0003_index.sql": "CREATE INDEX by_y ON t (y); CREATE TABLE u (z TEXT);",
    "0004_nothing.sql": "-- nothing",
    "0010_view.sql": "CREATE VIEW v AS SELECT x, y FROM t;",
}
NAMES = list(TEXTS)
OBJECTS = [("by_y",), ("t",), ("u",), ("v",)]
CLASH = "CREATE TABLE clash (x)"
ONE_REQUEST = 2
"""The writes of a run: the tables of the ledger, then all files."""


@pytest.fixture
def files(tmp_path: Path) -> Files:
    """Five files; run twice, each but the empty one would fail."""
    return write_files(tmp_path / "files", TEXTS)


def settled(server: D1Server, names: list[str] = NAMES, objects: list[tuple[str]] = OBJECTS) -> None:
    """The ledger has these files, all done, and the schema is what they make."""
    assert server.names() == server.names("crane_migrations") == names
    assert server.sql("SELECT count(*) FROM crane_migrations WHERE done_at IS NULL") == [(0,)]
    made = "name NOT LIKE 'crane_%' AND name NOT IN ('d1_migrations', 'sqlite_sequence') AND name NOT LIKE 'sqlite_auto%'"
    assert server.sql(f"SELECT name FROM sqlite_master WHERE {made} ORDER BY name") == objects  # noqa: S608


def clashing(server: D1Server, folder: Path, place: int) -> Files:
    """The files, one of which creates a table that somebody else creates too, after the look at the schema and before our write."""

    def somebody_first(execute: Execute) -> Reply:
        server.sql("CREATE TABLE clash (x)")
        return execute()

    server.script("bookmark", somebody_first)
    return write_files(folder / "clashing", {**TEXTS, NAMES[place]: f"{TEXTS[NAMES[place]]}\nCREATE TABLE w (x);\n{CLASH};"})


class TestOneRequest:
    async def test_has_all_files_each_with_its_own_record(self, run: Runner, server: D1Server, files: Files) -> None:
        outcome = await run(files)
        assert (outcome.applied, outcome.head) == (tuple(NAMES), head_of(files))
        assert server.count("write") == ONE_REQUEST
        recorded = server.sql('SELECT name, sha256, origin, "release", bookmark FROM crane_migrations ORDER BY name')
        assert recorded == [(file.name, file.sha256, "applied", "release-1", "bookmark-0") for file in files]
        assert run.log[1:] == [f"{NAME}: applied {name}" for name in NAMES]
        settled(server)

    async def test_waits_for_three_calls_before_it_and_none_after_it(self, run: Runner, server: D1Server, files: Files) -> None:
        """The look, the ledger's tables and the bookmark; the last look is part of it."""
        await run(files)
        assert [kind for kind, _ in server.requests] == ["read", "write", "bookmark", "write"]

    async def test_ends_at_a_file_that_changes_data(self, run: Runner, server: D1Server, tmp_path: Path) -> None:
        texts = {
            **TEXTS,
            "0011_row.sql": "INSERT INTO t VALUES ('a', 'b');",
            "0012_a.sql": "CREATE TABLE a (b);",
            "0013_c.sql": "CREATE TABLE c (d);",
        }
        await run(write_files(tmp_path / "m", texts))
        of_files = [batch for kind, batch in server.requests if kind == "write"][1:]
        assert [sum("INSERT INTO d1_migrations" in statement["sql"] for statement in batch) for batch in of_files] == [5, 1, 2]
        assert server.names() == list(texts)

    @pytest.mark.parametrize(
        ("count", "text"), [(140, "CREATE TABLE t{} (x);"), (5, "CREATE TABLE t{} (x" + " " * (MOST_BYTES // 2) + ");")]
    )
    async def test_is_bounded_by_statements_and_size(self, run: Runner, server: D1Server, tmp_path: Path, count: int, text: str) -> None:
        files = write_files(tmp_path / "m", {f"{number:04}_t.sql": text.format(number) for number in range(1, count + 1)})
        assert len((await run(files)).applied) == count
        sizes = [len(batch) for kind, batch in server.requests if kind == "write"][1:]
        assert len(sizes) == {140: 3, 5: 5}[count]
        assert max(sizes) <= shared.MOST_STATEMENTS

    async def test_that_took_long_is_the_last_one(
        self, run: Runner, server: D1Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(shared, "SLOW_SECONDS", 0.0)
        files = write_files(tmp_path / "m", {f"{number:04}_t.sql": f"CREATE TABLE t{number} (x);" for number in range(1, 71)})
        assert len((await run(files)).applied) == 70
        first, *others = [len(batch) for kind, batch in server.requests if kind == "write"][1:]
        assert (first, set(others)) == (248, {4})

    @pytest.mark.parametrize("alone", ["declares", "drops"])
    async def test_has_no_file_that_may_lose_rows(self, run: Runner, server: D1Server, files: Files, alone: str) -> None:
        header = Header(loses_rows=frozenset({"t"}))
        third = (
            replace(files[2], header=header)
            if alone == "declares"
            else replace(files[2], statements=("DROP INDEX IF EXISTS none", "DROP TABLE IF EXISTS none"))
        )
        await run([*files[:2], third, *files[3:]])
        assert [len(batch) for kind, batch in server.requests if kind == "write"][1:] == [8, 3 + len(third.statements), 7]


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE t (x CHECK (x IN (SELECT 1 AS one)))",
        "CREATE TABLE IF NOT EXISTS t (x)",
        "/* why */ CREATE UNIQUE INDEX i ON t (x)",
        "CREATE VIEW v AS SELECT 1",
        "ALTER TABLE t ADD COLUMN x DEFAULT 1",
        "alter table t rename column x to y",
        "DROP INDEX i",
        "DROP VIEW v",
    ],
)
def test_what_only_changes_the_schema(statement: str) -> None:
    assert only_changes_schema(statement)


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE t AS SELECT 1",
        "CREATE TEMP TABLE t (x)",
        "CREATE VIRTUAL TABLE t USING fts5(x)",
        "CREATE TRIGGER tr AFTER INSERT ON t BEGIN SELECT 1; END",
        "CREATE TABLE t (x DEFAULT ';')",
        "ALTER TABLE t DROP COLUMN x",
        "DROP TABLE t",
        "INSERT INTO t VALUES (1)",
        "WITH c AS (SELECT 1) DELETE FROM t",
        "PRAGMA optimize",
        "SELECT 1",
    ],
)
def test_what_goes_alone(statement: str) -> None:
    assert not only_changes_schema(statement)


class TestAReplyThatIsLost:
    @pytest.mark.parametrize("how", LOST)
    async def test_is_settled_by_the_ledger_and_nothing_is_sent_again(self, run: Runner, server: D1Server, files: Files, how: str) -> None:
        server.script("write", serve, LOST[how])
        outcome = await run(files)
        assert (outcome.applied, outcome.head) == (tuple(NAMES), head_of(files))
        assert server.count("write") == ONE_REQUEST
        settled(server)

    @pytest.mark.parametrize("fault", [drop_unread, say(503), say(520, failed(7500, "internal error")), say(200)])
    async def test_of_a_request_that_never_arrived_is_followed_by_the_files_one_by_one(
        self, run: Runner, server: D1Server, files: Files, fault: Action
    ) -> None:
        server.script("write", serve, fault)
        assert (await run(files)).applied == tuple(NAMES)
        assert server.count("write") == ONE_REQUEST + len(files)
        settled(server)

    @pytest.mark.parametrize("others", [1, 3])
    async def test_of_a_request_that_lands_late_does_nothing_twice(self, run: Runner, server: D1Server, files: Files, others: int) -> None:
        """It is given up, and commits just before a file that is sent by itself."""
        late: list[Execute] = []

        def hold(execute: Execute) -> None:
            late.append(execute)

        def land_first(execute: Execute) -> Reply:
            late.pop()()
            return execute()

        server.script("write", serve, hold, *[serve] * (others - 1), land_first)
        assert (await run(files)).applied == tuple(NAMES)
        settled(server)

    async def test_with_a_ledger_that_cannot_be_read_says_both(self, run: Runner, server: D1Server, files: Files) -> None:
        server.script("write", serve, drop_after_commit)
        server.script("read", serve, *[say(503)] * 5)
        with pytest.raises(MigrationError) as caught:
            await run(files)
        assert str(caught.value) == (
            f"{SHOWN}/{NAMES[0]}: the outcome of a write is unknown: Connection error (RemoteProtocolError); "
            f"and the ledger of {NAME} cannot be read: Cloudflare's API failed: status 503. "
            f"Applied in this run: none. Pending: {', '.join(NAMES)}. {GO_ON}"
        )
        assert (await run(files)).applied == ()
        settled(server)


@pytest.mark.parametrize("place", range(5))
class TestAStatementThatFails:
    async def test_is_named_as_if_its_file_were_alone(
        self, run: Runner, server: D1Server, files: Files, tmp_path: Path, place: int
    ) -> None:
        """The files before it stay applied, nothing of its own does, and later ones are not tried."""
        before = write_files(tmp_path / "before", {"0000_before.sql": "-- nothing"})
        await run(before)
        server.requests.clear()
        wrong = clashing(server, tmp_path, place)
        with pytest.raises(MigrationError) as caught:
            await run([*before, *wrong])
        assert str(caught.value) == (
            f"{SHOWN}/{NAMES[place]}: not applied to {NAME}: "
            "D1 refused it: table clash already exists: SQLITE_ERROR (code 7500). It was rolled back. "
            f"Applied in this run: {', '.join(NAMES[:place]) or 'none'}. Pending: {', '.join(NAMES[place:])}. "
            "Fix what the message names; then run the same `pulumi up` again, which continues with this file."
        )
        assert server.names() == ["0000_before.sql", *NAMES[:place]]
        assert server.count("write") == 1 + place + 1
        server.sql("DROP TABLE clash")
        assert (await run([*before, *files])).applied == tuple(NAMES[place:])
        settled(server, ["0000_before.sql", *NAMES])

    async def test_in_a_batch_that_is_not_atomic_stops_every_later_run(
        self, run: Runner, server: D1Server, tmp_path: Path, place: int
    ) -> None:
        wrong = clashing(server, tmp_path, place)
        server.script("write", serve, server.not_atomic)
        with pytest.raises(StartedNotDoneError, match=f"^{SHOWN}/{NAMES[place]}: started in {NAME} at .*already exists") as first:
            await run(wrong)
        assert "--bookmark=bookmark-0" in str(first.value)
        assert server.names() == NAMES[:place]
        server.requests.clear()
        with pytest.raises(StartedNotDoneError, match=f"^{SHOWN}/{NAMES[place]}: "):
            await run(wrong)
        assert server.count("write") == 0

    async def test_under_a_reply_of_success_does_not_count_as_done(self, run: Runner, server: D1Server, tmp_path: Path, place: int) -> None:
        """D1 carried on to the last done mark. Those from this file on are taken back, and the next run stops there."""
        wrong = clashing(server, tmp_path, place)
        server.script("write", serve, server.careless)
        for _ in range(2):
            with pytest.raises(StartedNotDoneError, match=f"^{SHOWN}/{NAMES[place]}: "):
                await run(wrong)
        done_files = server.sql("SELECT name FROM crane_migrations WHERE done_at IS NOT NULL ORDER BY name")
        assert done_files == [(name,) for name in NAMES[:place]]


@pytest.mark.parametrize("results", [0, 3, 4, 9, 19])
async def test_a_reply_with_too_few_results_leaves_in_doubt_all_that_it_does_not_speak_of(
    run: Runner, server: D1Server, files: Files, results: int
) -> None:
    server.script("write", serve, commit_then(Reply(200, done([{"success": True, "results": []}] * results))))
    with pytest.raises(StartedNotDoneError, match=f"{results} results for 20 statements"):
        await run(files)
    known = {0: 0, 3: 0, 4: 1, 9: 2, 19: 4}[results]
    assert server.sql("SELECT count(*) FROM crane_migrations WHERE done_at IS NOT NULL") == [(known,)]


class TestARefusal:
    async def test_for_a_short_time_is_waited_for(self, run: Runner, server: D1Server, files: Files) -> None:
        """A token that is out of calls is not asked for five more."""
        server.script("write", serve, say(429, headers={"retry-after": "3"}))
        assert (await run(files)).applied == tuple(NAMES)
        assert (run.pauses, server.count("write")) == ([3.0], ONE_REQUEST + 1)
        settled(server)

    @pytest.mark.parametrize(
        "case", ["the token is not accepted", "the token may not write", "a limit", "a long limit", "no such database"]
    )
    async def test_that_stays_is_that_of_the_first_file(self, run: Runner, server: D1Server, files: Files, case: str) -> None:
        answers, effect, todo = EFFECTS[case]
        server.script("write", serve, *answers)
        with pytest.raises(MigrationError) as caught:
            await run(files)
        assert str(caught.value).startswith(f"{SHOWN}/{NAMES[0]}: not applied to {NAME}: ")
        assert f". {effect}. Applied in this run: none. Pending: {', '.join(NAMES)}. " in str(caught.value)
        assert str(caught.value).endswith(todo)
        assert server.count("write") == 1 + len(answers)
        assert (await run(files)).applied == tuple(NAMES)
        settled(server)

    async def test_of_the_request_as_such_does_not_stop_its_files(self, run: Runner, server: D1Server, files: Files) -> None:
        server.script("write", serve, say(413, failed(7400, "too large")))
        assert (await run(files)).applied == tuple(NAMES)
        assert server.count("write") == ONE_REQUEST + len(files)
        settled(server)

    async def test_that_claims_success_fails_the_run_and_names_the_first_file(self, run: Runner, server: D1Server, files: Files) -> None:
        server.script("write", serve, lambda _execute: Reply(200, done([{"success": True, "results": []}] * 20)))
        with pytest.raises(MigrationError, match=rf"^{SHOWN}/{NAMES[0]}: not applied to {NAME}: D1 reported success, but the ledger "):
            await run(files)
        assert (await run(files)).applied == tuple(NAMES)


class TestOtherRunners:
    @pytest.mark.parametrize("faults", [False, True])
    async def test_apply_each_file_once(
        self,
        server: D1Server,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        faults: bool,  # noqa: FBT001
    ) -> None:
        monkeypatch.setattr(shared, "MOST_STATEMENTS", 100)  # three requests
        files = write_files(tmp_path / "m", many(60))
        if faults:
            server.script("write", *[serve] * 5, drop_after_commit, drop_unread, serve, drop_after_commit, serve, drop_unread)
        async with AsyncExitStack() as stack:
            runners = [Runner(await stack.enter_async_context(connected(server))) for _ in range(5)]
            outcomes = await asyncio.gather(*(run(files) for run in runners))
        names = [file.name for file in files]
        assert sorted(name for outcome in outcomes for name in outcome.applied) == names
        assert [outcome.head for outcome in outcomes] == [head_of(files)] * 5
        assert server.names() == server.names("crane_migrations") == names

    @pytest.mark.parametrize("place", [0, 2])
    async def test_that_are_wrangler_are_noticed_by_the_token(self, run: Runner, server: D1Server, files: Files, place: int) -> None:
        """It applies the files up to one, after our look and before our write."""

        def wrangler_first(execute: Execute) -> Reply:
            for file in files[: place + 1]:
                for statement in file.statements:
                    server.sql(statement)
                server.sql("INSERT INTO d1_migrations (name) VALUES (?)", file.name)
            return execute()

        server.script("write", serve, wrangler_first)
        outcome = await run(files)
        assert (outcome.applied, outcome.adopted) == (tuple(NAMES[place + 1 :]), tuple(NAMES[: place + 1]))
        assert outcome.head == head_of(files)
        assert server.names() == NAMES

    async def test_with_a_file_that_we_do_not_have_stop_the_run(self, run: Runner, server: D1Server, files: Files) -> None:
        def wrangler_first(execute: Execute) -> Reply:
            server.sql("INSERT INTO d1_migrations (name) VALUES ('0002_other.sql')")
            return execute()

        server.script("write", serve, wrangler_first)
        with pytest.raises(MigrationError, match=f"^0002_other.sql: applied to {NAME}, but the file is missing"):
            await run(files)
        assert server.names() == ["0002_other.sql"]


def many(count: int) -> Mapping[str, str]:
    return {f"{number:04}_t.sql": f"CREATE TABLE t{number} (x);" for number in range(1, count + 1)}
