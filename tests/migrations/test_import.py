"""A file that D1's query endpoint might cut runs through D1's import, in one piece with its token and done mark; on the local cloud at its strictest."""

from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from crane_infra.d1.api import connect
from crane_infra.d1.client import D1
from crane_infra.errors import MigrationError
from crane_infra.migrations.apply import Outcome, migrate
from crane_infra.migrations.files.read import MigrationFile, SchemaFiles
from local_cloud.daemon import Running
from local_cloud.faults.client import Faults
from local_cloud.faults.model import Drop, Error, Reply
from tests.cloud import Api
from tests.migrations.builders import write_files

pytestmark = pytest.mark.cloud

IMPORT, UPLOAD = "POST /accounts/{a}/d1/database/{id}/import", "PUT /d1-files/{uuid}/{name}"
TABLE = "CREATE TABLE t (a INTEGER, b TEXT);"
TRIGGER = (
    "CREATE TRIGGER tr AFTER INSERT ON t\r\nbegin\r\n  UPDATE t SET b = CASE WHEN a = 3 THEN ';' END -- ;\r\n  WHERE a = new.a;\r\nend;"
)
FILES = {"0001_t.sql": TABLE, "0002_trigger.sql": TRIGGER, "0003_row.sql": "INSERT INTO t VALUES (3, 'x');"}


@dataclass
class Live:
    """A database of the local cloud, and runs of migrations on it that never wait long."""

    api: Api
    id: str
    db: D1
    log: list[str] = field(default_factory=list)

    async def run(self, files: Sequence[MigrationFile]) -> Outcome:
        """Run the migrations as one update does."""
        return await migrate(self.db, SchemaFiles(tuple(files)), release="release-1", log=self.log.append, pause=_no_pause)

    def rows(self, sql: str) -> list[dict[str, object]]:
        """Ask the database."""
        return self.api.query(self.id, sql)[0]

    @property
    def ledger(self) -> list[str]:
        """The names in wrangler's table."""
        return [str(row["name"]) for row in self.rows("SELECT name FROM d1_migrations ORDER BY id")]


async def _no_pause(_: float) -> None:
    """Go on at once."""


@pytest.fixture
async def live(cloud: Running, api: Api) -> AsyncIterator[Live]:
    """An empty database."""
    database = api.database()
    async with connect(cloud.api_url, cloud.token) as client:
        yield Live(api, database, D1(client, cloud.account_id, database, "db-staging"))


@pytest.fixture
def files(tmp_path: Path) -> tuple[MigrationFile, ...]:
    """A table, a trigger that every known fault of the splitter breaks, and a row that sets it off."""
    return write_files(tmp_path / "migrations", FILES)


@pytest.fixture(autouse=True)
def _fresh(faults: Faults) -> Iterator[None]:
    faults.reset()
    yield
    faults.reset()


async def test_a_trigger_is_applied_as_it_is_written_and_works(live: Live, files: tuple[MigrationFile, ...], faults: Faults) -> None:
    outcome = await live.run(files)
    assert outcome.applied == tuple(FILES)
    assert live.rows("SELECT a, b FROM t") == [{"a": 3, "b": ";"}]
    assert live.ledger == list(FILES)
    assert faults.executed(TRIGGER.rstrip(";")) == 1
    assert "db-staging: 0002_trigger.sql runs through D1's import, which blocks the database until it is done" in live.log


async def test_only_such_files_go_through_import(live: Live, tmp_path: Path, faults: Faults) -> None:
    await live.run(write_files(tmp_path / "plain", {"0001_t.sql": TABLE, "0002_row.sql": "INSERT INTO t VALUES (1, 'a, b');"}))
    assert not [call for call in faults.calls() if call["route"] == IMPORT]
    await live.run(
        write_files(
            tmp_path / "inner",
            {"0001_t.sql": TABLE, "0002_row.sql": "INSERT INTO t VALUES (1, 'a, b');", "0003_c.sql": "INSERT INTO t VALUES (2, ';');"},
        )
    )
    assert [call for call in faults.calls() if call["route"] == IMPORT]


