"""What a file adds does not hide what it loses elsewhere: the counts of a run compare only what is lost on the way to something else."""

import pytest

from crane_infra.migrations.lint.judge import Examined, examine
from tests.migrations.builders import file
from tests.migrations.lint.counting import refused_by_counts
from tests.migrations.lint.linting import errors

TABLES = (
    "CREATE TABLE books (id INTEGER PRIMARY KEY, title TEXT UNIQUE)",
    "CREATE TABLE marks (id INTEGER PRIMARY KEY, book INTEGER, note TEXT UNIQUE)",
    "INSERT INTO books VALUES (1, 'a'), (2, 'b'), (3, 'c')",
    "INSERT INTO marks VALUES (1, 1, 'k'), (2, 2, 'l'), (3, 3, 'm')",
)
NO_MARKS = "CREATE TRIGGER no_marks AFTER DELETE ON books BEGIN DELETE FROM marks WHERE book = old.id; END"
LATEST = "CREATE TRIGGER latest AFTER INSERT ON marks BEGIN DELETE FROM marks WHERE id <= new.id - 3; END"
ALSO = "CREATE TRIGGER also AFTER DELETE ON marks BEGIN DELETE FROM marks WHERE book = old.book + 1; END"
TREE = ("CREATE TABLE tree (id INTEGER PRIMARY KEY, parent INTEGER REFERENCES tree (id) ON DELETE CASCADE)", "INSERT INTO tree VALUES (1, NULL), (2, 1), (3, 1)")  # fmt: skip
SWAP = "CREATE TRIGGER swap AFTER UPDATE ON books BEGIN DELETE FROM marks WHERE book = old.id; INSERT INTO marks (note) VALUES (new.title); END"
AGAIN = "CREATE TRIGGER again AFTER UPDATE ON books BEGIN INSERT OR REPLACE INTO marks (note) VALUES ('k'); END"
ADDS = "CREATE TRIGGER adds AFTER INSERT ON books BEGIN INSERT OR IGNORE INTO marks (note) VALUES ('k'); END"
REBUILD = (
    "CREATE TABLE made (id INTEGER PRIMARY KEY, book INTEGER, note TEXT UNIQUE)",
    "INSERT INTO made SELECT id, book, note FROM marks WHERE id < 3",
    "DROP TABLE marks",
    "ALTER TABLE made RENAME TO marks",
)
CHILD = ("CREATE TABLE parts (id INTEGER PRIMARY KEY, book INTEGER REFERENCES books (id) ON DELETE SET NULL)", "INSERT INTO parts VALUES (1, 1), (2, 2)")  # fmt: skip
ADD = "INSERT INTO marks (note) VALUES ('n')"
DELETE = "DELETE FROM books WHERE id = 1"


def judged(made: tuple[str, ...], *statements: str) -> Examined:
    files = [file("1_a.sql", statements=made), file("2_b.sql", statements=statements)]
    return examine(files, files[1:])[0]


@pytest.mark.parametrize(
    ("more", "statements", "lost"),
    [
        ((NO_MARKS,), (DELETE, ADD), "1 of 3 rows of marks"),
        ((NO_MARKS,), (ADD, DELETE), "1 of 4 rows of marks"),
        ((NO_MARKS,), (DELETE, ADD, "DELETE FROM books WHERE id = 2"), "2 of 3 rows of marks"),
        ((NO_MARKS,), ("DELETE FROM marks WHERE id = 3", DELETE), "1 of 2 rows of marks"),
        ((NO_MARKS,), (DELETE, "ALTER TABLE marks RENAME TO things", "INSERT INTO things (note) VALUES ('n')"), "1 of 3 rows of marks"),
        ((LATEST,), (ADD,), "1 of 3 rows of marks"),
        ((ALSO,), ("DELETE FROM marks WHERE id = 1",), "1 of 3 rows of marks"),
        (TREE, ("DELETE FROM tree WHERE id = 1",), "2 of 3 rows of tree"),
        ((), (*REBUILD, ADD), "1 of 3 rows of marks"),
        ((), (*REBUILD[:2], "INSERT INTO made (note) VALUES ('n')", *REBUILD[2:]), "1 of 3 rows of marks"),
        (CHILD, ("UPDATE OR REPLACE books SET title = 'a' WHERE id = 2", "INSERT INTO parts VALUES (3, 2)"), "1 of 2 rows of parts.book"),
        (CHILD, ("ALTER TABLE books RENAME TO works", "UPDATE OR REPLACE works SET title = 'a' WHERE id = 2"), "1 of 2 rows of parts.book"),
    ],
)
def test_rows_that_a_file_adds_do_not_hide_those_it_loses(more: tuple[str, ...], statements: tuple[str, ...], lost: str) -> None:
    made = (*TABLES, *more)
    assert lost in refused_by_counts(made, judged(made, *statements)).split("; ")


