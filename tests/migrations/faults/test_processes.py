"""Processes that migrate one database at once: each file is applied once, by one of them, and every one ends well.

Cases 10 and 20. ``make soak`` plays more rounds.
"""

# ruff: noqa: S608 - SQL of the tests themselves

from concurrent.futures import ThreadPoolExecutor

import pytest

from local_cloud.daemon import Running
from tests.migrations.faults.conftest import Make
from tests.migrations.faults.processes import migrators, until
from tests.migrations.faults.target import NAMES, QUERY, ROUNDS, THREE, Files, Target

pytestmark = [pytest.mark.cloud, pytest.mark.npm]

RUNNERS = 5
TRIGGER = "CREATE TRIGGER tr AFTER INSERT ON t BEGIN INSERT INTO seen VALUES (new.x || ';'); END;"
# Each of them is seen if it runs twice: it fails, or it leaves a row more.
MANY = {
    "0001_t.sql": "CREATE TABLE t (x INTEGER); CREATE TABLE seen (x TEXT);",
    **{f"{number:04}_row.sql": f"INSERT INTO t VALUES ({number});" for number in range(2, 7)},
    "0007_trigger.sql": TRIGGER,
    "0008_row.sql": "INSERT INTO t VALUES (8); UPDATE t SET x = x + 100 WHERE x = 8;",
    "0009_index.sql": "CREATE INDEX by_x ON t (x);",
}
ROWS = [{"x": 2}, {"x": 3}, {"x": 4}, {"x": 5}, {"x": 6}, {"x": 108}]


async def settled(target: Target, files: Files) -> None:
    """Everything is there once."""
    await target.holds(files, tuple(MANY))
    assert target.rows("SELECT x FROM t ORDER BY x") == ROWS
    assert target.rows("SELECT x FROM seen") == [{"x": "8;"}]


async def test_five_processes_apply_each_file_once_and_end_well(cloud: Running, make: Make) -> None:
    """Case 10: in every round they begin together on a new database."""
    first = make()
    files = first.files(MANY)
    with migrators(cloud, first.folder, RUNNERS) as running:
        for number in range(ROUNDS):
            target = first if number == 0 else make()
            target.folder = first.folder
            target.faults.reset()
            for one in running:
                one.begin(target.id, target.name)
            assert [one.ends() for one in running] == ["ended well"] * RUNNERS
            assert sorted(name for one in running for name in one.applied(target.name)) == sorted(MANY)
            await settled(target, files)
        assert [one.leaves() for one in running] == [0] * RUNNERS


async def test_wrangler_among_them_does_not_make_a_file_run_twice(cloud: Running, target: Target) -> None:
    """Cases 10 and 20: wrangler may lose, it has no way to; it takes no trigger either, so they are left out."""
    plain = {name: sql for name, sql in MANY.items() if "TRIGGER" not in sql}
    files = target.files(plain)
    with migrators(cloud, target.folder, RUNNERS - 1) as running, target.faults.latency(QUERY, 0.03), ThreadPoolExecutor(1) as thread:
        wrangler = thread.submit(target.by_wrangler, "apply", check=False)
        until(lambda: target.calls(QUERY) or wrangler.done(), "wrangler's first call")
        for one in running:
            one.begin(target.id, target.name)
        assert [one.ends() for one in running] == ["ended well"] * len(running)
        wrangler.result()
    await target.run(files)
    await target.holds(files, tuple(plain))
    assert target.rows("SELECT x FROM t ORDER BY x") == ROWS


@pytest.mark.parametrize("by", ["wrangler", "another run"])
async def test_a_file_that_is_applied_between_our_read_and_our_write_is_not_applied_again(cloud: Running, target: Target, by: str) -> None:
    """Case 20: we have planned three files, and are held; somebody applies all of them; our token stops us, and we go on."""
    files = target.files()
    with migrators(cloud, target.folder, words="pending; to return to the state before them") as (held,):
        held.begin(target.id, target.name)
        held.hears("3 pending")
        if by == "wrangler":
            target.by_wrangler("apply")
        else:
            await target.run(files)
        held.go_on()
        assert held.ends() == "ended well"
        assert held.applied(target.name) == []
        assert f"{target.name}: another run applied {NAMES[0]} in the meantime" in held.output
    await target.holds(files, NAMES)


async def test_another_file_that_wrangler_applies_in_between_stops_us(cloud: Running, target: Target) -> None:
    """Case 20: what was planned no longer holds, although the name of our file is free."""
    files = target.files()
    with migrators(cloud, target.folder, words="pending; to return to the state before them") as (held,):
        held.begin(target.id, target.name)
        held.hears("3 pending")
        (target.folder / "0001_other.sql").write_text("CREATE TABLE other (x);")
        for name in THREE:
            (target.folder / name).unlink()
        target.by_wrangler("apply")
        held.go_on()
        assert held.ends().startswith("error: 0001_other.sql: applied to ")
    target.ran_once(files, ())
    assert target.listed == ("0001_other.sql",)
