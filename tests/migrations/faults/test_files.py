"""What is wrong with a file is found before anything is changed; what is unusual about one arrives as it is written.

Cases 11 to 17, on a database that has a ledger. tests/migrations/files/test_read.py and test_plan.py have every refusal and its whole text.
"""

# ruff: noqa: S608 - SQL of the tests themselves

from collections.abc import Mapping

import pytest

from crane_infra.errors import MigrationError
from tests.migrations.builders import SHOWN
from tests.migrations.faults.target import BOOKMARK, NAMES, QUERY, THREE, Files, Target

pytestmark = [pytest.mark.cloud, pytest.mark.npm]

FIRST, SECOND, LAST = NAMES
MAKE = THREE[FIRST]
TAMPERED: dict[str, tuple[dict[str, str], str]] = {
    "edited": ({**THREE, FIRST: "CREATE TABLE t (x INTEGER);"}, f"^{SHOWN}/{FIRST}: edited after it was applied"),
    "white space": ({**THREE, FIRST: f"{MAKE} "}, f"^{SHOWN}/{FIRST}: edited after it was applied"),
    "line ends": ({**THREE, FIRST: f"{MAKE}\r\n"}, f"^{SHOWN}/{FIRST}: edited after it was applied"),
    "deleted": ({SECOND: THREE[SECOND], LAST: THREE[LAST]}, f"^{FIRST}: applied to .* but the file is missing"),
    "renamed": (
        {"0001_other.sql": MAKE, SECOND: THREE[SECOND], LAST: THREE[LAST]},
        rf"/0001_other.sql: applied to .* under the name {FIRST}",
    ),
    "renumbered": (
        {"0011_make.sql": MAKE, SECOND: THREE[SECOND], LAST: THREE[LAST]},
        rf"/0011_make.sql: applied to .* under the name {FIRST}",
    ),
}


@pytest.mark.parametrize("how", TAMPERED)
async def test_a_file_that_was_tampered_with_is_refused_and_nothing_is_written(target: Target, three: Files, how: str) -> None:
    """Case 11."""
    await target.run(three[:2])
    before = target.calls(BOOKMARK)
    content, words = TAMPERED[how]
    with pytest.raises(MigrationError, match=words):
        await target.run(target.files(content))
    assert target.calls(BOOKMARK) == before
    target.files()
    await target.holds(three, NAMES[:2])


async def test_a_file_that_sorts_before_the_last_is_refused_unless_that_is_allowed(target: Target) -> None:
    """Case 12."""
    late = {**THREE, "0003_late.sql": "CREATE TABLE late (x TEXT);"}
    await target.run(target.files())
    files = target.files(late)
    with pytest.raises(MigrationError, match=rf"^{SHOWN}/0003_late.sql: pending, but sorts before {LAST}"):
        await target.run(files)
    await target.holds(files, NAMES)
    assert (await target.run(files, out_of_order=True)).applied == ("0003_late.sql",)
    assert f"{target.name}: 0003_late.sql runs out of order, as the stack file allows" in target.log
    await target.holds(files, (*NAMES, "0003_late.sql"))


async def test_gaps_quotes_unicode_and_numbers_of_any_length_are_right(target: Target) -> None:
    """Cases 13 and 14: 10 comes after 9, and a file of comments is a migration."""
    content = {
        "7_first.sql": "CREATE TABLE t (x TEXT);",
        "9_o'brien.sql": "INSERT INTO t VALUES ('it''s');",
        "10_größe_表.sql": "INSERT INTO t VALUES ('表');",
        "0120_nothing.sql": "-- nothing to do; really\n/* BEGIN; */",
    }
    files = target.files(content)
    assert (await target.run(files)).applied == tuple(content)
    assert target.listed == tuple(content)
    await target.holds(files, tuple(content))
    assert target.rows("SELECT x FROM t") == [{"x": "it's"}, {"x": "表"}]