SWITCHES = ("splits_inside_quotes", "splits_inside_comments")
STORED = """CREATE TABLE u (
  a TEXT DEFAULT 'x;y', -- first; not last
  b TEXT /* ; */
);
CREATE INDEX u_a ON u (a);
CREATE INDEX u_b ON u (b) -- why; because
;
CREATE VIEW v AS SELECT a, ';' AS c FROM u -- a; b
WHERE a <> ';';
"""
ROWS = """-- rows; all of them
INSERT INTO u (a, b) VALUES ('1;2', 'b'); -- and; more
UPDATE u SET b = 'c' -- c; not b
WHERE a = '1;2';
DELETE FROM u -- all; DROP TABLE u;
WHERE a = 'none';
INSERT INTO u (a) VALUES ('3') -- last; DROP TABLE u
;
"""
OBJECTS = "SELECT name, sql FROM sqlite_master WHERE tbl_name IN ('u', 'v') AND sql IS NOT NULL ORDER BY name"


@pytest.mark.parametrize("cuts", [(), SWITCHES[:1], SWITCHES[1:], SWITCHES], ids=lambda cuts: "+".join(cuts) or "none")
async def test_a_semicolon_in_a_text_or_comment_needs_an_import_only_if_d1_cuts_there(
    live: Live, api: Api, faults: Faults, tmp_path: Path, cuts: tuple[str, ...]
) -> None:
    files = write_files(tmp_path / "inner", {"0001_stored.sql": STORED, "0002_rows.sql": ROWS})
    with faults.behaviour(**{switch: switch in cuts for switch in SWITCHES}):
        assert (await live.run(files)).applied == ("0001_stored.sql", "0002_rows.sql")
    imported = {file.name for file in files if any(f"{file.name} runs through D1's import" in line for line in live.log)}
    assert imported == ({"0001_stored.sql"} if cuts else set()) | ({"0002_rows.sql"} if SWITCHES[0] in cuts else set())
    assert live.rows("SELECT a, b FROM u") == [{"a": "1;2", "b": "c"}, {"a": "3", "b": None}]
    assert live.ledger == ["0001_stored.sql", "0002_rows.sql"]
    as_wrangler = api.database()  # which sends the whole file to the query endpoint
    with faults.behaviour(**dict.fromkeys(SWITCHES, False)):
        api.query(as_wrangler, STORED)
    stored, expected = ({row["name"]: row["sql"] for row in rows} for rows in (live.rows(OBJECTS), api.query(as_wrangler, OBJECTS)[0]))
    if not imported:  # the query endpoint gets the statement without a comment at its end
        stored["u_b"], expected["u_b"] = (str(text).partition(" --")[0] for text in (stored["u_b"], expected["u_b"]))
    assert {name: str(text) for name, text in stored.items()} == {name: str(text) for name, text in expected.items()}


async def test_an_import_stores_an_index_to_its_last_character_as_the_query_endpoint_does(live: Live, api: Api, tmp_path: Path) -> None:
    index, where = "CREATE INDEX t_a ON t (a);", "SELECT sql FROM sqlite_master WHERE name = 't_a'"
    await live.run(write_files(tmp_path / "index", {"0001_t.sql": TABLE, "0002_both.sql": f"{TRIGGER}\n{index}"}))
    other = api.database()
    api.query(other, f"{TABLE} {index}")
    assert live.rows(where) == api.query(other, where)[0]


async def test_a_mistake_in_a_file_with_such_a_semicolon_is_still_named(live: Live, tmp_path: Path) -> None:
    broken = write_files(
        tmp_path / "broken", {"0001_t.sql": TABLE, "0002_b.sql": "INSERT INTO t VALUES (1, ';');\nSELECT abs(-9223372036854775808);"}
    )
    with pytest.raises(MigrationError, match=r"0002_b\.sql: not applied to db-staging at statement 2 of 2 .*integer overflow"):
        await live.run(broken)
    assert live.rows("SELECT * FROM t") == []


