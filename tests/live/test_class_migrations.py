"""Which Durable Object migrations go with a version: the steps after the live tag, and once more what it carried for as long as nothing else changes."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crane_infra.config.class_migrations import ClassMigration, TransferredClass
from crane_infra.errors import LiveError
from crane_infra.live.class_migrations import Sending, again, sending
from crane_infra.release.outputs import SentMigrations

STEPS = (
    ClassMigration(tag="v1", new_sqlite_classes=("Room",)),
    ClassMigration(tag="v2", renamed_classes={"Room": "Hall"}, new_classes=("Log",)),
    ClassMigration(tag="v3", deleted_classes=("Log",), loses_objects=True),
)
SENT = SentMigrations(old="v1", new="v3", upload="same")


def sent(live: str | None, last: SentMigrations | None = None, upload: str = "same", count: int = 3) -> Sending | None:
    return sending("rooms", STEPS[:count], live, last, upload)


@pytest.mark.parametrize(("live", "tags"), [(None, ["v1", "v2", "v3"]), ("v1", ["v2", "v3"]), ("v2", ["v3"])])
def test_the_steps_after_the_live_tag_are_sent(live: str | None, tags: list[str]) -> None:
    found = sent(live)
    assert found
    assert [step.tag for step in found.steps] == tags
    assert (found.sent, found.is_pending) == (SentMigrations(old=live, new="v3", upload="same"), True)


def test_a_worker_whose_live_tag_is_the_last_one_gets_nothing() -> None:
    """As one that is adopted with the migrations that wrangler applied."""
    assert sent("v3") is None
    assert sending("rooms", (), "v3", None, "same") is None


def test_a_version_that_carried_them_carries_the_same_for_as_long_as_nothing_else_changes() -> None:
    first = sent("v1")
    assert first
    after = sent("v3", first.sent)
    assert after
    assert (after.steps, after.sent, after.is_pending) == (first.steps, first.sent, False)
    assert after.form(str) == first.form(str)


@pytest.mark.parametrize(
    ("live", "upload", "count"),
    [
        pytest.param("v3", "other code", 3, id="another version is uploaded"),
        pytest.param("v2", "same", 2, id="the worker was migrated otherwise since"),
    ],
)
def test_another_version_does_not_carry_them_again(live: str, upload: str, count: int) -> None:
    assert sent(live, SENT, upload, count) is None


def test_a_worker_that_was_deleted_gets_all_steps_again() -> None:
    found = sent(None, SENT)
    assert found
    assert (found.sent.old, found.is_pending) == (None, True)


def test_a_tag_that_the_catalog_does_not_have_is_refused() -> None:
    with pytest.raises(LiveError) as caught:
        sent("v3", count=2)
    assert str(caught.value) == (
        "worker rooms: its live Durable Object migration is v3, which class_migrations in the catalog does not have (v1, v2). "
        "Restore that step, in its place: steps are only ever added at the end."
    )
    with pytest.raises(LiveError, match="No release from before it can be put back: fix forward"):
        sending("rooms", STEPS[:2], "v3", None, "same", goes_back=True)


def test_a_record_of_other_steps_is_not_sent_again() -> None:
    assert again(STEPS[1:], SENT, "same") is None
    assert again(STEPS[:2], SENT, "same") is None


def test_a_request_has_the_names_of_the_api_and_of_the_scripts() -> None:
    step = ClassMigration(
        tag="v1",
        renamed_classes={"Room": "Hall"},
        transferred_classes=(TransferredClass(from_worker="chat", from_class="Log", to_class="Log"),),
    )
    found = sending("rooms", (step,), None, None, "same")
    assert found
    assert found.form(lambda worker: f"{worker}-staging") == {
        "new_tag": "v1",
        "steps": [
            {
                "renamed_classes": [{"from": "Room", "to": "Hall"}],
                "transferred_classes": [{"from": "Log", "from_script": "chat-staging", "to": "Log"}],
            }
        ],
    }
    assert found.summary == "v1 renames Room to Hall, takes Log of chat over as Log"


@st.composite
def histories(draw: st.DrawFn) -> list[tuple[int, str, str]]:
    """Updates of one worker: how many steps the catalog has by then, what else makes the version, and how the run ends."""
    counts = sorted(draw(st.lists(st.integers(0, 5), min_size=1, max_size=8)))
    ends = st.sampled_from(["fails before it serves", "fails its checks", "passes"])
    return [(count, draw(st.sampled_from("abc")), draw(ends)) for count in counts]


@given(histories())
def test_no_history_of_updates_makes_cloudflare_refuse_one_or_leaves_a_second_preview_with_a_change(
    updates: list[tuple[int, str, str]],
) -> None:
    """Cloudflare takes an upload only with the tag that the worker has, and applies a migration when its version is deployed."""
    steps = [ClassMigration(tag=f"v{number}", new_sqlite_classes=(f"C{number}",)) for number in range(1, 6)]
    tag: str | None = None
    state: tuple[str, dict[str, Any] | None] | None = None
    last: SentMigrations | None = None
    newest = released = 0

    def declares(count: int, upload: str) -> tuple[Sending | None, tuple[str, dict[str, Any] | None]]:
        found = sending("rooms", steps[:count], tag, last if newest == released else None, upload)
        return found, (upload, found.form(str) if found else None)

    for count, upload, end in updates:
        found, inputs = declares(count, upload)
        if inputs != state:
            newest += 1
            assert found is None or found.sent.old == tag
        state = inputs
        if found and end != "fails before it serves":
            tag = found.sent.new
        if end == "passes":
            released, last = newest, found.sent if found else None
            assert tag == (f"v{count}" if count else None)
            assert declares(count, upload)[1] == state
