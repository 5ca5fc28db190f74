"""A deployment that crane makes says so, and nothing else is taken for one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crane_infra.live.mark import Purpose, mark, read_mark

DIGEST = "0123456789abcdef" * 4


@pytest.mark.parametrize("purpose", ["candidate", "canary", "abort", "rollback"])
def test_a_mark_is_read_back_from_the_message(purpose: Purpose) -> None:
    made = mark(purpose, DIGEST)
    assert read_mark(made.message) == made
    assert made.is_of(DIGEST)
    assert not made.is_of("f" + DIGEST[1:])


@pytest.mark.parametrize(("reason", "shown"), [("", ""), (" two\n lines ", "two lines"), ("x" * 300, "x" * 199 + "…")])
def test_a_rollback_says_what_it_left_and_why_in_one_line(reason: str, shown: str) -> None:
    made = mark("rollback", DIGEST, left=DIGEST[::-1], reason=reason)
    assert read_mark(made.message) == made
    assert (made.left, made.reason) == (DIGEST[::-1][:12], shown)
    assert "\n" not in made.message


@pytest.mark.parametrize("message", ["", "Automatic deployment on upload.", "crane", "crane candidate", "crane candidate 0123456789AB"])
def test_the_message_of_anybody_else_is_no_mark(message: str) -> None:
    assert read_mark(message) is None


@given(st.text())
def test_a_text_is_a_mark_only_if_it_is_what_a_mark_would_say(message: str) -> None:
    read = read_mark(message)
    assert read is None or read.message == message
