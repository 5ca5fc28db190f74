"""Whatever Pulumi prints for a history is read, counted as unreadable, or refused in one line."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crane_infra.errors import SettingsError
from crane_infra.status.since import since_of
from crane_infra.status.updates import read_updates
from tests.status.samples import NOW
from tests.wrong_values import json_values

ENTRY = {
    "kind": "update",
    "startTime": "2026-11-28T21:10:14.000Z",
    "endTime": "2026-11-28T21:10:17.000Z",
    "message": "m",
    "result": "succeeded",
}


def test_entries_are_read_newest_first_and_those_that_cannot_be_read_are_counted() -> None:
    later = {**ENTRY, "startTime": "2026-11-29T00:00:00.000Z", "environment": {"git.head": "abc", "git.dirty": "true"}}
    updates = read_updates(
        json.dumps([ENTRY, later, {"kind": "update"}, {**ENTRY, "startTime": 5}, "x", {**ENTRY, "environment": []}]), "staging"
    )
    assert [update.commit for update in updates.read] == ["abc+changes", ""]
    assert updates.unreadable == 4


@pytest.mark.parametrize("text", ["", "null", "[]"])
def test_a_stack_that_never_ran_has_an_empty_history(text: str) -> None:
    assert read_updates(text, "staging").read == ()


@pytest.mark.parametrize("text", ["{}", "error", "[", "5"])
def test_something_else_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(SettingsError) as refused:
        read_updates(text, "staging")
    assert str(refused.value) == (
        "stack staging: its history cannot be read: it is not a list. This shows what Pulumi prints: "
        "pulumi stack history --json --stack staging."
    )


@given(st.lists(json_values))
def test_any_entries_are_read_or_counted(entries: list[object]) -> None:
    updates = read_updates(json.dumps(entries), "staging")
    assert len(updates.read) + updates.unreadable == len(entries)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-11-27", "2026-11-27T00:00:00+00:00"),
        ("2026-11-27T09:30", "2026-11-27T09:30:00+00:00"),
        ("7d", "2026-11-21T21:30:00+00:00"),
        ("90m", "2026-11-28T20:00:00+00:00"),
    ],
)
def test_since_is_a_date_a_time_or_an_age(text: str, moment: str) -> None:
    assert since_of(text, NOW).isoformat() == moment


@pytest.mark.parametrize("text", ["yesterday", "7", "999999w", "2026-13-01", "-1d", "\x1b[2J"])
def test_any_other_since_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(SettingsError) as refused:
        since_of(text, NOW)
    assert str(refused.value).endswith("is neither a date nor an age. Write for example 2026-11-28, 2026-11-28T09:00 or 7d.")


def test_a_history_is_whole_unless_as_many_entries_came_as_were_asked_for() -> None:
    text = json.dumps([ENTRY, ENTRY])
    assert [read_updates(text, "staging", newest).is_whole for newest in (None, 3, 2)] == [True, True, False]
