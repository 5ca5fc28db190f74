"""A folder of migrations becomes one ordered list of complete statements, or an error that names the file."""

# ruff: noqa: S608 - SQL that is only split, never run

import hashlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crane_infra.errors import MigrationError
from crane_infra.migrations.files.faults import content_fault
from crane_infra.migrations.files.read import SchemaFiles, read_migrations
from crane_infra.migrations.files.split import split_statements
from crane_infra.migrations.judgement import plan_for
from crane_infra.migrations.ledger import Ledger
from crane_infra.migrations.plan import make_plan
from tests.migrations.builders import SHOWN, applied, ledger, write_files


def refusal(folder: Path, files: dict[str, str | bytes]) -> str:
    """Why a database that is in use does not take the files."""
    read = write_files(folder, files)
    with pytest.raises(MigrationError) as caught:
        make_plan(read, Ledger(), "db")
    return str(caught.value)


def test_files_are_ordered_by_number_with_gaps_and_any_first_number(tmp_path: Path) -> None:
    """Row 13."""
    names = ["10_j.sql", "9_i.sql", "0007_g.sql", "0120_x.sql"]
    files = write_files(tmp_path, dict.fromkeys(names, "SELECT 1;"))
    assert [file.name for file in files] == ["0007_g.sql", "9_i.sql", "10_j.sql", "0120_x.sql"]
    assert [file.number for file in files] == [7, 9, 10, 120]
    assert files[0].path == f"{SHOWN}/0007_g.sql"


def test_quotes_blanks_and_unicode_in_a_name_are_kept(tmp_path: Path) -> None:
    names = ["0001_o'brien.sql", "0002_a b.sql", "0003_größe_表.sql"]
    assert [file.name for file in write_files(tmp_path, dict.fromkeys(names, "SELECT 1;"))] == names


def test_the_digest_is_over_the_exact_bytes(tmp_path: Path) -> None:
    contents = [b"SELECT 1;", b"SELECT 1;\n", b"SELECT 1;\r\n", b"SELECT  1;"]
    digests = [write_files(tmp_path, {"0001_a.sql": content})[0].sha256 for content in contents]
    assert digests == [hashlib.sha256(content).hexdigest() for content in contents]


def test_a_link_within_the_folder_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "shared.txt").write_text("SELECT 1;")
    (tmp_path / "0001_a.sql").symlink_to(tmp_path / "shared.txt")
    assert len(read_migrations(tmp_path, SHOWN)) == 1


def test_a_missing_folder_is_an_error_and_an_empty_one_is_not(tmp_path: Path) -> None:
    assert read_migrations(tmp_path, SHOWN) == ()
    with pytest.raises(MigrationError) as caught:
        read_migrations(tmp_path / "migratoins", SHOWN)
    assert str(caught.value) == f"{SHOWN}: the folder does not exist. Create it, or correct the path of the migrations in the catalog."


def test_a_name_that_cannot_be_printed_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MigrationError) as caught:
        write_files(tmp_path, {"0001_a\nb.sql": "SELECT 1;"})
    assert str(caught.value) == (
        f"{SHOWN}/0001_a b.sql: the name has characters that cannot be printed. Rename it, for example to 0001_create_users.sql."
    )


def test_a_link_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    outside = tmp_path / "outside.sql"
    outside.write_text("SELECT 1;")
    folder = tmp_path / "migrations"
    folder.mkdir()
    (folder / "0001_a.sql").symlink_to(outside)
    with pytest.raises(MigrationError) as caught:
        read_migrations(folder, SHOWN)
    assert str(caught.value) == f"{SHOWN}/0001_a.sql: it is a link to a file outside the folder. Put the file itself here."


