"""A call that takes long is spoken of after 10 s and every 30 s from then on, with the reason where it is known, and never once it has ended."""

import asyncio
from dataclasses import dataclass, field

import pytest

from crane_infra.program.waiting import Activity, Watch, waits


@dataclass
class Time:
    """A clock that stands still but for what is waited, and a call that ends when it says so."""

    ends: float
    now: float = 0.0
    said: list[tuple[float, str]] = field(default_factory=list)

    async def within(self, ended: asyncio.Future[None], seconds: float) -> bool:
        """Wait for the end of the call."""
        self.now = min(self.now + seconds, self.ends)
        if self.now == self.ends:
            ended.set_result(None)
        return ended.done()

    async def watch(self, *reasons: str | BaseException | None) -> list[tuple[float, str]]:
        """What was said of the call, and when; the reasons are the answers to one question after the other, the last one for good."""
        left = list(reasons)

        async def reason() -> str | None:
            answer = left.pop(0) if len(left) > 1 else left[0]
            if isinstance(answer, BaseException):
                raise answer
            return answer

        watch = Watch(lambda line: self.said.append((self.now, line)), self.within, lambda: self.now)
        await watch.over(asyncio.get_running_loop().create_future(), "Worker w", reason)
        return self.said


@pytest.mark.parametrize(("ends", "times"), [(9, []), (10, []), (11, [10]), (40, [10]), (185, [10, 40, 70, 100, 130, 160])])
async def test_it_is_said_after_ten_seconds_and_every_thirty_from_then_on(ends: float, times: list[float]) -> None:
    assert await Time(ends).watch(None) == [(time, waits("Worker w", time, None)) for time in times]


async def test_the_line_says_which_resource_how_long_and_what_the_provider_does() -> None:
    assert waits("Worker w", 10.4, None) == (
        "Worker w: still waiting for Cloudflare's API after 10 s. The provider repeats a call that the API fails, for about three minutes."
    )


async def test_a_reason_is_said_while_it_lasts() -> None:
    lines = [line for _, line in await Time(75).watch("HTTP 500", None, "HTTP 429")]
    assert [line.partition("three minutes.")[2] for line in lines] == [
        " Right now a read of the same account fails too: HTTP 500.",
        "",
        " Right now a read of the same account fails too: HTTP 429.",
    ]


async def test_a_reason_that_cannot_be_had_changes_nothing() -> None:
    assert await Time(11).watch(RuntimeError("no")) == [(10, waits("Worker w", 10, None))]


async def test_nothing_is_said_of_a_call_that_ends_while_the_reason_is_looked_for() -> None:
    ended, said = asyncio.get_running_loop().create_future(), list[str]()

    async def not_yet(_: asyncio.Future[None], __: float) -> bool:
        return ended.done()

    async def reason() -> None:
        ended.set_result(None)

    await Watch(said.append, not_yet).over(ended, "Worker w", reason)
    assert said == []


async def test_the_end_of_a_call_ends_the_watch_at_once_and_leaves_no_task() -> None:
    ended = asyncio.get_running_loop().create_future()

    async def reason() -> None:
        """Nobody asks."""

    watch = asyncio.ensure_future(Watch(print).over(ended, "Worker w", reason))
    await asyncio.sleep(0)
    ended.set_result(None)
    await watch
    assert asyncio.all_tasks() == {asyncio.current_task()}


@dataclass
class Step:
    """A step of ours on a clock that stands still but for what is waited; ``plan`` says at which second it begins what."""

    plan: dict[float, tuple[str, float | None]]
    ends: float
    now: float = 0.0
    said: list[tuple[float, str]] = field(default_factory=list)

    async def run(self) -> list[tuple[float, str]]:
        """What was said, and when."""
        activity = Activity(lambda line: self.said.append((self.now, line)), lambda: self.now)
        ended = asyncio.get_running_loop().create_future()

        async def within(_: asyncio.Future[None], seconds: float) -> bool:
            end = self.now + seconds
            for second, part in self.plan.items():
                if self.now < second <= end:
                    self.now = second
                    activity.begins(*part)
            self.now = end
            if self.now >= self.ends and not ended.done():
                ended.set_result(None)
            return self.now >= self.ends

        activity.begins(*self.plan.pop(0.0))
        await Watch(activity.say, within, lambda: self.now).during(ended, activity)
        return self.said


async def test_a_part_of_a_step_is_spoken_of_after_two_seconds_and_every_ten_from_then_on() -> None:
    said = await Step({0.0: ("w: check version", 60.0)}, ends=23).run()
    assert said == [(at, f"w: check version: waiting, {at} s so far, {60 - at} s more at most") for at in (2, 12, 22)]


async def test_a_part_that_is_quick_is_not_spoken_of_and_the_next_one_counts_anew() -> None:
    said = await Step({0.0: ("0001.sql", None), 1.0: ("0002.sql", None), 5.0: ("0003.sql in D1's import", None)}, ends=9).run()
    assert said == [(4, "0002.sql: waiting, 3 s so far"), (8, "0003.sql in D1's import: waiting, 3 s so far")]


async def test_where_the_time_is_up_none_is_said_to_be_left() -> None:
    assert (await Step({0.0: ("w: check version", 1.0)}, ends=3).run()) == [(2, "w: check version: waiting, 2 s so far")]


async def test_what_goes_as_planned_ends_the_part() -> None:
    said, now = list[str](), [0.0]
    activity = Activity(said.append, lambda: now[0])
    activity.begins("w: check version", 60)
    activity.passes("w: 1 checks passed")
    now[0] = 30.0
    assert (activity.due(), said) == (None, ["w: 1 checks passed"])


@pytest.mark.parametrize("error", [RuntimeError("no"), SystemExit(3), asyncio.CancelledError()])
async def test_a_step_that_fails_fails_as_it_did_and_leaves_no_task(error: BaseException) -> None:
    async def fails() -> None:
        raise error

    def broken(_: str) -> None:
        raise OSError

    with pytest.raises(type(error)):
        await Watch(broken).during(fails(), Activity(broken))
    assert asyncio.all_tasks() == {asyncio.current_task()}
