"""What D1 refuses and SQLite takes is found before anything is sent, with D1's reason; the workerd of the local cloud is asked, too."""

# ruff: noqa: S608 - SQL in memory, made by the tests themselves

import pytest

from tests.cloud import Api
from tests.migrations.lint.linting import Lint, errors

TABLE = "CREATE TABLE t (a INTEGER, b TEXT); CREATE TABLE busy (x INTEGER);"
VALUES = "INSERT INTO t (a, b) VALUES {};"


def terms(count: int) -> str:
    return " UNION ".join(f"SELECT {number}" for number in range(count))


def columns(count: int) -> str:
    return ", ".join(f"c{number}" for number in range(count))


REFUSED = {
    "six terms": f"CREATE TABLE u AS {terms(6)};",
    "six terms in a view": f"CREATE VIEW v AS {terms(6)};",
    "six terms of UNION ALL": f"INSERT INTO t (a) {terms(6).replace('UNION', 'UNION ALL')};",
    "101 columns": f"CREATE TABLE wide ({columns(101)});",
    "a deep expression": f"UPDATE t SET a = {' + '.join(['1'] * 101)} WHERE a = 1;",
    "128 arguments": f"UPDATE t SET a = coalesce({', '.join(['1'] * 128)}) WHERE a = 1;",
    "a long list of VALUES": VALUES.format(", ".join(["(1, 'x')"] * 7_165)),
    "a TEMP table": "CREATE TEMP TABLE u (a);",
    "a TEMP view": "CREATE TEMPORARY VIEW u AS SELECT 1;",
    "a TEMP trigger": "CREATE TEMP TRIGGER u AFTER INSERT ON t BEGIN SELECT 1; END;",
    "VACUUM": "VACUUM;",
    "VACUUM INTO": "VACUUM INTO 'copy';",
    "a long pattern": f"DELETE FROM t WHERE b LIKE '{'a' * 51}';",
    "a long pattern in brackets": f"DELETE FROM t WHERE b NOT LIKE ('{'é' * 26}');",
    "a long pattern of GLOB": f"DELETE FROM t WHERE b GLOB '{'a' * 51}';",
    "a function of SQLite": "UPDATE t SET b = sqlite_version() WHERE a = 1;",
    "a function of mathematics": "UPDATE t SET a = power(a, 2) WHERE a = 1;",
    "a function of JSON": "UPDATE t SET b = json_pretty(b) WHERE a = 1;",
    "a function in an index": "CREATE INDEX i ON t (ceiling(a));",
    "a function in a CHECK": "CREATE TABLE u (a CHECK (log10(a) > 1));",
    "another module": "CREATE VIRTUAL TABLE u USING fts4 (a);",
    "a PRAGMA as a table": "CREATE TABLE u AS SELECT * FROM pragma_user_version;",
    "a name of D1": "CREATE TABLE _cf_mine (a);",
    "a column with NOT NULL afterwards": "ALTER TABLE t ALTER COLUMN b SET NOT NULL;",
    "a CHECK afterwards": "ALTER TABLE t ADD CONSTRAINT positive CHECK (a > 0);",
}
TAKEN = {
    "five terms": f"CREATE TABLE u AS {terms(5)};",
    "100 columns": f"CREATE TABLE wide ({columns(100)});",
    "a deep but allowed expression": f"UPDATE t SET a = {' + '.join(['1'] * 100)} WHERE a = 1;",
    "127 arguments": f"UPDATE t SET a = coalesce({', '.join(['1'] * 127)}) WHERE a = 1;",
    "as many VALUES as fit": VALUES.format(", ".join(["(1, 'x')"] * 7_164)),
    "a pattern that just fits": f"DELETE FROM t WHERE b LIKE '{'a' * 50}';",
    "a pattern of many bytes that fits": f"DELETE FROM t WHERE b LIKE '{'é' * 25}';",
    "the word LIKE in a text": f"UPDATE t SET b = 'LIKE' || '{'a' * 60}' WHERE a = 1;",
    "functions that it has": "UPDATE t SET b = concat(json(b), unixepoch(), ceil(a), iif(a, 1, 2)) WHERE a = 1;",
    "window functions": "CREATE VIEW v AS SELECT rank() OVER (ORDER BY a) AS n, lag(b) OVER () AS o FROM t;",
    "FTS5 and its functions": "CREATE VIRTUAL TABLE u USING fts5 (b); CREATE VIEW v AS SELECT highlight(u, 0, '<', '>') AS h FROM u ('x');",
    "ANALYZE and REINDEX": "ANALYZE; REINDEX t;",
    "STRICT": "CREATE TABLE u (a ANY) STRICT;",
    "every change of a table": "ALTER TABLE busy ADD COLUMN y; CREATE INDEX i ON busy (y);",
    "a table of JSON": "CREATE TABLE u AS SELECT value FROM json_each('[1]');",
}


