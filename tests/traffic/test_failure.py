"""Why a candidate has not passed: the line tells what answers said. A question without an answer does not change it."""

import socket
import sys

import pytest

from crane_infra.checks.attempt import Attempt
from crane_infra.checks.model import AnyCheck, Check, CommandCheck
from crane_infra.checks.request import OVERRIDES, Target
from crane_infra.traffic.series import Seen
from crane_infra.traffic.trial import Round, ask_round, failure

TARGET = Target("w", "https://w.example", "v2", {})
VERSION, HEALTH = Check(name="version", path="/version", version_at="id"), Check(name="health", path="/health")
LOST = f"No answer ever named it: the header {OVERRIDES} may be lost on the way to https://w.example"
ROUNDS = {
    "r": Round(Seen.RIGHT),
    "w": Round(Seen.WRONG, HEALTH, Attempt(passed=False, expected="200", came="404", why="status 404")),
    "e": Round(Seen.ELSEWHERE, VERSION, Attempt(passed=False, expected="id to be v2", came="200", why="id names another version")),
    "d": Round(Seen.FAULTY, VERSION, Attempt(passed=False, expected="id to be v2", came="503", why="status 503", is_down=True)),
    "t": Round(Seen.FAULTY, VERSION, Attempt(passed=False, expected="id to be v2", came="none, TimeoutError", is_down=True, ran_out=True)),
    "c": Round(Seen.CUT, VERSION, Attempt(passed=False, expected="id to be v2", came="none, TimeoutError", is_down=True, ran_out=True)),
}
"""A round by its letter: right, wrong, elsewhere, down, timed out, cut short."""


def line(letters: str) -> str:
    """The line for these rounds, at a deadline of 3 s."""
    return str(failure(TARGET, "v2", [ROUNDS[letter] for letter in letters], 3.0, 22))


@pytest.mark.parametrize("letters", ["eeee", "eeec", "ceee", "teee", "eeet", "ceetec", "deee"])
def test_that_the_header_may_be_lost_is_said_where_only_other_versions_answered(letters: str) -> None:
    assert "did not pass within 3 s" in line(letters)
    assert "the last wrong answer to version was 200 (id names another version)" in line(letters)
    assert LOST in line(letters)


@pytest.mark.parametrize("letters", ["eere", "weee", "eeed", "dddd", "cccc", "tttt"])
def test_it_is_not_said_where_the_candidate_answered_or_may_have(letters: str) -> None:
    assert LOST not in line(letters)


@pytest.mark.parametrize("letters", ["rrrrr", "rrrrrrccc"])
def test_right_answers_before_the_deadline_blame_the_time_alone(letters: str) -> None:
    assert "was not asked 22 times within 3 s, though every answer was right" in line(letters)


def test_a_wrong_answer_is_told_rather_than_none() -> None:
    assert line("rrwrc") == (
        "w GET /health (check health): candidate v2 did not pass within 3 s: expected 200; after 5 rounds the last wrong answer to health was "
        "404 (status 404). Look at the logs of w and fix it."
    )


def test_where_nothing_answered_that_is_told() -> None:
    assert "after 2 rounds the last wrong answer to version was none, TimeoutError" in line("cc")


HANGS = CommandCheck(name="hangs", run=(sys.executable, "-c", "import time; time.sleep(3600)"), mutating=False, sends_override=True)


@pytest.mark.parametrize("check", [VERSION, HEALTH, HANGS], ids=lambda check: check.name)
async def test_a_question_without_an_answer_at_the_deadline_was_cut_short(check: AnyCheck) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        target = Target("w", f"http://127.0.0.1:{silent.getsockname()[1]}", "v2", {})
        assert (await ask_round(target, "v2", [check], 0.05)).seen is Seen.CUT


async def test_one_to_a_worker_that_names_no_version_may_have_gone_to_another() -> None:
    """A rollout counts no such answer against the new version."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        target = Target("w", f"http://127.0.0.1:{silent.getsockname()[1]}", None, {})
        assert (await ask_round(target, "v2", [HEALTH], 0.05)).seen is Seen.ELSEWHERE


async def test_no_listener_is_no_cut() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        target = Target("w", f"http://127.0.0.1:{unused.getsockname()[1]}", "v2", {})
        assert (await ask_round(target, "v2", [VERSION], 60)).seen is Seen.FAULTY
