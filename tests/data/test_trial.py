"""Pending migrations tried on a copy: what they do to each row is counted exactly, and what would fail is said before it does."""

import json
import re
from collections.abc import Mapping
from pathlib import Path

import apsw
import pytest

from crane_infra.checks.results import Checked, CheckResult
from crane_infra.data.copy import copy_database
from crane_infra.data.trial import Attempt, Trial, try_migrations
from crane_infra.data.trial_text import trial_as_json, trial_lines
from crane_infra.migrations.files.read import SchemaFiles, read_migrations
from crane_infra.migrations.lint.finding import RULES
from crane_infra.migrations.own_tables import CREATE
from crane_infra.migrations.requests import baseline_request
from crane_infra.report.trials import trials_markdown
from tests.data.d1_like import D1Like

NONE = Checked(not_run="no migration is pending")
BASE = """
CREATE TABLE users (id INTEGER PRIMARY KEY, mail TEXT, plan TEXT);
CREATE TABLE orders (id INTEGER PRIMARY KEY, user_id INTEGER REFERENCES users (id), total INTEGER);
CREATE TABLE plans (name TEXT PRIMARY KEY, price INTEGER);
CREATE INDEX orders_user ON orders (user_id);
"""
ROWS = """
WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 1000) INSERT INTO users SELECT i, 'user' || i, 'free' FROM c;
UPDATE users SET mail = 'user7' WHERE id = 900;
INSERT INTO orders SELECT id, id, id * 10 FROM users;
INSERT INTO plans VALUES ('free', 0), ('pro', 10), ('team', 50), ('old', 1);
"""


async def tried(
    tmp_path: Path, *files: str, tables: str = "", rows: str = "", keys: bool = False, accepted: Mapping[str, list[str]] | None = None
) -> Trial:
    """The trial of these files after BASE and ``tables``, which a ledger records, on ROWS and ``rows``."""
    folder = tmp_path / "migrations"
    folder.mkdir()
    (folder / "0001_base.sql").write_text(BASE + tables)
    for number, text in enumerate(files, 2):
        (folder / f"{number:04}_change.sql").write_text(text)
    migrations = read_migrations(folder, "migrations")
    source = D1Like(tmp_path / "source.sqlite")
    for sql in (BASE, tables, ROWS, rows, *CREATE):
        source.db.execute(sql)
    for statement in baseline_request(migrations[:1], "token", "release"):
        source.db.execute(statement.sql, tuple(statement.params))
    copied = await copy_database(source, tmp_path / "copy.sqlite")
    schema = SchemaFiles(tuple(migrations), accepted=accepted or {})
    return await try_migrations(copied, Attempt("crane-test", schema, "digest", keys))


async def test_a_data_change_is_counted_by_table_and_kind(tmp_path: Path) -> None:
    trial = await tried(
        tmp_path,
        "UPDATE users SET plan = 'pro' WHERE id <= 3;\nDELETE FROM orders WHERE id > 998;\nINSERT INTO users VALUES (5000, 'new', 'free');",
        keys=True,
    )
    assert trial.passes, trial
    (report,) = trial.files
    assert [(change.table, change.before, change.after, change.added, change.changed, change.deleted) for change in report.tables] == [
        ("orders", 1000, 998, 0, 0, 2),
        ("users", 1000, 1001, 1, 3, 0),
    ]
    assert report.tables[1].keys == {"added": ((5000,),), "changed": ((1,), (2,), (3,))}
    assert report.tables[0].keys == {"deleted": ((999,), (1000,))}


REBUILD = """CREATE TABLE users_new (id INTEGER PRIMARY KEY, mail TEXT, plan TEXT NOT NULL);
INSERT INTO users_new SELECT id, mail, plan FROM users{where};
DROP TABLE users;
ALTER TABLE users_new RENAME TO users;
"""