@pytest.mark.parametrize("sql", REFUSED.values(), ids=REFUSED)
def test_what_d1_refuses_is_an_error_at_its_statement(judge: Lint, sql: str) -> None:
    assert errors(judge(f"SELECT 1; {sql} SELECT 2;", before=TABLE)) == [("refused-by-d1", 2)]


@pytest.mark.parametrize("sql", TAKEN.values(), ids=TAKEN)
def test_what_d1_takes_is_none(judge: Lint, sql: str) -> None:
    assert errors(judge(sql, before=TABLE)) == []


@pytest.mark.parametrize("pragma", ["user_version = 3", "journal_mode = WAL", "writable_schema = 1", "page_size = 4096", "integrity_check"])
def test_a_pragma_that_d1_refuses_is_an_error(judge: Lint, pragma: str) -> None:
    assert errors(judge(f"PRAGMA {pragma};")) == [("refused-by-d1", 1)]


def test_the_reason_and_the_way_on_are_told(judge: Lint) -> None:
    (finding,) = judge(f"CREATE VIEW v AS {terms(6)};", before=TABLE)
    assert str(finding) == (
        "workers/x/migrations/0002_f.sql, statement 1: D1 takes at most 5 terms in a compound SELECT (UNION, INTERSECT, EXCEPT): "
        "CREATE VIEW v AS SELECT 0 UNION SELECT 1 UNION SELECT 2 UNIO…. Split it into statements of at most 5 terms. (refused-by-d1)"
    )


def test_the_statements_after_it_are_judged_as_if_it_had_run(judge: Lint) -> None:
    found = judge(f"CREATE TABLE u AS {terms(6)}; INSERT INTO u VALUES (7); CREATE UNIQUE INDEX i ON t (b);", before=TABLE)
    assert errors(found) == [("refused-by-d1", 1), ("contract-not-declared", 3)]


def test_a_table_that_a_later_column_makes_too_wide_is_refused(judge: Lint) -> None:
    before = f"CREATE TABLE wide ({columns(100)});"
    assert errors(judge("ALTER TABLE wide ADD COLUMN one_more;", before=before)) == [("refused-by-d1", 1)]


def test_a_file_that_d1_has_taken_already_is_not_judged_again(judge: Lint) -> None:
    before = f"CREATE TABLE u AS {terms(6)}; CREATE INDEX i ON u (ceiling(2));"
    assert judge("ALTER TABLE u ADD COLUMN b;", before=before) == ()


# The engine itself


@pytest.mark.cloud
def test_the_workerd_of_the_local_cloud_agrees(api: Api) -> None:
    assert [name for name, sql in REFUSED.items() if _takes(api, sql)] == []
    assert [name for name, sql in TAKEN.items() if not _takes(api, sql)] == []


def _takes(api: Api, sql: str) -> bool:
    """Whether D1 runs the statements on a table with one row."""
    database = api.database()
    api.query(database, f"{TABLE} INSERT INTO t VALUES (1, '1');")
    return bool(api.call("POST", f"/d1/database/{database}/query", {"sql": sql}).json()["success"])
