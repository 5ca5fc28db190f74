"""After each file every view and trigger still compiles, and every foreign key fits: what a file leaves broken is an error of that file."""

# ruff: noqa: S608 - SQL in memory, made by the tests themselves

import sqlite3
from contextlib import closing

import pytest

from tests.migrations.builders import file
from tests.migrations.lint.linting import USERS, Lint, errors, findings, findings_one_by_one, run

LOG = "CREATE TABLE log (id INTEGER PRIMARY KEY, user INTEGER, what TEXT);"
NEW = "CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT, old TEXT, more TEXT);"
ASIDE = (
    f"ALTER TABLE users RENAME TO users_old; {NEW} INSERT INTO users (id, name, old) SELECT id, name, old FROM users_old WHERE id < 99;"
    "DROP TABLE users_old;"
)
REBUILD = (
    f"{NEW.replace('users', 'users_new', 1)} INSERT INTO users_new (id, name, old) SELECT id, name, old FROM users WHERE id < 99;"
    "DROP TABLE users; ALTER TABLE users_new RENAME TO users;"
)
OF_ANOTHER_TABLE = "CREATE TRIGGER seen AFTER INSERT ON log BEGIN UPDATE users SET old = 1 WHERE id = new.user; END;"
VIEW = "CREATE VIEW names AS SELECT id, name FROM users;"
PLAIN_CHILD = "CREATE TABLE notes (id INTEGER PRIMARY KEY, user INTEGER REFERENCES users (id));"
WITHOUT_OLD = "ALTER TABLE users RENAME TO u; CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT); DROP TABLE u;"


def broken(found: tuple[object, ...]) -> list[tuple[str, int | None]]:
    return [(rule, number) for rule, number in errors(found) if rule == "leaves-broken"]  # type: ignore[arg-type]


LEFT = {
    "a trigger of another table, after a rename aside": (USERS + LOG + OF_ANOTHER_TABLE, ASIDE, 4),
    "a view, after a rename aside": (USERS + VIEW, ASIDE, 4),
    "a view whose table is dropped": (USERS + VIEW, "DROP TABLE users;", 1),
    "a view of a view whose table is dropped": (
        f"{USERS} CREATE TABLE kept (a); CREATE VIEW inner AS SELECT name FROM users; CREATE VIEW names AS SELECT * FROM kept JOIN inner;",
        "DROP VIEW inner;",
        1,
    ),
    "a trigger whose table is dropped": (USERS + LOG + OF_ANOTHER_TABLE, "DROP TABLE users;", 1),
    "a trigger whose column is left out": (USERS + LOG + OF_ANOTHER_TABLE, f"PRAGMA legacy_alter_table = ON; {WITHOUT_OLD}", 3),
    "a trigger of UPDATE": (
        f"{USERS} {LOG} CREATE TRIGGER seen BEFORE UPDATE OF what ON log BEGIN DELETE FROM users WHERE id = old.user; END;",
        ASIDE,
        4,
    ),
    "a trigger of DELETE": (
        f"{USERS} {LOG} CREATE TRIGGER seen AFTER DELETE ON log WHEN old.id IN (SELECT id FROM users) BEGIN SELECT 1; END;",
        ASIDE,
        4,
    ),
    "a trigger instead of a write to a view": (
        (
            f"{USERS} {LOG} CREATE VIEW log_view AS SELECT * FROM log; "
            "CREATE TRIGGER seen INSTEAD OF INSERT ON log_view BEGIN INSERT INTO users (name) VALUES (new.what); END;"
        ),
        ASIDE,
        4,
    ),
    "a foreign key to a column that is no key any more": (
        "CREATE TABLE users (id INTEGER PRIMARY KEY, code TEXT UNIQUE); CREATE TABLE notes (user TEXT REFERENCES users (code));",
        (
            "CREATE TABLE n (id INTEGER PRIMARY KEY, code TEXT); INSERT INTO n SELECT id, code FROM users WHERE id < 9; DROP TABLE users;"
            "ALTER TABLE n RENAME TO users;"
        ),
        4,
    ),
    "a view that the file itself makes": (USERS, "CREATE VIEW names AS SELECT id FROM people;", 1),
    "a trigger that the file itself makes": (USERS, "CREATE TRIGGER t AFTER INSERT ON users BEGIN INSERT INTO lgo VALUES (1); END;", 1),
    "a foreign key to nothing": (USERS, "CREATE TABLE notes (user INTEGER REFERENCES people (id));", 1),
    "a view that another rename mixes up": (
        f"{USERS} CREATE TABLE a (x); CREATE VIEW names AS SELECT a.x FROM a;",
        "DROP TABLE a; CREATE TABLE a (y);",
        2,
    ),
}
SOUND = {
    "a rebuild in the order of the page": (
        USERS + LOG + OF_ANOTHER_TABLE + VIEW,
        f"DROP VIEW names; DROP TRIGGER seen; {REBUILD} {VIEW} {OF_ANOTHER_TABLE}",
    ),
    "a trigger dropped with its table": (f"{USERS} {LOG} {OF_ANOTHER_TABLE}", "DROP TABLE log;"),
    "a view dropped after its table": (USERS + VIEW, "DROP TABLE users; DROP VIEW names;"),
    "a trigger of the renamed table": (
        f"{USERS} {LOG} {OF_ANOTHER_TABLE}",
        "ALTER TABLE log RENAME TO journal; ALTER TABLE users RENAME COLUMN old TO older;",
    ),
    "a column more": (
        USERS + LOG + OF_ANOTHER_TABLE + VIEW + PLAIN_CHILD,
        "ALTER TABLE users ADD COLUMN more; CREATE INDEX i ON users (more);",
    ),
    "a foreign key, which follows its table": (USERS + PLAIN_CHILD, "PRAGMA legacy_alter_table = ON; ALTER TABLE users RENAME TO people;"),
    "a foreign key to itself": ("", "CREATE TABLE tree (id INTEGER PRIMARY KEY, up INTEGER REFERENCES tree (id));"),
    "a trigger that sets off another one": (
        USERS + LOG,
        f"{OF_ANOTHER_TABLE} CREATE TRIGGER next AFTER UPDATE ON users BEGIN INSERT INTO log (user) VALUES (new.id); END;",
    ),
    "a table with generated columns": (
        "",
        "CREATE TABLE g (a, b AS (a) STORED, c AS (b)); CREATE TRIGGER t AFTER UPDATE ON g BEGIN SELECT 1; END;",
    ),
}


