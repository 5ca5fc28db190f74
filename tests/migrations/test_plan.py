"""Files and ledger agree on one way forward, or the plan refuses and names the file."""

# ruff: noqa: S608 - texts for a person, never run

from dataclasses import replace
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crane_infra.errors import MigrationError
from crane_infra.migrations.files.read import MigrationFile
from crane_infra.migrations.ledger import Ledger, LedgerEntry, head_of
from crane_infra.migrations.plan import Plan, make_plan
from crane_infra.migrations.unfinished import StartedNotDoneError
from tests.migrations.builders import SHOWN, applied, file, ledger

DB = "crane-test-db-staging"
A, B, C = file("0001_a.sql"), file("0002_b.sql"), file("0010_c.sql")


def refusal(files: list[MigrationFile], of: Ledger) -> str:
    with pytest.raises(MigrationError) as caught:
        make_plan(files, of, DB)
    return str(caught.value)


def test_everything_is_pending_on_an_empty_database() -> None:
    assert make_plan([C, A, B], Ledger(), DB) == Plan(apply=(A, B, C))


def test_what_is_applied_is_not_applied_again() -> None:
    assert make_plan([A, B, C], ledger(applied(A), applied(B)), DB) == Plan(apply=(C,))
    assert make_plan([A], ledger(applied(A)), DB) == Plan()


def test_what_wrangler_applied_is_taken_over() -> None:
    assert make_plan([A, B, C], ledger(applied(A, by_wrangler=True), applied(B)), DB) == Plan(adopt=(A,), apply=(C,))


def test_an_edited_file_is_refused_with_both_digests() -> None:
    """Row 11."""
    edited = file("0001_a.sql", "9bc2aaaaffff")
    assert refusal([edited, B], ledger(applied(file("0001_a.sql", "3fa1bbbbffff")))) == (
        f"{SHOWN}/0001_a.sql: edited after it was applied to {DB} (recorded 3fa1bbbb, file 9bc2aaaa). "
        "Restore the file, including its line endings, or add a new migration. "
        "If it means what it meant before: crane migrations accept-edit -s <stack> -d <its name in the catalog>, for staging and then for production."
    )


def test_a_deleted_file_is_refused() -> None:
    assert refusal([B], ledger(applied(A), applied(B))) == (
        f"0001_a.sql: applied to {DB}, but the file is missing. Restore the file: applied migrations stay in the folder."
    )


def test_a_database_ahead_of_the_files_is_refused() -> None:
    assert refusal([A], ledger(applied(A), applied(B, by_wrangler=True))) == (
        f"0002_b.sql: in the ledger of {DB} but not among these files, so the database is ahead of them. "
        "Use the files of the release that applied it, or newer ones. In production, rollback-to goes back on purpose."
    )


@pytest.mark.parametrize("name", ["0001_z.sql", "0007_a.sql"])
def test_a_renamed_or_renumbered_file_is_refused(name: str) -> None:
    assert refusal([file(name, A.sha256)], ledger(applied(A))) == (
        f"{SHOWN}/{name}: applied to {DB} under the name 0001_a.sql. Rename it back to 0001_a.sql."
    )


def test_a_duplicate_number_is_refused() -> None:
    assert refusal([A, file("1_z.sql")], Ledger()) == (
        f"{SHOWN}/1_z.sql: the number 1 is taken by 0001_a.sql. Give the newer file the next free number."
    )


def test_a_file_that_sorts_before_the_last_applied_is_refused_unless_allowed() -> None:
    """Row 12."""
    state = ledger(applied(A), applied(C))
    assert refusal([A, B, C], state) == (
        f"{SHOWN}/0002_b.sql: pending, but sorts before 0010_c.sql, which {DB} already has. "
        "Give it the next free number, or set out-of-order for this database in the stack file."
    )
    assert make_plan([A, B, C], state, DB, out_of_order=True) == Plan(apply=(B,), out_of_order=(B,))


def test_everything_that_is_refused_is_named_at_once_in_the_order_of_the_files() -> None:
    late, edited = file("0001_late.sql"), file("0002_b.sql", "edited")
    bad = replace(file("0011_d.sql"), fault=(f"{SHOWN}/0011_d.sql", "the file is empty", "Write it"))
    text = refusal([bad, C, edited, late], ledger(applied(B), applied(C)))
    assert [line.partition(": ")[0].removeprefix(f"{SHOWN}/") for line in text.splitlines()] == [
        "0001_late.sql",
        "0002_b.sql",
        "0011_d.sql",
    ]
    gone = [line.partition(": ")[0] for line in refusal([C], ledger(applied(A), applied(B))).splitlines()]
    assert gone == ["0001_a.sql", "0002_b.sql"]


def test_many_refusals_fill_no_more_than_a_screen() -> None:
    files = [file(f"{number:04}_x.sql", "edited") for number in range(1, 61)]
    lines = refusal(files, ledger(*(applied(replace(one, sha256="was")) for one in files))).splitlines()
    assert (len(lines), lines[-1]) == (21, "40 more files or statements are refused.")


STUCK = LedgerEntry("0002_o'b.sql", listed=False, sha256="sha", origin="applied", bookmark="bookmark-7", started_at="2026-01-01T00:00:00Z")


