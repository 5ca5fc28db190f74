"""An edit of an applied file is accepted if both versions make the same schema and rows from empty; the ledger keeps both digests."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

import pytest

from crane_infra.errors import MigrationError
from crane_infra.migrations.apply import migrate
from crane_infra.migrations.baseline import Claim, record_baseline
from crane_infra.migrations.edits import accept_edits
from crane_infra.migrations.files.read import SchemaFiles, read_base
from crane_infra.migrations.ledger import head_of, read_ledger
from crane_infra.migrations.status import status_of
from tests.d1.server import D1Server
from tests.migrations.builders import write_files
from tests.migrations.conftest import Runner

WAS = {
    "0001_make.sql": "CREATE TABLE t (x TEXT, y TEXT);\n",
    "0002_fill.sql": "INSERT INTO t VALUES ('a', 'b');\n",
    "0003_more.sql": "CREATE TABLE u (z TEXT);\n",
}
SAME = {
    "a comment": {"0001_make.sql": "-- users\nCREATE TABLE t (x TEXT, y TEXT);\n"},
    "a comment within": {"0001_make.sql": "CREATE TABLE t (x TEXT, -- the name\n y TEXT);\n"},
    "line endings": {"0001_make.sql": "CREATE TABLE t (x TEXT, y TEXT);\r\n"},
    "IF NOT EXISTS": {"0003_more.sql": "CREATE TABLE IF NOT EXISTS u (z TEXT);\n"},
    "another way to write the same rows": {"0002_fill.sql": "INSERT INTO t (y, x) VALUES ('b', 'a');\n"},
    "two files": {"0001_make.sql": "create table t (x TEXT, y TEXT);\n", "0003_more.sql": "/* more */ CREATE TABLE u (z TEXT);\n"},
}
OTHER = {
    "another column": ({"0003_more.sql": "CREATE TABLE u (z TEXT, v TEXT);\n"}, "its schema differs (table u)"),
    "a default": ({"0003_more.sql": "CREATE TABLE u (z TEXT DEFAULT 'z');\n"}, "its schema differs (table u)"),
    "other rows": ({"0002_fill.sql": "INSERT INTO t VALUES ('a', 'c');\n"}, "its rows differ (t)"),
    "a row less": ({"0002_fill.sql": "-- nothing\nSELECT 1;\n"}, "its rows differ (t)"),
    "what SQLite refuses": ({"0003_more.sql": "CREATE TABLE t (z TEXT);\n"}, "SQLite refuses a statement (table t already exists)"),
}


def by_digest(*texts: str) -> dict[str, bytes]:
    return {hashlib.sha256(text.encode()).hexdigest(): text.encode() for text in texts}


def schema(tmp_path: Path, edits: Mapping[str, str]) -> SchemaFiles:
    return SchemaFiles(write_files(tmp_path / "files", {**WAS, **edits}))


@pytest.fixture
async def applied(run: Runner, tmp_path: Path) -> Runner:
    """A database to which all files were applied, as they were."""
    await migrate(run.db, schema(tmp_path, {}), release="r", log=run.log.append)
    return run


class TestAnEditOfTheSameMeaning:
    @pytest.mark.parametrize("edits", SAME.values(), ids=SAME)
    async def test_is_refused_by_every_run_with_all_files_and_the_command_and_accepted_by_that(
        self, applied: Runner, tmp_path: Path, edits: Mapping[str, str]
    ) -> None:
        edited = schema(tmp_path, edits)
        refusal = (await status_of(applied.db, edited)).refusal
        assert refusal is not None
        lines = str(refusal).splitlines()
        assert [line.partition(":")[0].rpartition("/")[2] for line in lines] == list(edits)
        assert all("crane migrations accept-edit -s <stack> -d <its name in the catalog>" in line for line in lines)
        assert await accept_edits(applied.db, edited, by_digest(*WAS.values())) == tuple(edits)
        assert (await status_of(applied.db, edited)).is_settled

    async def test_leaves_both_digests_so_that_files_of_before_go_on_and_either_head_holds(
        self, applied: Runner, server: D1Server, tmp_path: Path
    ) -> None:
        before = schema(tmp_path, {})
        edited = schema(tmp_path, SAME["two files"])
        await accept_edits(applied.db, edited, by_digest(*WAS.values()))
        assert (await status_of(applied.db, before)).is_settled
        again = schema(tmp_path, {"0001_make.sql": "CREATE TABLE t (x TEXT,y TEXT);\n", "0003_more.sql": "CREATE TABLE u(z TEXT);\n"})
        texts = [*WAS.values(), *SAME["two files"].values()]
        assert await accept_edits(applied.db, again, by_digest(*texts)) == ("0001_make.sql", "0003_more.sql")
        ledger = await read_ledger(applied.db)
        assert all(ledger.stands_at(head_of(files.files)) for files in (before, edited, again))
        assert not ledger.stands_at(head_of(schema(tmp_path, OTHER["other rows"][0]).files))
        assert server.sql("SELECT COUNT(*) FROM crane_edits") == [(4,)]
        assert server.sql("SELECT x, y FROM t") == [("a", "b")], "no statement of a file ran"

    async def test_is_followed_by_new_files_as_ever(self, applied: Runner, tmp_path: Path) -> None:
        edits = {**SAME["IF NOT EXISTS"], "0004_new.sql": "CREATE TABLE w (x TEXT);\n"}
        await accept_edits(applied.db, schema(tmp_path, edits), by_digest(*WAS.values()))
        outcome = await migrate(applied.db, schema(tmp_path, edits), release="r", log=applied.log.append)
        assert (outcome.applied, outcome.head) == (("0004_new.sql",), head_of(schema(tmp_path, edits).files))


class TestAnEditOfAnotherMeaning:
    @pytest.mark.parametrize(("edits", "reason"), OTHER.values(), ids=OTHER)
    async def test_is_refused_with_the_reason_and_nothing_is_recorded_not_even_what_could_be(
        self, applied: Runner, server: D1Server, tmp_path: Path, edits: Mapping[str, str], reason: str
    ) -> None:
        fine = {"0001_make.sql": SAME["a comment"]["0001_make.sql"]}
        with pytest.raises(MigrationError) as refused:
            await accept_edits(applied.db, schema(tmp_path, {**fine, **edits}), by_digest(*WAS.values()))
        (name,) = edits
        assert str(refused.value).startswith(f"workers/x/migrations/{name}: its edit changes what it does: {reason}. Restore the file")
        assert all("crane_edits" not in name for (name,) in server.sql("SELECT name FROM sqlite_master"))

    async def test_does_not_spoil_the_files_after_it(self, applied: Runner, tmp_path: Path) -> None:
        edits = {"0002_fill.sql": "INSERT INTO t VALUES ('a', 'c');\n", "0003_more.sql": "CREATE TABLE IF NOT EXISTS u (z TEXT);\n"}
        with pytest.raises(MigrationError) as refused:
            await accept_edits(applied.db, schema(tmp_path, edits), by_digest(*WAS.values()))
        assert len(refused.value.errors) == 1

    async def test_is_refused_if_nobody_has_the_version_that_was_applied(self, applied: Runner, tmp_path: Path) -> None:
        with pytest.raises(MigrationError, match=r"its edit cannot be judged: the version that was applied \([0-9a-f]{8}\) is not in the"):
            await accept_edits(applied.db, schema(tmp_path, SAME["a comment"]), {})


class TestABaseSchema:
    async def test_is_accepted_like_a_migration_also_where_the_database_was_baselined(
        self, run: Runner, server: D1Server, tmp_path: Path
    ) -> None:
        was = "CREATE TABLE t (x TEXT, y TEXT);\nCREATE TABLE u (z TEXT);\n"
        server.sqlite.executescript(was)
        path, files = tmp_path / "schema.sql", write_files(tmp_path / "files", WAS)

        def written(text: str) -> SchemaFiles:
            path.write_text(text, encoding="utf-8")
            return SchemaFiles(files, read_base(path, "workers/x/schema.sql", 3))

        await record_baseline(run.db, written(was), Claim("3"))
        assert (await status_of(run.db, written(was))).is_settled
        edited = written(f"-- all tables\n{was}")
        assert "workers/x/schema.sql: edited after it was recorded for" in str((await status_of(run.db, edited)).refusal)
        assert await accept_edits(run.db, edited, by_digest(was)) == ("schema.sql",)
        assert (await status_of(run.db, edited)).is_settled
        with pytest.raises(MigrationError, match=r"its edit changes what it does: its schema differs \(table v\)"):
            await accept_edits(run.db, written(f"{was}CREATE TABLE v (x TEXT);\n"), by_digest(f"-- all tables\n{was}"))