async def test_a_file_that_fails_leaves_nothing_and_names_its_statement(live: Live, tmp_path: Path) -> None:
    broken = write_files(tmp_path / "broken", {"0001_t.sql": TABLE, "0002_b.sql": f"{TRIGGER}\nSELECT abs(-9223372036854775808);"})
    with pytest.raises(
        MigrationError, match=r"0002_b\.sql: not applied to db-staging at statement 2 of 2 .*integer overflow.*It was rolled back"
    ):
        await live.run(broken)
    assert live.ledger == ["0001_t.sql"]
    assert live.rows("SELECT name FROM sqlite_master WHERE type = 'trigger'") == []
    assert live.rows("SELECT name FROM crane_migrations") == [{"name": "0001_t.sql"}]


@pytest.mark.parametrize("nth", [1, 2], ids=["init", "ingest"])
@pytest.mark.parametrize("when", ["before-read", "after-read", "after-commit", "mid-body"])
async def test_a_lost_reply_is_settled_by_the_ledger(
    live: Live, files: tuple[MigrationFile, ...], faults: Faults, when: str, nth: int
) -> None:
    with faults.fault(IMPORT, Drop(when), nth=nth) as lost:  # type: ignore[arg-type]
        outcome = await live.run(files)
    assert lost.fired == 1
    assert outcome.applied == tuple(FILES)
    assert faults.executed(TRIGGER.rstrip(";")) == 1


async def test_an_upload_is_sent_again_and_leaves_nothing_where_it_never_arrives(
    live: Live, files: tuple[MigrationFile, ...], faults: Faults, tmp_path: Path
) -> None:
    with faults.fault(UPLOAD, Drop("after-read")):
        assert (await live.run(files[:2])).applied == ("0001_t.sql", "0002_trigger.sql")
    other = write_files(tmp_path / "other", {**FILES, "0004_c.sql": "SELECT ';';"})
    with faults.fault(UPLOAD, Error(503), times=9), pytest.raises(MigrationError, match="could not be uploaded: status 503"):
        await live.run(other)
    assert live.ledger == list(FILES)


@pytest.mark.parametrize("action", ["init", "ingest"])
async def test_a_token_that_may_not_import_is_told_that_it_needs_to_write(
    live: Live, files: tuple[MigrationFile, ...], faults: Faults, action: str
) -> None:
    """Also where the call may be repeated like a read."""
    with (
        faults.fault(IMPORT, Error(403, 10000, "Authentication error"), saying=f'"{action}"'),
        pytest.raises(MigrationError, match=r"0002_trigger\.sql: .*Give it the permission D1 Write on account "),
    ):
        await live.run(files)
    assert live.ledger == ["0001_t.sql"]


@pytest.mark.parametrize(
    ("action", "result", "what"),
    [
        ("init", '{"success": false, "error": "disk full", "type": "import"}', "D1 refused it: disk full. "),
        ("init", '{"success": false}', "D1 refused it: no reason given. "),
        ("init", '{"success": true}', "the import has no address to upload the file to. "),
        (
            "init",
            '{"success": true, "upload_url": 7, "filename": []}',
            "its answer cannot be read (result.filename: Input should be a valid string). ",
        ),
        ("ingest", '{"success": true, "status": "error", "error": "disk full"}', "D1 refused it: disk full. "),
        ("ingest", '{"success": true, "status": "active"}', "the import says neither how far it is nor that it is done. "),
    ],
)
async def test_an_import_that_does_not_begin_or_end_well_says_why(
    live: Live, files: tuple[MigrationFile, ...], faults: Faults, action: str, result: str, what: str
) -> None:
    reply = Reply(200, f'{{"success": true, "errors": [], "result": {result}}}', {"content-type": "application/json"})
    with faults.fault(IMPORT, reply, times=99, saying=f'"{action}"'), pytest.raises(MigrationError) as caught:
        await live.run(files)
    assert what in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1
    assert (await live.run(files)).applied == tuple(FILES)[1:]


async def test_a_database_that_is_held_is_waited_for(live: Live, files: tuple[MigrationFile, ...], faults: Faults) -> None:
    with faults.behaviour(polls_until_done=2):
        outcome = await live.run(files)
    assert outcome.applied == tuple(FILES)
