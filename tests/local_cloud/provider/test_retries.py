"""When the stand-in sends a call again, and how long it waits before that."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from local_cloud.provider.retries import ATTEMPTS, is_sent_again, pause_seconds

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def in_seconds(seconds: float) -> str:
    """An HTTP date."""
    return format_datetime(NOW + timedelta(seconds=seconds), usegmt=True)


@pytest.mark.parametrize("status", [408, 409, 429, 500, 501, 503, 520, 599])
def test_a_failure_that_may_pass_is_sent_again(status: int) -> None:
    assert is_sent_again(status, {})


@pytest.mark.parametrize("status", [200, 201, 302, 400, 401, 403, 404, 422])
def test_any_other_reply_is_final(status: int) -> None:
    assert not is_sent_again(status, {})


def test_the_api_can_ask_for_another_attempt_or_for_none() -> None:
    assert is_sent_again(400, {"x-should-retry": "true"})
    assert not is_sent_again(500, {"x-should-retry": "false"})
    assert is_sent_again(500, {"x-should-retry": "perhaps"})


def test_pauses_double_up_to_half_a_minute() -> None:
    assert [pause_seconds(attempt, {}, NOW, 0) for attempt in range(ATTEMPTS - 1)] == [2, 4, 8, 16, 30, 30, 30, 30, 30, 30]


def test_chance_takes_up_to_a_quarter_off_a_pause() -> None:
    assert [pause_seconds(attempt, {}, NOW, 1) for attempt in (0, 3, 9)] == [1.5, 12, 22.5]


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "3"}, 3),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after": in_seconds(20)}, 20),
        ({"retry-after-ms": "250", "retry-after": "9"}, 0.25),
    ],
)
def test_a_reply_sets_the_pause(headers: dict[str, str], seconds: float) -> None:
    assert pause_seconds(9, headers, NOW, 1) == seconds


@pytest.mark.parametrize(
    "asked", ["60", "600", "-1", "nan", "inf", "soon", "", in_seconds(600), in_seconds(-20), in_seconds(20).replace("GMT", "-0000")]
)
def test_a_reply_that_asks_for_a_minute_or_more_or_for_nothing_possible_does_not_set_the_pause(asked: str) -> None:
    assert pause_seconds(1, {"retry-after": asked}, NOW, 0) == 4