class TestWhatIsCounted:
    async def test_a_row_that_a_rebuild_loses(self, tmp_path: Path) -> None:
        """It is refused, and what it did until then is counted all the same."""
        sql = (
            REBUILD.format(where=" WHERE id <> 500")
            .replace("users", "orders")
            .replace("mail", "user_id")
            .replace("plan TEXT", "total TEXT")
        )
        trial = await tried(tmp_path, sql.replace("plan", "total"), keys=True)
        assert not trial.passes
        assert "it would lose 1 of 1000 rows of orders without declaring it" in trial.refusal[-1]
        assert trial.despite, "lint refuses it too, for the index"
        (report,) = trial.files
        (change,) = report.tables
        assert (change.before, change.after, change.deleted, change.changed, change.added) == (1000, 999, 1, 1000 - 1, 0)
        assert change.keys["deleted"] == ((500,),)
        assert report.gone == ("index orders_user",)

    async def test_rows_that_an_insert_overwrites(self, tmp_path: Path) -> None:
        sql = "INSERT OR REPLACE INTO plans SELECT name, 20 FROM plans WHERE name <> 'old';\nUPDATE plans SET price = 3 WHERE name = 'old';"
        trial = await tried(tmp_path, sql, accepted={"0002_change.sql": ["overwrites-rows"]})
        assert trial.passes, trial.refusal
        (change,) = trial.files[0].tables
        assert (change.table, change.overwritten, change.changed, change.deleted, change.added) == ("plans", 3, 1, 0, 0)
        assert trial.files[0].statements[0].overwritten == {"plans": 3}

    async def test_a_unique_index_that_two_rows_violate(self, tmp_path: Path) -> None:
        trial = await tried(
            tmp_path,
            "UPDATE users SET plan = 'pro' WHERE id = 1;\nCREATE UNIQUE INDEX by_mail ON users (mail COLLATE NOCASE DESC);",
            keys=True,
        )
        assert not trial.passes
        (report,) = trial.files
        assert (report.failed, report.failure) == (2, "UNIQUE constraint failed: users.mail")
        assert [(one.table, one.rows, one.what, one.keys) for one in report.violations] == [
            ("users", 2, "have a value that another row has too", ((7,), (900,)))
        ]
        assert "0002_change.sql" in trial.refusal[0]

    async def test_rows_that_the_constraints_of_a_new_table_refuse(self, tmp_path: Path) -> None:
        sql = "CREATE TABLE mails (mail TEXT UNIQUE, id INTEGER PRIMARY KEY CHECK (id > 3));\nINSERT INTO mails SELECT mail, id FROM users;"
        (report,) = (await tried(tmp_path, sql)).files
        assert [(one.table, one.rows, one.what) for one in report.violations] == [("id > 3", 4, "do not meet CHECK")]

    async def test_references_that_a_delete_breaks(self, tmp_path: Path) -> None:
        trial = await tried(tmp_path, "DELETE FROM users WHERE id IN (4, 5);", keys=True)
        (report,) = trial.files
        assert report.failure == "FOREIGN KEY constraint failed"
        assert [(one.table, one.rows, one.what, one.keys) for one in report.violations] == [
            ("orders", 2, "refer to a row of users that is not there", ((4,), (5,)))
        ]

    async def test_references_that_are_only_broken_at_the_end(self, tmp_path: Path) -> None:
        trial = await tried(tmp_path, "PRAGMA defer_foreign_keys = ON;\nDELETE FROM users WHERE id = 4;")
        assert trial.files[0].failed is None
        assert [one.rows for one in trial.files[0].violations] == [1]

    async def test_a_renamed_table_is_compared_with_what_it_was(self, tmp_path: Path) -> None:
        trial = await tried(tmp_path, "ALTER TABLE plans RENAME TO prices;\nUPDATE prices SET price = 1 WHERE name = 'free';")
        (report,) = trial.files
        assert [(change.table, change.changed, change.deleted, change.added) for change in report.tables] == [("prices", 1, 0, 0)]
        assert report.gone == ()

    async def test_values_that_differ_only_in_type_or_case_are_changed(self, tmp_path: Path) -> None:
        tables = "CREATE TABLE loose (k TEXT PRIMARY KEY COLLATE NOCASE, v);"
        rows = "INSERT INTO loose VALUES ('a', 1), ('b', 2), ('c', 3);"
        (report,) = (
            await tried(
                tmp_path, "UPDATE loose SET v = 1.0 WHERE k = 'a';\nUPDATE loose SET k = 'B' WHERE k = 'b';", tables=tables, rows=rows
            )
        ).files
        assert [(change.table, change.changed) for change in report.tables] == [("loose", 2)]

    async def test_rows_whose_key_is_null_are_told_apart_by_their_values(self, tmp_path: Path) -> None:
        """Any number of rows may have no key, and each is as it was unless it changed."""
        tables = "CREATE TABLE loose (k TEXT PRIMARY KEY, v UNIQUE); CREATE TABLE still (k INTEGER PRIMARY KEY DESC, v);"
        rows = "INSERT INTO loose VALUES (NULL, 1), (NULL, 2), (NULL, 3), ('a', 4); INSERT INTO still VALUES (NULL, 1), (NULL, 2), (7, 3);"
        files = (
            "UPDATE loose SET v = 9 WHERE v = 2;\nUPDATE still SET v = v;",
            "-- crane: overwrites-rows loose\nREPLACE INTO loose VALUES ('b', 1);",
        )
        first, second = (await tried(tmp_path, *files, tables=tables, rows=rows)).files
        assert [(change.table, change.added, change.changed, change.deleted) for change in first.tables] == [("loose", 1, 0, 1)]
        assert [(change.table, change.overwritten) for change in second.tables] == [("loose", 1)]

    async def test_a_table_that_is_dropped_and_rows_without_a_key(self, tmp_path: Path) -> None:
        tables = "CREATE TABLE log (a, b); CREATE TABLE junk (x);"
        rows = "INSERT INTO log VALUES (1, 2), (1, 2), (3, 4); INSERT INTO junk VALUES (1);"
        sql = "-- crane: contract\n-- crane: loses-rows junk, log\nDELETE FROM log WHERE rowid = 1;\nUPDATE log SET b = 5 WHERE a = 3;\nDROP TABLE junk;"
        trial = await tried(tmp_path, sql, tables=tables, rows=rows, accepted={"0002_change.sql": ["drop-table"]})
        assert trial.files, trial.refusal
        changes = [(change.table, change.before, change.after, change.added, change.deleted) for change in trial.files[0].tables]
        assert changes == [("junk", 1, None, 0, 1), ("log", 3, 2, 1, 2)]
        assert trial.files[0].gone == ("table junk",)


