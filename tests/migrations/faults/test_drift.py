"""A database whose schema nobody can vouch for gets no migration: one without a ledger, and one that was changed by hand.

Cases 18 and 19.
"""

import pytest

from crane_infra.errors import MigrationError
from crane_infra.migrations.baseline import Claim, record_baseline
from crane_infra.migrations.drift import SchemaDiffersError
from crane_infra.migrations.files.read import SchemaFiles
from tests.migrations.faults.target import BOOKMARK, NAMES, Target

pytestmark = [pytest.mark.cloud, pytest.mark.npm]


@pytest.fixture
def populated(target: Target) -> Target:
    """A database that holds what the first two of three files make, with rows of its own, and no ledger."""
    for statement in ("CREATE TABLE t (x TEXT)", "INSERT INTO t VALUES ('mine')"):
        target.rows(statement)
    return target


async def test_tables_without_a_ledger_are_not_touched(populated: Target) -> None:
    """Case 18."""
    files = populated.files()
    with pytest.raises(MigrationError, match=rf"^{populated.name}: it has tables but an empty ledger.*crane migrations baseline"):
        await populated.run(files)
    assert populated.calls(BOOKMARK) == 0
    assert populated.rows("SELECT name FROM sqlite_master WHERE name LIKE '%migrations'") == []
    assert populated.rows("SELECT x FROM t") == [{"x": "mine"}]
    populated.ran_once(files[1:], ())


async def test_a_baseline_compares_the_schema_first_and_writes_nothing_where_it_differs(populated: Target) -> None:
    """Case 18: the third file widens the table, and it is not widened."""
    files = populated.files()
    with pytest.raises(SchemaDiffersError, match=r"\(table t\)") as caught:
        await record_baseline(populated.db, SchemaFiles(files), Claim())
    assert "-CREATE TABLE t (x TEXT, y TEXT);" in caught.value.diff
    assert "+CREATE TABLE t (x TEXT);" in caught.value.diff
    assert populated.rows("SELECT name FROM sqlite_master WHERE name LIKE '%migrations'") == []


async def test_a_baseline_that_agrees_is_recorded_without_running_anything_and_the_rest_is_applied(populated: Target) -> None:
    """Case 18."""
    files = populated.files()
    assert await record_baseline(populated.db, SchemaFiles(files), Claim("2")) == NAMES[:2]
    await populated.agrees(files)
    assert (await populated.run(files)).applied == NAMES[2:]
    assert populated.listed == NAMES
    assert populated.rows("SELECT x, y FROM t") == [{"x": "mine", "y": None}]
    populated.ran_once(files[1:], NAMES[2:])
    await populated.agrees(files)


BY_HAND = {
    "a column more": (
        "ALTER TABLE t ADD COLUMN by_hand TEXT",
        "ALTER TABLE t DROP COLUMN by_hand",
        "table t",
        "+CREATE TABLE t (x TEXT, by_hand",
    ),
    "an index more": ("CREATE INDEX by_hand ON t (x)", "DROP INDEX by_hand", "index by_hand", "+CREATE INDEX by_hand ON t (x)"),
    "a table gone": ("DROP TABLE t", "CREATE TABLE t (x TEXT)", "table t", "-CREATE TABLE t (x TEXT)"),
}


@pytest.mark.parametrize("how", BY_HAND)
async def test_a_schema_that_was_changed_by_hand_stops_the_run_before_the_first_file_and_is_shown(target: Target, how: str) -> None:
    """Case 19: once it is put back, the run goes on."""
    change, back, name, shown = BY_HAND[how]
    files = target.files()
    await target.run(files[:2])
    before = target.calls(BOOKMARK)
    target.rows(change)
    with pytest.raises(SchemaDiffersError, match=rf"^{target.name}: .*\({name}\), so nothing was applied"):
        await target.run(files)
    assert shown in "\n".join(target.log)
    assert (target.calls(BOOKMARK), target.listed) == (before, NAMES[:2])
    target.ran_once(files[1:], NAMES[:2])
    await target.agrees(files)
    target.rows(back)
    assert (await target.run(files)).applied == NAMES[2:]
    target.ran_once(files[1:], NAMES)
    await target.agrees(files)


async def test_what_was_accepted_is_no_difference_any_more(target: Target) -> None:
    """Case 19."""
    files = target.files()
    await target.run(files[:2])
    target.rows("CREATE INDEX by_hand ON t (x)")
    await record_baseline(target.db, SchemaFiles(files), Claim(accept=["index by_hand"]))
    assert (await target.run(files)).applied == NAMES[2:]
    target.ran_once(files, NAMES)
    await target.agrees(files)