@pytest.mark.parametrize(("before", "text", "number"), LEFT.values(), ids=LEFT)
def test_what_a_file_leaves_broken_is_an_error_at_its_statement(judge: Lint, before: str, text: str, number: int) -> None:
    assert broken(judge(f"-- crane: contract\n{text}", before=before)) == [("leaves-broken", number)]


@pytest.mark.parametrize(("before", "text"), SOUND.values(), ids=SOUND)
def test_what_still_works_is_none(judge: Lint, before: str, text: str) -> None:
    assert broken(judge(f"-- crane: contract\n{text}", before=before or USERS)) == []


def test_sqlite_fails_where_lint_says_so() -> None:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as db:
        run(db, USERS + LOG + OF_ANOTHER_TABLE)
        db.execute("INSERT INTO log (user) VALUES (1)")
        run(db, ASIDE)
        with pytest.raises(sqlite3.OperationalError, match=r"no such table: main\.users_old"):
            db.execute("INSERT INTO log (user) VALUES (1)")


def test_the_text_says_what_is_broken_and_which_writes_fail(judge: Lint) -> None:
    (finding,) = [
        one for one in judge(f"-- crane: contract\n{ASIDE}", before=USERS + LOG + OF_ANOTHER_TABLE) if one.rule == "leaves-broken"
    ]
    assert str(finding) == (
        "workers/x/migrations/0002_f.sql, statement 4: it leaves the trigger seen broken (no such table: main.users_old), so writes to log fail. "
        "Drop the trigger at the start of the file, and create it again at the end; docs/lint.md shows how. (leaves-broken)"
    )


def test_only_the_object_itself_is_told_and_not_what_sets_it_off(judge: Lint) -> None:
    outer = "CREATE TABLE outside (a); CREATE TRIGGER outer AFTER INSERT ON outside BEGIN INSERT INTO log (user) VALUES (1); END;"
    found = judge(f"-- crane: contract\n{ASIDE}", before=USERS + LOG + OF_ANOTHER_TABLE + outer)
    assert [finding.what.split()[4] for finding in found if finding.rule == "leaves-broken"] == ["seen"]


def test_what_was_broken_before_is_not_the_fault_of_the_file(judge: Lint) -> None:
    before = f"{USERS} {LOG} {OF_ANOTHER_TABLE} {VIEW} CREATE VIEW lost AS SELECT * FROM absent; {PLAIN_CHILD.replace('users', 'people')} {ASIDE}"
    assert broken(judge("ALTER TABLE log ADD COLUMN more; ALTER TABLE notes ADD COLUMN more; CREATE TABLE t (a);", before=before)) == []


def test_what_one_file_repairs_and_the_next_breaks_again_is_the_fault_of_the_next(judge: Lint) -> None:
    lost = f"{USERS} CREATE VIEW lost AS SELECT a FROM absent;"
    found = judge("CREATE TABLE absent (a);", "-- crane: contract\nDROP TABLE absent;", before=lost)
    assert [(one.path[-10:], one.statement) for one in found if one.rule == "leaves-broken"] == [("0003_f.sql", 1)]


def test_what_is_new_may_come_before_what_it_needs_within_one_release() -> None:
    first = file("1_a.sql", statements=(VIEW.rstrip(";"), PLAIN_CHILD.rstrip(";")))
    files = [first, file("2_b.sql", statements=(USERS.rstrip(";"),))]
    assert broken(findings(files, files)) == []
    assert broken(findings_one_by_one(files)) == [("leaves-broken", 1), ("leaves-broken", 2)]


def test_what_traffic_uses_has_to_work_after_each_file(judge: Lint) -> None:
    repair = f"DROP TRIGGER seen; {OF_ANOTHER_TABLE}"
    found = judge(f"-- crane: contract\n{ASIDE}", repair, before=USERS + LOG + OF_ANOTHER_TABLE)
    assert [one.path[-10:] for one in found if one.rule == "leaves-broken"] == ["0002_f.sql"]


def test_a_reference_to_a_dropped_table_is_told_once(judge: Lint) -> None:
    found = judge("-- crane: contract\nDROP TABLE users;", before=USERS + PLAIN_CHILD)
    assert [one.rule for one in found if one.level == "error"] == ["drops-referenced-table"]


def test_a_view_is_followed_from_one_name_of_its_table_to_the_next(judge: Lint) -> None:
    found = judge("-- crane: contract\nALTER TABLE users RENAME TO u; DROP TABLE u;", before=USERS + VIEW)
    assert [finding.statement for finding in found if "leaves the view names without its table" in finding.what] == [2]
    assert broken(found) == [("leaves-broken", 2)]