async def test_files_that_an_update_sends_together_have_a_report_each(tmp_path: Path) -> None:
    unique = "-- crane: contract\nCREATE UNIQUE INDEX by_mail ON users (mail);"
    files = (
        "CREATE TABLE one (a);",
        "ALTER TABLE plans ADD COLUMN x;\nCREATE INDEX by_price ON plans (price);",
        unique,
        "CREATE TABLE two (a);",
    )
    trial = await tried(tmp_path, *files, accepted={"0004_change.sql": list(RULES)})
    assert [(report.name, len(report.statements), report.failure) for report in trial.files] == [
        ("0002_change.sql", 1, ""),
        ("0003_change.sql", 2, ""),
        ("0004_change.sql", 1, "UNIQUE constraint failed: users.mail"),
    ]
    assert [one.rows for one in trial.files[-1].violations] == [2]


async def test_each_data_statement_tells_what_it_scans_and_how_long_it_takes(tmp_path: Path) -> None:
    trial = await tried(
        tmp_path, "UPDATE orders SET total = 1 WHERE total = 20;\nUPDATE orders SET total = 5 WHERE user_id = 7;\nCREATE TABLE x (a);"
    )
    statements = trial.files[0].statements
    assert [(one.number, one.scans, one.changes) for one in statements] == [(1, (("SCAN orders", 1000),), 1), (2, (), 1), (3, (), 0)]
    assert all(one.seconds >= 0 for one in statements)


async def test_files_are_tried_in_order_until_one_fails_and_each_has_its_own_report(tmp_path: Path) -> None:
    trial = await tried(
        tmp_path, "UPDATE plans SET price = 9 WHERE true;", "INSERT INTO plans VALUES ('free', 1);", "CREATE TABLE never (a);"
    )
    assert [(report.name, report.failure) for report in trial.files] == [
        ("0002_change.sql", ""),
        ("0003_change.sql", "UNIQUE constraint failed: plans.name"),
    ]
    assert trial.pending == ("0002_change.sql", "0003_change.sql", "0004_change.sql")
    assert "Applied in this run: 0002_change.sql. Pending: 0003_change.sql, 0004_change.sql" in trial.refusal[0]


