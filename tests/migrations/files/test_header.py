"""A migration declares what it is in comments before its first statement; a wrong one is refused with its line."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crane_infra.errors import MigrationError
from crane_infra.migrations.files.header import Header, parse_header
from crane_infra.migrations.ledger import Ledger
from crane_infra.migrations.plan import make_plan
from tests.migrations.builders import SHOWN, write_files

FORMS = "Write -- crane: expand, -- crane: contract, -- crane: loses-rows TABLE or -- crane: overwrites-rows TABLE"


def refusal(text: str) -> str:
    with pytest.raises(MigrationError) as caught:
        parse_header(text, "0001_a.sql")
    return str(caught.value)


# What is read


@pytest.mark.parametrize(
    ("text", "header"),
    [
        ("SELECT 1;", Header()),
        ("-- crane is a bird\n-- see crane.sql: it says more\nSELECT 1;", Header()),
        ("-- crane: expand\nSELECT 1;", Header("expand")),
        ("  --crane:contract  \r\n\r\nSELECT 1;", Header("contract")),
        ("/* why */ -- crane: contract\n-- more words\n;\n-- crane: loses-rows a\nSELECT 1;", Header("contract", frozenset({"a"}))),
        (
            '-- crane: loses-rows Users, "odd name" ,c$1\n-- crane: loses-rows größe',
            Header(None, frozenset({"users", "odd name", "c$1", "größe"})),
        ),
        ("-- crane: expand", Header("expand")),
        ("INSERT INTO t VALUES ('\n-- crane: expand\n');", Header()),
        ('INSERT INTO t VALUES ("\n-- crane: nonsense\n");', Header()),
        ("SELECT 1; -- the crane: a bird", Header()),
        ("/* a\n-- crane: expand\n*/ SELECT 1;", Header()),
    ],
)
def test_a_header_is_read_from_the_comments_before_the_first_statement(text: str, header: Header) -> None:
    assert parse_header(text, "0001_a.sql") == header


def test_a_file_carries_its_header(tmp_path: Path) -> None:
    plain, contract = write_files(tmp_path, {"0001_a.sql": "SELECT 1;", "0002_b.sql": "-- crane: contract\nDROP TABLE t;"})
    assert (plain.header, contract.header) == (Header(), Header("contract"))


# What is refused


@pytest.mark.parametrize(
    "line",
    [
        "-- crane: expandd",
        "-- crane: Expand",
        "-- Crane: expand",
        "-- crane : expand",
        "-- crane expand",
        "-- crane:",
        "-- crane: expand contract",
        "-- crane: expand, contract",
        "-- crane: loses_rows t",
        "-- crane: loses-rowst",
        "/* crane: expand */",
    ],
)
def test_a_line_that_is_not_understood_is_refused_with_its_number(line: str) -> None:
    assert refusal(f"-- first\n\n{line}\nSELECT 1;") == f"0001_a.sql:3: {line} is not a known declaration. {FORMS}."


@pytest.mark.parametrize("names", ["", "a,", ", a", "a b", "1a", "a;", '""', "a.b"])
def test_loses_rows_without_proper_names_is_refused(names: str) -> None:
    line = f"-- crane: loses-rows {names}".rstrip()
    assert refusal(line) == f"0001_a.sql:1: {line} does not name a table. Name the tables, separated by commas: loses-rows a, b."


def test_what_is_said_twice_is_refused() -> None:
    assert refusal("-- crane: expand\n-- crane: expand\n") == "0001_a.sql:2: expand is declared twice. Remove one of them."
    assert refusal("-- crane: loses-rows a, A\n") == "0001_a.sql:1: loses-rows names a twice. Remove one of them."
    assert refusal('-- crane: loses-rows a\n-- crane: loses-rows b, "a"') == "0001_a.sql:2: loses-rows names a twice. Remove one of them."


def test_a_contradiction_is_refused() -> None:
    assert refusal("-- crane: expand\n-- crane: contract\n") == (
        "0001_a.sql:2: contract contradicts expand above. Split the file, and release the expand first."
    )


@pytest.mark.parametrize(
    "text",
    [
        "SELECT 1;\n-- crane: expand\n",
        "SELECT 1;\nSELECT\n2; -- crane: expand",
        "SELECT\n-- crane: expand\n1;",
        "CREATE TRIGGER x AFTER INSERT ON t BEGIN SELECT 1;\n-- crane: expand\nEND;",
    ],
)
def test_a_line_after_the_first_statement_is_refused(text: str) -> None:
    number = text[: text.index("-- crane")].count("\n") + 1
    assert refusal(text) == (f"0001_a.sql:{number}: -- crane: expand comes after the first statement. Move it above the first statement.")


def test_a_pending_file_with_a_malformed_header_is_refused_before_anything_else_is_done(tmp_path: Path) -> None:
    files = write_files(tmp_path / "migrations", {"0001_a.sql": "SELECT 1;", "0002_b.sql": "-- crane: contrakt\nDROP TABLE t;"})
    with pytest.raises(MigrationError, match=rf"^{SHOWN}/0002_b.sql:1: "):
        make_plan(files, Ledger(), "db")


@given(st.text(alphabet=st.sampled_from("-/*'\"`[]; \n\rcrane:expandloses-rows t,"), max_size=60))
def test_any_text_has_a_header_or_an_error_with_a_line(text: str) -> None:
    try:
        assert isinstance(parse_header(text, "f.sql"), Header)
    except MigrationError as error:
        name, _, line = error.where.partition(":")
        assert name == "f.sql"
        assert 1 <= int(line) <= text.count("\n") + 1
