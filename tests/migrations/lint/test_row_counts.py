"""A migration that loses rows without declaring it fails within its request and is rolled back; on the local cloud's D1."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from crane_infra.d1.api import connect
from crane_infra.d1.client import D1
from crane_infra.errors import MigrationError
from crane_infra.migrations.apply import Outcome, migrate
from crane_infra.migrations.costs import with_costs
from crane_infra.migrations.files.read import MigrationFile, SchemaFiles
from crane_infra.migrations.lint.judge import Accepted, examine
from crane_infra.migrations.status import status_of
from local_cloud.daemon import Running
from tests.cloud import Api
from tests.migrations.builders import SHOWN, write_files

pytestmark = pytest.mark.cloud

MAKE = """CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT);
CREATE TABLE notes (id INTEGER PRIMARY KEY, user INTEGER REFERENCES users (id) ON DELETE CASCADE);
CREATE TABLE "odd 'marks'" (id INTEGER PRIMARY KEY, "the user" INTEGER REFERENCES users (id) ON DELETE SET NULL);"""
FILL = """INSERT INTO users VALUES (1, 'a'), (2, 'b'), (3, NULL);
INSERT INTO notes VALUES (1, 1), (2, 1), (3, 2);
INSERT INTO "odd 'marks'" VALUES (1, 1), (2, 2);"""
REBUILD = """PRAGMA defer_foreign_keys = ON;
CREATE TABLE users_new (id INTEGER PRIMARY KEY, name TEXT, email TEXT);
INSERT INTO users_new (id, name) SELECT id, name FROM users;
DROP TABLE users;
ALTER TABLE users_new RENAME TO users;"""
COPY = """CREATE TABLE users_new (id INTEGER PRIMARY KEY, name TEXT);
INSERT INTO users_new SELECT id, name FROM users WHERE name IS NOT NULL;
DROP TABLE users;
ALTER TABLE users_new RENAME TO users;"""
ALONE = "CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT); INSERT INTO users VALUES (1, 'a'), (2, NULL);"
NOTES = "CREATE TABLE notes (id INTEGER PRIMARY KEY, user INTEGER); INSERT INTO notes VALUES (1, 1), (2, 1), (3, 2);"
ACCEPT: Accepted = {"0002_rebuild.sql": ("rebuilds-referenced-table",)}


@dataclass
class Live:
    """A database of the local cloud, and runs on it."""

    api: Api
    id: str
    db: D1
    log: list[str] = field(default_factory=list)

    async def run(self, files: Sequence[MigrationFile], accepted: Accepted | None = None) -> Outcome:
        """Run the migrations as one update does."""
        schema = SchemaFiles(tuple(files), accepted=accepted or {})
        return await migrate(self.db, schema, release="release-1", log=self.log.append)

    def counts(self) -> list[dict[str, object]]:
        """What was counted."""
        return self.api.query(self.id, "SELECT * FROM crane_rows ORDER BY counted")[0]

    def count(self, table: str) -> object:
        """How many rows a table has."""
        return self.api.query(self.id, f"SELECT COUNT(*) AS n FROM {table}")[0][0]["n"]  # noqa: S608 - a name of the test


@pytest.fixture
async def live(cloud: Running, api: Api) -> AsyncIterator[Live]:
    """An empty database."""
    database = api.database()
    async with connect(cloud.api_url, cloud.token) as client:
        yield Live(api, database, D1(client, cloud.account_id, database, "db-staging"))


def files(folder: Path, made: str, rebuild: str) -> tuple[MigrationFile, ...]:
    return write_files(folder / "migrations", {"0001_make.sql": made, "0002_rebuild.sql": rebuild})


async def test_a_rebuild_that_empties_its_children_is_stopped_before_anything_is_sent(live: Live, tmp_path: Path) -> None:
    (made, rebuild) = files(tmp_path, f"{MAKE}{FILL}", REBUILD)
    await live.run([made])
    with pytest.raises(MigrationError, match=r"0002_rebuild\.sql, statement 4: dropping users also deletes rows of notes, odd 'marks'"):
        await live.run([made, rebuild])
    assert live.count("notes") == 3


async def test_where_the_finding_was_accepted_the_counts_still_stop_it_and_nothing_of_it_stays(live: Live, tmp_path: Path) -> None:
    (made, rebuild) = files(tmp_path, f"{MAKE}{FILL}", REBUILD)
    await live.run([made])
    with pytest.raises(MigrationError) as caught:
        await live.run([made, rebuild], ACCEPT)
    assert str(caught.value) == (
        f"{SHOWN}/0002_rebuild.sql: not applied to db-staging: it would lose 3 of 3 rows of notes without declaring it. It was rolled back. "
        "Applied in this run: none. Pending: 0002_rebuild.sql. Copy the tables that refer to a table before you drop it. "
        "If these rows may go, declare it with -- crane: loses-rows, or accept it in the stack file (accept-findings: loses-rows). docs/lint.md shows how."
    )
    assert (live.count("notes"), live.count("users"), live.counts()) == (3, 3, [])
    names = live.api.query(live.id, "SELECT name FROM d1_migrations")[0]
    assert [row["name"] for row in names] == ["0001_make.sql"]


async def test_what_the_file_declares_may_go_and_stands_in_the_ledger(live: Live, tmp_path: Path) -> None:
    (made, rebuild) = files(tmp_path, f"{MAKE}{FILL}", f"-- crane: loses-rows notes, \"odd 'marks'\"\n{REBUILD}")
    await live.run([made, rebuild][:1])
    assert (await live.run([made, rebuild])).applied == ("0002_rebuild.sql",)
    assert {str(one["counted"]): (one["before"], one["after"]) for one in live.counts()} == {
        "notes": (3, 0),
        "odd 'marks'": (2, 2),
        "odd 'marks'.the user": (2, 0),
        "users": (3, 3),
    }


async def test_a_stack_can_accept_that_rows_go(live: Live, tmp_path: Path) -> None:
    (made, rebuild) = files(tmp_path, f"{MAKE}{FILL}", REBUILD)
    await live.run([made])
    outcome = await live.run([made, rebuild], {"0002_rebuild.sql": ("rebuilds-referenced-table", "loses-rows")})
    assert outcome.applied == ("0002_rebuild.sql",)
    assert any("rebuilds-referenced-table" in line for line in live.log), "what is accepted is said all the same"


async def test_a_copy_that_leaves_rows_out_fails(live: Live, tmp_path: Path) -> None:
    (made, copy) = files(tmp_path, ALONE, COPY)
    await live.run([made])
    with pytest.raises(MigrationError, match="it would lose 1 of 2 rows of users without declaring it"):
        await live.run([made, copy])
    assert live.count("users") == 2


async def test_a_loss_in_a_file_that_goes_through_import_fails_the_same_way(live: Live, tmp_path: Path) -> None:
    trigger = "CREATE TRIGGER tr AFTER INSERT ON users BEGIN UPDATE users SET name = 'x' WHERE id = new.id; END;"
    (made, copy) = files(tmp_path, ALONE, f"{COPY}\n{trigger}")
    await live.run([made])
    with pytest.raises(MigrationError, match="it would lose 1 of 2 rows of users without declaring it"):
        await live.run([made, copy])
    assert live.count("users") == 2


@pytest.mark.parametrize("by_import", [False, True])
async def test_what_a_trigger_deletes_is_not_balanced_by_what_the_file_adds(live: Live, tmp_path: Path, by_import: bool) -> None:  # noqa: FBT001 - a parameter of the test
    made = ALONE + NOTES
    trigger = "CREATE TRIGGER gone AFTER DELETE ON users BEGIN DELETE FROM notes WHERE user = old.id; END;"
    text = "INSERT INTO notes VALUES (4, 2); DELETE FROM users WHERE id = 1; INSERT INTO notes VALUES (5, 2), (6, 2);"
    also = "CREATE TRIGGER also AFTER UPDATE ON users BEGIN SELECT 1; END;" if by_import else ""
    (first, second) = files(tmp_path, f"{made}{trigger}", f"{text}{also}")
    await live.run([first])
    with pytest.raises(MigrationError, match="it would lose 2 of 4 rows of notes without declaring it"):
        await live.run([first, second])
    assert live.count("notes") == 3
    (first, second) = files(tmp_path, f"{made}{trigger}", f"-- crane: loses-rows notes\n{text}{also}")
    await live.run([first, second])
    assert [(one["counted"], one["before"], one["after"]) for one in live.counts()] == [("notes", 4, 2)]
    assert live.count("notes") == 4


async def test_where_no_row_is_lost_it_runs(live: Live, tmp_path: Path) -> None:
    whole = COPY.replace(" WHERE name IS NOT NULL", "")
    (made, copy) = files(tmp_path, ALONE, whole)
    await live.run([made])
    assert (await live.run([made, copy])).applied == ("0002_rebuild.sql",)
    assert [(one["counted"], one["before"], one["after"]) for one in live.counts()] == [("users", 2, 2)]


def test_only_what_could_be_lost_without_a_word_is_counted(tmp_path: Path) -> None:
    made = files(tmp_path, MAKE, "DELETE FROM notes WHERE id = 1; ALTER TABLE users ADD COLUMN email TEXT;")
    (one,) = examine(made, made[1:])
    assert one.counts == ()
    made = files(tmp_path, MAKE, "-- crane: loses-rows notes\nDELETE FROM users WHERE id = 1;")
    (one,) = examine(made, made[1:])
    assert [(count.label, count.may_fall) for count in one.counts] == [
        ("notes", True),
        ("odd 'marks'", False),
        ("odd 'marks'.the user", False),
    ]


async def test_what_files_cost_is_counted_in_d1_itself(live: Live, tmp_path: Path) -> None:
    text = f"-- crane: contract\n-- crane: overwrites-rows users\nREPLACE INTO users (id, name) VALUES (3, 'x'), (9, 'y');\n{COPY}"
    (made, rebuild) = files(tmp_path, f"{MAKE}{FILL}", text.replace("name TEXT)", "name TEXT NOT NULL CHECK (name <> 'a'))"))
    await live.run([made])
    schema = SchemaFiles((made, rebuild))
    assert (await with_costs(live.db, await status_of(live.db, schema))).costs == (
        "counted what the pending files cost: 3 counts, which read about 15 rows",
        "0002_rebuild.sql: of the 3 rows of users: 1 refused by NOT NULL of name; 1 refused by CHECK (name <> 'a'); 1 overwritten by statement 1",
    )