@pytest.mark.parametrize(
    "sql",
    ["BEGIN;", "VACUUM;", "ATTACH 'x' AS y;", "PRAGMA journal_mode = WAL;", "SELECT load_extension('x');", "CREATE TEMP TABLE x (a);"],
)
async def test_what_d1_refuses_is_refused(tmp_path: Path, sql: str) -> None:
    assert (await tried(tmp_path, f"CREATE TABLE fine (a);\n{sql}")).refusal


async def test_damage_of_before_is_not_that_of_the_migrations(tmp_path: Path) -> None:
    broken = "PRAGMA foreign_keys = OFF; INSERT INTO orders VALUES (7777, 404, 1);"
    trial = await tried(tmp_path, "UPDATE plans SET price = 1 WHERE name = 'old' AND price <> 1;", rows=broken)
    assert (trial.passes, trial.references, trial.damage) == (True, (), ())


async def test_a_full_text_index_that_a_migration_leaves_behind_is_named(tmp_path: Path) -> None:
    tables = """CREATE TABLE docs (id INTEGER PRIMARY KEY, text);
        CREATE VIRTUAL TABLE found USING fts5(text, content='docs', content_rowid='id');"""
    rows = "INSERT INTO docs VALUES (1, 'one'), (2, 'two'); INSERT INTO found(found) VALUES ('rebuild');"
    trial = await tried(tmp_path, "UPDATE docs SET text = 'three' WHERE id = 2;", tables=tables, rows=rows)
    assert trial.damage == ("full-text table found does not fit its texts",)
    assert not trial.passes


async def test_the_copy_itself_stays_as_it_is(tmp_path: Path) -> None:
    trial = await tried(tmp_path, "DELETE FROM orders;")
    assert trial.copied
    before = trial.copied.path.read_bytes()
    await try_migrations(trial.copied, Attempt("crane-test", SchemaFiles(read_migrations(tmp_path / "migrations", "migrations")), "digest"))
    assert trial.copied.path.read_bytes() == before
    assert not (tmp_path / "copy.sqlite.trial").exists()


async def test_what_an_update_would_leave_is_kept_where_it_would_pass(tmp_path: Path) -> None:
    trial = await tried(tmp_path, "DELETE FROM orders WHERE id > 10;")
    assert trial.copied
    schema = SchemaFiles(read_migrations(tmp_path / "migrations", "migrations"))
    result = tmp_path / "result.sqlite"
    await try_migrations(trial.copied, Attempt("crane-test", schema, "digest", result=result))
    with apsw.Connection(str(result)) as db:
        assert db.execute("SELECT COUNT(*), (SELECT COUNT(*) FROM d1_migrations) FROM orders").fetchall() == [(10, 2)]
    (tmp_path / "migrations" / "0003_change.sql").write_text("CREATE UNIQUE INDEX by_plan ON users (plan);")
    schema = SchemaFiles(read_migrations(tmp_path / "migrations", "migrations"))
    refused = await try_migrations(trial.copied, Attempt("crane-test", schema, "digest", result=tmp_path / "none.sqlite"))
    assert (refused.passes, (tmp_path / "none.sqlite").exists()) == (False, False)


async def test_the_statement_that_fails_is_told_with_what_it_scans(tmp_path: Path) -> None:
    trial = await tried(tmp_path, "UPDATE users SET id = 1 WHERE plan = 'free';")
    assert [(one.number, one.scans) for one in trial.files[0].statements] == [(1, (("SCAN users", 1000),))]
    assert "    statement 1: SCAN users (1,000 rows)" in trial_lines(trial)
    assert "; statement 1: `SCAN users` (1,000 rows)" in trials_markdown("production", [trial], NONE)


