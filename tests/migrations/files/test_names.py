"""Migrations have wrangler's order, whatever their names; a number that two of them have is refused where one is pending."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crane_infra.errors import MigrationError
from crane_infra.migrations.files.names import order_of
from crane_infra.migrations.files.read import SchemaFiles
from crane_infra.migrations.judgement import plan_for
from crane_infra.migrations.ledger import Ledger
from crane_infra.migrations.plan import make_plan
from tests.migrations.builders import SHOWN, applied, ledger, write_files

# Each list is in the order in which wrangler applies it.
FOLDERS = {
    "numbers of any length": ["1_a.sql", "2_b.sql", "10_c.sql", "0011_d.sql"],
    "without a name": ["001.sql", "002.sql"],
    "with dashes": ["0001-init.sql", "0002-users.sql", "0003 with blanks.sql"],
    "dates": ["2024-01-13-patch.sql", "2024-01-14-patch.sql", "2024-02-01.sql"],
    "time stamps": ["20240113093000_init.sql", "20240114093000_users.sql"],
    "words": ["add_users.sql", "init.sql"],
    "numbers before words": ["0001_a.sql", "2_b.sql", "init.sql"],
    "folders": ["0000_init/migration.sql", "0001_users/migration.sql"],
    "files and folders": ["0000_init.sql", "0001_users/migration.sql", "0002_last.sql"],
    "signs and strange numbers": ["-1_a.sql", "0_b.sql", "+2_c.sql", "_3_d.sql", "v1_e.sql", "٣_f.sql"],
}


@pytest.mark.parametrize("case", FOLDERS)
def test_every_name_that_wrangler_takes_is_taken_in_its_order(tmp_path: Path, case: str) -> None:
    names = FOLDERS[case]
    files = write_files(tmp_path / "migrations", dict.fromkeys(reversed(names), "SELECT 1;"))
    assert [file.name for file in files] == names
    assert [file.name for file in make_plan(files, Ledger(), "db").apply] == names


def test_a_doubled_number_is_refused_however_it_is_written(tmp_path: Path) -> None:
    for first, second in (("0003_a.sql", "3_b.sql"), ("3 a.sql", "3-b.sql"), ("0003.sql", "0003_b.sql"), ("3_a.sql", "3_b/migration.sql")):
        files = write_files(tmp_path / "migrations", {"0001_a.sql": "SELECT 1;", first: "SELECT 1;", second: "SELECT 1;"})
        with pytest.raises(MigrationError) as caught:
            make_plan(files, ledger(applied(files[0])), "db")
        assert str(caught.value) == f"{SHOWN}/{second}: the number 3 is taken by {first}. Give the newer file the next free number."


def test_doubled_numbers_that_a_ledger_lists_are_taken_as_they_are(tmp_path: Path) -> None:
    files = write_files(tmp_path / "migrations", dict.fromkeys(["0003_a.sql", "0003_b.sql", "0004_c.sql"], "SELECT 1;"))
    has_both = ledger(*(applied(file, by_wrangler=True) for file in files[:2]))
    assert [file.name for file in make_plan(files, has_both, "db").apply] == ["0004_c.sql"]
    has_one = ledger(applied(files[1], by_wrangler=True))
    with pytest.raises(MigrationError, match=r"0003_a.sql: .*"):
        make_plan(files, has_one, "db", out_of_order=True)


def test_an_empty_database_gets_both_files_of_a_number_which_other_databases_have_had_for_long(tmp_path: Path) -> None:
    files = write_files(tmp_path / "migrations", dict.fromkeys(["0003_b.sql", "3_a.sql", "0004_c.sql"], "SELECT 1;"))
    assert [file.name for file in plan_for("db", SchemaFiles(files), Ledger()).apply] == ["0003_b.sql", "3_a.sql", "0004_c.sql"]
    on_the_way = ledger(applied(files[0]))
    assert [file.name for file in plan_for("db", SchemaFiles(files, began_empty=True), on_the_way).apply] == ["3_a.sql", "0004_c.sql"]
    after_a_failed_first_update = plan_for("db", SchemaFiles(files, in_use=False), on_the_way)
    assert [file.name for file in after_a_failed_first_update.apply] == ["3_a.sql", "0004_c.sql"]
    by_wrangler = ledger(applied(files[0], by_wrangler=True))
    for schema, known in ((SchemaFiles(files), on_the_way), (SchemaFiles(files, in_use=False), by_wrangler)):
        with pytest.raises(MigrationError, match=r"3_a.sql: the number 3 is taken by 0003_b.sql"):
            plan_for("db", schema, known)


def test_a_file_is_late_by_its_place_not_by_its_number(tmp_path: Path) -> None:
    files = write_files(tmp_path / "migrations", dict.fromkeys(["2024-01-13-a.sql", "2024-01-14-b.sql", "2024-02-01-c.sql"], "SELECT 1;"))
    assert [file.name for file in make_plan(files, ledger(applied(files[0]), applied(files[1])), "db").apply] == ["2024-02-01-c.sql"]
    with pytest.raises(MigrationError, match=r"2024-01-13-a.sql: pending, but sorts before 2024-01-14-b.sql"):
        make_plan(files, ledger(applied(files[1])), "db")


PARTS = st.text(st.sampled_from("019_-. aé𐀀\uffff"), min_size=1, max_size=6)


@given(st.lists(PARTS, min_size=2, max_size=2))
def test_names_are_compared_as_javascript_compares_them(names: list[str]) -> None:
    first, second = (name.replace("/", "") for name in names)
    numbered = [(_leading(name) is None, _leading(name) or 0, name.encode("utf-16-be")) for name in (first, second)]
    assert (order_of(first) < order_of(second)) == (numbered[0] < numbered[1])


def _leading(name: str) -> int | None:
    """``parseInt(name, 10)``: blanks, a sign, digits."""
    text = name.lstrip()
    sign, digits = (text[:1], text[1:]) if text[:1] in {"+", "-"} else ("", text)
    count = next((index for index, letter in enumerate(digits) if letter not in "0123456789"), len(digits))
    return int(sign + digits[:count]) if count else None