REFUSED: dict[str, tuple[Mapping[str, str | bytes], str]] = {
    "two with one number": ({"0002_a.sql": "SELECT 1;", "2_b.sql": "SELECT 1;"}, "the number 2 is taken by 0002_fill.sql"),
    "empty": ({"0001_a.sql": " \n"}, "the file is empty"),
    "no semicolon": ({"0001_a.sql": "DELETE FROM t"}, "the last statement is incomplete"),
    "BOM": ({"0001_a.sql": b"\xef\xbb\xbfSELECT 1;"}, "starts with a byte order mark"),
    "NUL": ({"0001_a.sql": b"SELECT 1;\0"}, "a NUL byte at offset 9"),
    "BEGIN": ({"0001_a.sql": "BEGIN; SELECT 1; COMMIT;"}, "BEGIN is not allowed in a migration"),
    "ATTACH": ({"0001_a.sql": "ATTACH 'x' AS y;"}, "ATTACH is not allowed in a migration"),
    "too long": ({"0001_a.sql": f"SELECT '{'x' * 100_000}';"}, "a statement has 100009 bytes, more than D1's limit of 100000"),
}


@pytest.mark.parametrize("how", REFUSED)
async def test_what_cannot_be_applied_is_refused_before_anything_is_written(target: Target, three: Files, how: str) -> None:
    """Cases 13, 14, 16 and 17."""
    await target.run(three)
    before = target.calls(BOOKMARK)
    content, words = REFUSED[how]
    with pytest.raises(MigrationError, match=words):
        await target.run(target.files({**THREE, **content}))
    assert target.calls(BOOKMARK) == before
    target.files()
    await target.holds(three, NAMES)


async def test_a_link_out_of_the_folder_is_refused_before_any_call(target: Target, three: Files) -> None:
    """Case 13."""
    outside = target.folder.parent / "outside.sql"
    outside.write_text("SELECT 1;")
    (target.folder / "0011_link.sql").symlink_to(outside)
    with pytest.raises(MigrationError, match=r"/0011_link\.sql: it is a link to a file outside the folder"):
        await target.run(target.read())
    assert target.calls(QUERY) == 0
    target.files()
    await target.holds(three, ())


BODY = "UPDATE t SET b = CASE WHEN a = 3 THEN ';' ELSE 'x' END WHERE a = new.a; INSERT INTO seen VALUES ('a;b')"
WRITTEN = {
    "plain": f"CREATE TRIGGER tr AFTER INSERT ON t BEGIN {BODY}; END",
    "lower case": f"create trigger tr after insert on t begin {BODY}; end",
    "CRLF": f"CREATE TRIGGER tr AFTER INSERT ON t\r\nBEGIN\r\n  {BODY.replace('; ', ';{}').format(chr(13) + chr(10))};\r\nEND",
    "comments": f"CREATE TRIGGER tr AFTER INSERT ON t BEGIN -- first; then\n {BODY} /* ; END; */; END",
}


@pytest.mark.parametrize("how", WRITTEN)
async def test_a_trigger_works_however_it_is_written_under_the_splitter_of_production(target: Target, how: str) -> None:
    """Case 15: the local cloud's splitter is at its strictest, all its known faults are on."""
    content = {
        "0001_t.sql": "CREATE TABLE t (a INTEGER, b TEXT); CREATE TABLE seen (x TEXT);",
        "0002_trigger.sql": f"{WRITTEN[how]};",
        "0003_row.sql": "INSERT INTO t VALUES (3, 'semi;colon'); INSERT INTO t VALUES (4, '-- ; no comment');",
    }
    files = target.files(content)
    assert (await target.run(files)).applied == tuple(content)
    await target.holds(files, tuple(content))
    assert target.rows("SELECT a, b FROM t") == [{"a": 3, "b": ";"}, {"a": 4, "b": "x"}]
    assert target.rows("SELECT x FROM seen") == [{"x": "a;b"}] * 2


async def test_five_hundred_statements_and_one_of_100_kb_are_not_cut(target: Target) -> None:
    """Case 17: one request each."""
    longest = f"INSERT INTO t VALUES ('{'x' * (100_000 - 25)}')"
    content = {
        "0001_t.sql": "CREATE TABLE t (x TEXT);",
        "0002_many.sql": "INSERT INTO t VALUES ('many');\n" * 500,
        "0003_long.sql": f"{longest};",
    }
    files = target.files(content)
    assert (await target.run(files)).applied == tuple(content)
    assert target.rows("SELECT count(*) AS n, max(length(x)) AS longest FROM t") == [{"n": 501, "longest": 99_975}]
    await target.holds(files, tuple(content))