class TestWhatIsShown:
    CANARY = "canary-8f1e"
    TABLES = "CREATE TABLE secrets (k TEXT PRIMARY KEY, v TEXT UNIQUE);"
    ROWS = "INSERT INTO secrets VALUES ('canary-8f1e-1', 'canary-8f1e'), ('canary-8f1e-2', 'canary-8f1e-9');"

    @pytest.mark.parametrize(
        "sql",
        [
            "UPDATE secrets SET v = 'x' || v WHERE true;\nDELETE FROM secrets WHERE k LIKE '%1';",
            "UPDATE secrets SET v = json_extract('{}', v) WHERE true;",
            "UPDATE secrets SET v = 'same' WHERE true;",
            "CREATE TABLE copies (k TEXT PRIMARY KEY, v CHECK (v > 5 AND v NOT LIKE 'canary%'));\nINSERT INTO copies SELECT * FROM secrets;",
            "INSERT OR REPLACE INTO secrets SELECT k, v || '!' FROM secrets;",
            "UPDATE secrets SET v = json(v) WHERE true;",
        ],
    )
    async def test_no_value_of_the_database_is_shown_anywhere(self, tmp_path: Path, sql: str) -> None:
        trial = await tried(tmp_path, sql.replace("canary%", "can%"), tables=self.TABLES, rows=self.ROWS)
        assert trial.files, trial.refusal
        texts = ["\n".join(trial_lines(trial)), json.dumps(trial_as_json(trial)), trials_markdown("production", [trial], NONE)]
        assert [text for text in texts if self.CANARY in text] == []

    async def test_keys_are_shown_on_request_only(self, tmp_path: Path) -> None:
        trial = await tried(tmp_path, "DELETE FROM secrets WHERE k LIKE '%1';", tables=self.TABLES, rows=self.ROWS, keys=True)
        assert "      deleted: canary-8f1e-1" in trial_lines(trial)
        assert self.CANARY not in trials_markdown("production", [trial], NONE)

    async def test_lines_for_a_person(self, tmp_path: Path) -> None:
        sql = "UPDATE orders SET total = 0 WHERE total > 9990;\nCREATE UNIQUE INDEX by_mail ON users (mail);"
        lines = trial_lines(await tried(tmp_path, "UPDATE plans SET price = 5 WHERE name = 'pro';", sql, "CREATE TABLE x (a);"))
        assert [re.sub(r"\(\d+\.\d s here\)", "(T)", line) for line in lines[:-2]] == [
            "crane-test: 2,006 rows of 7 tables copied, as of one moment",
            "  An update would refuse these files. They were tried all the same, as if the findings of lint were accepted.",
            "  0002_change.sql: would be applied (T)",
            "    plans: 4 rows before, 4 after: 1 changed",
            "  0003_change.sql: would fail: UNIQUE constraint failed: users.mail in statement 2 (T)",
            "    orders: 1,000 rows before, 1,000 after: 1 changed",
            "    in the way: 2 rows of users have a value that another row has too",
            "    statement 1: SCAN orders (1,000 rows)",
            "  0004_change.sql: not tried",
        ]

    async def test_the_table_in_the_summary_of_a_run(self, tmp_path: Path) -> None:
        trial = await tried(tmp_path, "DELETE FROM orders WHERE id = 3;\nINSERT INTO plans VALUES ('more', 1);")
        results = (
            CheckResult("shop", "version", passed=True, expected="200", came="status 200"),
            CheckResult("shop", "health", passed=False, expected="200", came="status 500"),
        )
        text = trials_markdown("production", [trial], Checked(results, ("a note",)))
        assert re.sub(r"\d+\.\d s here", "(T)", text).splitlines() == [
            "### Rehearsal on the rows of `production`",
            "",
            "| database | file | table | before | after | added | changed | overwritten | deleted |",
            "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
            "| `crane-test` | `0002_change.sql` | `orders` | 1,000 | 999 | 0 | 0 | 0 | 1 |",
            "| `crane-test` | `0002_change.sql` | `plans` | 4 | 5 | 1 | 0 | 0 | 0 |",
            "",
            "- `crane-test`: `0002_change.sql` took (T)",
            "- `crane-test`: foreign keys and integrity are sound at the end",
            "- `checks of the release on the local cloud: 1 of 2 passed`",
            "- `shop: check health: failed: expected 200; came: status 500`",
            "- `a note`",
        ]