TAKE_OUT = "is not allowed in a migration. Remove it: a file already runs as one transaction."
BAD: dict[str, tuple[str | bytes, str]] = {
    "empty": ("", "the file is empty. Write the migration, or delete the file; a comment alone is enough."),
    "blank": (" \r\n\t", "the file is empty. Write the migration, or delete the file; a comment alone is enough."),
    "BOM": (b"\xef\xbb\xbfSELECT 1;", "the file starts with a byte order mark. Save it as UTF-8 without a byte order mark."),
    "NUL": (b"SELECT 1;\0", "it has a NUL byte at offset 9. Save it as plain UTF-8 text."),
    "latin-1": ("SELECT 'ü';".encode("latin-1"), "it is not valid UTF-8 at offset 8. Save it as UTF-8."),
    "no semicolon": (
        "SELECT 1;\nDELETE FROM t",
        "the last statement is incomplete (DELETE FROM t). Complete it and end it with a semicolon.",
    ),
    "open string": (
        "INSERT INTO t VALUES ('a;);\n",
        "the last statement is incomplete (INSERT INTO t VALUES ('a;);). Complete it and end it with a semicolon.",
    ),
    "BEGIN": ("begin;", f"BEGIN {TAKE_OUT}"),
    "BEGIN without semicolon": ("BEGIN", f"BEGIN {TAKE_OUT}"),
    "COMMIT behind a comment": ("SELECT 1; -- so\n/* and; */ COMMIT;", f"COMMIT {TAKE_OUT}"),
    "END": ("END;", f"END {TAKE_OUT}"),
    "ROLLBACK": ("ROLLBACK TO a;", f"ROLLBACK {TAKE_OUT}"),
    "SAVEPOINT": ("SAVEPOINT a;", f"SAVEPOINT {TAKE_OUT}"),
    "RELEASE": ("RELEASE a;", f"RELEASE {TAKE_OUT}"),
    "ATTACH": ("ATTACH 'x' AS y;", "ATTACH is not allowed in a migration. Remove it: D1 has only one database."),
    "DETACH": ("DETACH y;", "DETACH is not allowed in a migration. Remove it: D1 has only one database."),
    "too long": (
        f"INSERT INTO t VALUES ('{'x' * 100_000}');",
        f"a statement has 100025 bytes, more than D1's limit of 100000 (INSERT INTO t VALUES ('{'x' * 37}…). Split it into smaller statements.",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_what_cannot_be_applied_as_written_is_refused_where_it_is_pending_and_taken_where_it_is_applied(tmp_path: Path, case: str) -> None:
    """Rows 14, 16 and 17."""
    content, text = BAD[case]
    assert refusal(tmp_path, {"0001_a.sql": content}) == f"{SHOWN}/0001_a.sql: {text}"
    (bad,) = read_migrations(tmp_path, SHOWN)
    plan = make_plan([bad], ledger(applied(bad, by_wrangler=True)), "db")
    assert (plan.adopt, plan.pending) == ((bad,), ())


@pytest.mark.parametrize("case", ["empty", "blank", "BOM"])
def test_an_empty_database_gets_what_can_be_applied_as_other_databases_have_it(tmp_path: Path, case: str) -> None:
    read = write_files(tmp_path, {"0001_a.sql": BAD[case][0], "0002_b.sql": "SELECT 2;"})
    assert plan_for("db", SchemaFiles(read), Ledger()).apply == read
    assert content_fault(b"\xef\xbb\xbfSELECT 1; DELETE FROM t", "x") == (
        "x",
        "the last statement is incomplete (DELETE FROM t)",
        "Complete it and end it with a semicolon",
    )


def test_an_applied_file_has_the_statements_that_the_database_got(tmp_path: Path) -> None:
    contents: list[bytes] = [b"\xef\xbb\xbfSELECT 1;", b"BEGIN TRANSACTION; SELECT 1; COMMIT;", b"SELECT 1", b""]
    statements = [write_files(tmp_path, {"0001_a.sql": content})[0].statements for content in contents]
    assert statements == [("SELECT 1",), ("SELECT 1",), ("SELECT 1",), ()]


def test_a_file_of_comments_is_a_migration_without_statements(tmp_path: Path) -> None:
    """Row 14."""
    assert write_files(tmp_path, {"0001_a.sql": "-- nothing to do; really\n/* BEGIN; */\n;"})[0].statements == ()


def test_a_statement_of_exactly_100_kb_is_taken(tmp_path: Path) -> None:
    statement = f"INSERT INTO t VALUES ('{'x' * (100_000 - 25)}')"
    assert write_files(tmp_path, {"0001_a.sql": f"{statement};"})[0].statements == (statement,)


def test_deferred_foreign_keys_and_words_in_strings_are_fine(tmp_path: Path) -> None:
    content = "PRAGMA defer_foreign_keys = ON; INSERT INTO t VALUES ('BEGIN, PRAGMA foreign_keys, CREATE TRIGGER');"
    (only,) = write_files(tmp_path, {"0001_a.sql": content})
    assert len(only.statements) == 2
    assert not only.needs_import


TRIGGER = "CREATE TRIGGER a AFTER INSERT ON t BEGIN\r\n SELECT CASE WHEN 1 THEN 2 END;\r\n DELETE FROM u;\r\nEND"
SPLITS = {
    "strings": (
        "INSERT INTO t VALUES (';', \"a;b\", [c;d], `e;`); SELECT 1;",
        ("INSERT INTO t VALUES (';', \"a;b\", [c;d], `e;`)", "SELECT 1"),
    ),
    "doubled quotes": ("SELECT 'it''s; ok'; SELECT 2;", ("SELECT 'it''s; ok'", "SELECT 2")),
    "comments": ("-- a;\nSELECT /* b; */ 1; /* c */ -- d\nSELECT 2; -- e", ("SELECT /* b; */ 1", "SELECT 2")),
    "CASE": ("SELECT CASE WHEN 1 THEN 'a' ELSE 'b' END; SELECT 2;", ("SELECT CASE WHEN 1 THEN 'a' ELSE 'b' END", "SELECT 2")),
    "CRLF": ("SELECT 1;\r\nSELECT\r\n2;\r\n", ("SELECT 1", "SELECT\r\n2")),
    "trigger": (f"{TRIGGER}; SELECT 3;", (TRIGGER, "SELECT 3")),
    "empty statements": (";; SELECT 1;;", ("SELECT 1",)),
}


@pytest.mark.parametrize("case", SPLITS)
def test_statements_end_where_sqlite_says(case: str) -> None:
    """Row 15."""
    text, statements = SPLITS[case]
    assert split_statements(text) == (statements, "")


@pytest.mark.parametrize(
    "start", ["CREATE TRIGGER", "create temp trigger", "CREATE /* ; */ TEMPORARY\nTRIGGER", "CREATE TRIGGER IF NOT EXISTS"]
)
def test_a_trigger_goes_through_import(tmp_path: Path, start: str) -> None:
    (only,) = write_files(tmp_path, {"0001_a.sql": f"{start} a AFTER INSERT ON t BEGIN DELETE FROM u; END;"})
    assert only.needs_import


PARTS = st.sampled_from(["SELECT 1", "SELECT ';'", 'SELECT ";" -- x;\n', "INSERT INTO t VALUES ('a''b;')", TRIGGER, "SELECT [;]"])
GAPS = st.sampled_from(["", "\n", " -- c;\n", "/* ; */", "\r\n"])


@given(st.lists(st.tuples(GAPS, PARTS), max_size=6), GAPS)
def test_splitting_what_was_joined_gives_the_parts_back(parts: list[tuple[str, str]], end: str) -> None:
    text = "".join(f"{gap}{part};" for gap, part in parts) + end
    assert split_statements(text) == (tuple(part.rstrip() for _, part in parts), "")