@pytest.mark.parametrize("present", [True, False])
def test_a_file_started_and_never_done_is_refused_with_the_ways_out(present: bool) -> None:  # noqa: FBT001
    """Row 2: whether or not the file is still there."""
    late = file("0002_o'b.sql", "sha")
    with pytest.raises(StartedNotDoneError) as caught:
        make_plan([A, late] if present else [A], ledger(applied(A), STUCK), DB)
    assert str(caught.value) == (
        f"{late.path if present else late.name}: started in {DB} at 2026-01-01T00:00:00Z but never marked as done, so parts of it may have been applied. "
        f"Look at the schema, then do one of these: return to the state before it (wrangler d1 time-travel restore {DB} --bookmark=bookmark-7); "
        "or, if none of it was applied, run DELETE FROM crane_migrations WHERE name = '0002_o''b.sql'; "
        "or finish it by hand, then run INSERT INTO d1_migrations (name) VALUES ('0002_o''b.sql') unless that row exists, "
        "and UPDATE crane_migrations SET done_at = CURRENT_TIMESTAMP WHERE name = '0002_o''b.sql'."
    )


def test_a_file_taken_out_of_wranglers_table_is_refused() -> None:
    gone = LedgerEntry(A.name, listed=False, sha256=A.sha256, origin="applied", started_at="2026", done_at="2026")
    assert refusal([A], ledger(gone)) == (
        f"{SHOWN}/0001_a.sql: recorded as done in {DB}, but removed from d1_migrations. "
        "Restore the row: INSERT INTO d1_migrations (name) VALUES ('0001_a.sql'); to run its statements again, add a new migration."
    )


def test_an_empty_ledger_on_a_populated_database_is_refused() -> None:
    """Row 18."""
    assert refusal([A, B], Ledger(populated=True)) == (
        f"{DB}: it has tables but an empty ledger, so it is unknown whether {SHOWN}/0001_a.sql was applied. "
        "Run crane migrations baseline, which compares its schema with the files before it records them."
    )
    assert make_plan([], Ledger(populated=True), DB) == Plan()


def test_a_trigger_is_planned_like_any_other_file() -> None:
    trigger = file("0002_b.sql", statements=("CREATE TRIGGER x AFTER INSERT ON t BEGIN SELECT 1; END",))
    assert make_plan([A, trigger], ledger(applied(A)), DB) == Plan(apply=(trigger,))


# Random histories: some files, a first part of them applied by us or by wrangler, the rest pending.
FILES = st.lists(st.integers(0, 200), unique=True, max_size=8).map(lambda numbers: [file(f"{n:04}_{n % 3}.sql") for n in sorted(numbers)])
HISTORIES = FILES.flatmap(lambda files: st.tuples(st.just(files), st.lists(st.booleans(), max_size=len(files))))


@given(HISTORIES, st.randoms())
def test_a_plan_takes_each_file_once_and_in_order(history: tuple[list[MigrationFile], list[bool]], random: Random) -> None:
    files, by_wrangler = history
    entries = [applied(one, by_wrangler=flag) for one, flag in zip(files, by_wrangler, strict=False)]
    shuffled = list(files)
    random.shuffle(shuffled)
    plan = make_plan(shuffled, ledger(*entries, populated=bool(entries)), DB)
    assert plan.adopt == tuple(one for one, flag in zip(files, by_wrangler, strict=False) if flag)
    assert plan.apply == tuple(files[len(by_wrangler) :])
    after = ledger(*map(applied, files))
    assert make_plan(files, after, DB) == Plan()
    assert after.head == head_of(files)
    assert (ledger(*entries).head == head_of(files)) == (not plan.adopt and not plan.apply)


@given(HISTORIES.filter(lambda history: bool(history[1])), st.data())
def test_no_tampering_with_an_applied_file_goes_unseen(history: tuple[list[MigrationFile], list[bool]], data: st.DataObject) -> None:
    """Row 11: edited, deleted, renamed or renumbered; the error names the file."""
    files, flags = history
    index = data.draw(st.integers(0, len(flags) - 1))
    victim, state = files[index], ledger(*map(applied, files[: len(flags)]))
    changed = {
        "edited": [file(victim.name, "other")],
        "deleted": [],
        "renamed": [file(f"{victim.number:04}_zz.sql", victim.sha256)],
        "renumbered": [file(f"{(victim.number or 0) + 500:04}_0.sql", victim.sha256)],
    }[data.draw(st.sampled_from(["edited", "deleted", "renamed", "renumbered"]))]
    assert victim.name in refusal([*files[:index], *changed, *files[index + 1 :]], state)


@given(HISTORIES.filter(lambda history: len(history[0]) > len(history[1]) > 0), st.data())
def test_a_file_slipped_in_before_the_last_applied_is_always_refused(
    history: tuple[list[MigrationFile], list[bool]], data: st.DataObject
) -> None:
    """Row 12."""
    files, flags = history
    late = files[data.draw(st.integers(0, len(flags) - 1))]
    state = ledger(*(applied(one) for one in files[: len(flags) + 1] if one is not late))
    assert late.path in refusal(files, state)


@pytest.mark.parametrize("change", [{"done_at": None}, {"listed": False}, {"sha256": None}, {"sha256": "other"}])
def test_a_head_with_anything_unsettled_equals_no_files(change: dict[str, Any]) -> None:
    """A proof compares heads: a half-recorded file does not count as applied."""
    assert ledger(applied(A), applied(B)).head == head_of([B, A])
    assert ledger(applied(A), replace(applied(B), **change)).head != head_of([A, B])
    assert ledger(applied(A)).head != head_of([A, B])