@pytest.mark.parametrize(
    ("more", "statements"),
    [
        ((NO_MARKS,), ("DELETE FROM marks WHERE book = 1", DELETE)),
        ((NO_MARKS,), ("CREATE TABLE kept AS SELECT * FROM marks", DELETE, "INSERT OR IGNORE INTO marks SELECT * FROM kept")),
        ((LATEST,), ("INSERT INTO marks (id, note) VALUES (0, 'n')",)),
        ((ALSO,), ("DELETE FROM marks WHERE id = 3",)),
        (TREE, ("DELETE FROM tree WHERE id = 3",)),
        ((), (REBUILD[0], REBUILD[1].replace("WHERE id < 3", "WHERE true"), "DELETE FROM made WHERE id = 3", *REBUILD[2:])),
        ((), ("DELETE FROM marks WHERE id = 3", *REBUILD)),
    ],
)
def test_what_a_file_deletes_by_name_or_puts_back_is_no_loss(more: tuple[str, ...], statements: tuple[str, ...]) -> None:
    made = (*TABLES, *more)
    assert refused_by_counts(made, judged(made, *statements)) == ""


def test_a_trigger_that_deletes_and_adds_in_one_statement_is_stopped() -> None:
    examined = judged((*TABLES, SWAP), "UPDATE books SET title = 'z' WHERE id = 1")
    assert errors(examined.findings) == [("hides-lost-rows", 1)]


@pytest.mark.parametrize(
    ("trigger", "statement"),
    [
        (AGAIN, "UPDATE books SET title = 'z' WHERE id = 1"),
        (ADDS, "INSERT OR REPLACE INTO books (title) VALUES ('z')"),
        (ADDS.replace("INSERT OR IGNORE", "UPDATE OR REPLACE").replace("INTO marks (note) VALUES ('k')", "marks SET note = 'k'"), "INSERT INTO books (title) VALUES ('z')"),
    ],
)  # fmt: skip
def test_rows_that_a_trigger_replaces_are_told(trigger: str, statement: str) -> None:
    told = [finding.what for finding in judged((*TABLES, trigger), statement).findings if "sets off a trigger" in finding.what]
    assert told == ["it sets off a trigger, and REPLACE in it deletes each row of marks that has the same key or unique value"]


def test_they_are_told_by_the_new_name_once_their_table_is_renamed() -> None:
    """A rename changes the text of triggers of other tables too."""
    examined = judged((*TABLES, AGAIN), "ALTER TABLE marks RENAME TO notes", "UPDATE books SET title = 'z' WHERE id = 1")
    assert ("overwrites-rows", 2) in errors(examined.findings)
    assert any("deletes each row of notes" in finding.what for finding in examined.findings)


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO books (title) VALUES ('z')",  # the trigger ignores
        "INSERT OR IGNORE INTO books (title) VALUES ('z')",
        "INSERT INTO books (id, title) VALUES (1, 'z') ON CONFLICT (id) DO UPDATE SET title = 'y'",
    ],
)
def test_a_trigger_that_replaces_nothing_is_no_finding(statement: str) -> None:
    assert not [finding for finding in judged((*TABLES, ADDS), statement).findings if "sets off a trigger" in finding.what]


@pytest.mark.parametrize(
    "statement",
    ["UPDATE OR REPLACE plain SET text = 'z' WHERE id = 1", "INSERT OR REPLACE INTO plain (text) VALUES ('z')"],
)
def test_replace_that_can_hit_no_key_is_no_finding(statement: str) -> None:
    assert judged(("CREATE TABLE plain (id INTEGER PRIMARY KEY, text TEXT)",), statement).findings == ()
