"""Before anything is sent: how many rows of the live database the pending files take, and how many a new constraint would refuse."""

# ruff: noqa: S608 - SQL of the tests themselves

from collections.abc import Sequence
from pathlib import Path

import pytest

from crane_infra.d1.client import D1
from crane_infra.migrations.costs import MOST_QUESTIONS, MOST_ROWS, with_costs
from crane_infra.migrations.files.read import SchemaFiles
from crane_infra.migrations.status import status_of
from tests.d1.server import D1Server, failed, say
from tests.migrations.builders import write_files
from tests.migrations.conftest import Runner

VALUE = "a value that nobody shall see"
MADE = (
    "CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT, age INTEGER, nick TEXT);"
    "CREATE TABLE notes (id INTEGER PRIMARY KEY, user INTEGER, text TEXT);"
)
REBUILD = "CREATE TABLE u ({}); INSERT INTO u SELECT * FROM users WHERE id > 0; DROP TABLE users; ALTER TABLE u RENAME TO users;"
CONTRACT = "-- crane: contract\n"


class Stage:
    """A database with rows, and files that are pending there."""

    def __init__(self, run: Runner, server: D1Server, db: D1, folder: Path) -> None:
        self.run, self.server, self.db, self.folder = run, server, db, folder

    async def fill(self) -> None:
        await self.run(write_files(self.folder, {"0001_made.sql": MADE}))
        for number, email in enumerate([VALUE, VALUE, "b", None], 1):
            self.server.sql("INSERT INTO users VALUES (?, ?, ?, ?)", number, email, number * 10, VALUE if number < 3 else None)
        for user in (1, 2, 9):
            self.server.sql("INSERT INTO notes (user, text) VALUES (?, ?)", user, VALUE)

    async def costs(self, *texts: str) -> tuple[str, ...]:
        """The lines about these pending files."""
        content = {"0001_made.sql": MADE} | {f"{number:04}_f.sql": text for number, text in enumerate(texts, 2)}
        judgement = await status_of(self.db, SchemaFiles(write_files(self.folder, content)))
        return (await with_costs(self.db, judgement)).costs


@pytest.fixture
async def stage(run: Runner, server: D1Server, db: D1, tmp_path: Path) -> Stage:
    stage = Stage(run, server, db, tmp_path / "files")
    await stage.fill()
    return stage


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("DROP TABLE notes;", "of the 3 rows of notes: 3 dropped with the table"),
        ("ALTER TABLE users DROP COLUMN nick;", "of the 4 rows of users: 2 with a value in the dropped column nick"),
        (
            "DELETE FROM users AS u WHERE u.age > 15 OR email IN (SELECT text FROM notes);",
            "of the 4 rows of users: 4 deleted by statement 1",
        ),
        ("UPDATE users SET nick = 'x' WHERE age < 25;", "of the 4 rows of users: 2 changed by statement 1"),
        ("REPLACE INTO users (id, nick) VALUES (2, 'x'), (3, 'y'), (99, 'z');", "of the 4 rows of users: 2 overwritten by statement 1"),
        (
            "INSERT INTO users (id, nick) SELECT user, text FROM notes WHERE true ON CONFLICT (id) DO UPDATE SET nick = excluded.nick;",
            "of the 4 rows of users: 2 overwritten by statement 1",
        ),
        ("CREATE UNIQUE INDEX one_email ON users (email);", "of the 4 rows of users: 1 refused by UNIQUE (email)"),
        (
            REBUILD.format("id INTEGER PRIMARY KEY, email TEXT NOT NULL, age INTEGER CHECK (age>=20), nick TEXT"),
            "of the 4 rows of users: 1 refused by NOT NULL of email; 1 refused by CHECK (age>=20)",
        ),
        (
            REBUILD.replace("users", "notes").format("id INTEGER PRIMARY KEY, user INTEGER REFERENCES users (id), text TEXT"),
            "of the 3 rows of notes: 1 refused by the foreign key to users",
        ),
    ],
)
async def test_each_cost_is_a_number_of_rows(stage: Stage, text: str, expected: str) -> None:
    lines = await stage.costs(CONTRACT + text)
    assert lines[0].startswith("counted what the pending files cost: ")
    assert lines[1:] == (f"0002_f.sql: {expected}",)
    assert VALUE not in "".join(lines)


async def test_one_read_counts_for_all_files_and_a_line_stands_for_each_file_and_table(stage: Stage) -> None:
    reads = len(stage.server.requests)
    lines = await stage.costs(f"{CONTRACT}DROP TABLE notes; DELETE FROM users WHERE id = 1; DELETE FROM users WHERE id > 1;", "SELECT 1;")
    looked = [kind for kind, batch in stage.server.requests[reads:] if any("size_0" in statement["sql"] for statement in batch)]
    assert looked == ["read"]
    assert lines == (
        "counted what the pending files cost: 3 counts, which read about 25 rows",
        "0002_f.sql: of the 3 rows of notes: 3 dropped with the table",
        "0002_f.sql: of the 4 rows of users: 1 deleted by statement 2; 3 deleted by statement 3",
    )


@pytest.mark.parametrize(
    "text", ["CREATE TABLE t (a TEXT); DELETE FROM t WHERE true;", "ALTER TABLE users ADD COLUMN new TEXT; UPDATE users SET new = '';", "SELECT 1;"]
)  # fmt: skip
async def test_where_no_row_is_at_stake_nothing_is_asked(stage: Stage, text: str) -> None:
    assert await stage.costs(text) == ()


async def test_a_condition_on_a_new_column_is_named_as_not_counted(stage: Stage) -> None:
    lines = await stage.costs(
        f"{CONTRACT}ALTER TABLE users ADD COLUMN new TEXT; DELETE FROM users WHERE new IS NULL; DELETE FROM users WHERE id = 1;"
    )
    assert lines == (
        "counted what the pending files cost: 1 count, which read about 12 rows, and 1 more were not counted",
        "0002_f.sql: of the 4 rows of users: 1 deleted by statement 3",
    )


async def test_a_large_table_is_not_counted(stage: Stage) -> None:
    stage.server.sql(f"WITH RECURSIVE n (i) AS (SELECT 10 UNION ALL SELECT i + 1 FROM n LIMIT {MOST_ROWS}) INSERT INTO users (id) SELECT i FROM n")  # fmt: skip
    assert await stage.costs("DELETE FROM users WHERE id = 1;") == (
        f"counted what the pending files cost: 1 count, which read about {2 * (MOST_ROWS + 1):,} rows",
        f"0002_f.sql: users has more than {MOST_ROWS:,} rows, so these were not counted: deleted by statement 1",
    )


async def test_more_counts_than_one_read_has_room_for_are_left_out_and_told(stage: Stage) -> None:
    texts: Sequence[str] = [f"DELETE FROM users WHERE id = {number};" for number in range(MOST_QUESTIONS + 2)]
    assert (await stage.costs("".join(texts)))[0].endswith(", and 2 more were not counted")


async def test_a_database_that_does_not_answer_is_told_and_stops_nothing(stage: Stage) -> None:
    text, read = "DELETE FROM users WHERE id = 1;", stage.server.count("read")
    await stage.costs(text)
    looks = stage.server.count("read") - read - 1
    stage.server.script("read", *[lambda execute: execute()] * looks, *[say(400, failed(7500, "no"))] * 9)
    (line,) = await stage.costs(text)
    assert line.startswith("what the pending files cost could not be counted: ")
