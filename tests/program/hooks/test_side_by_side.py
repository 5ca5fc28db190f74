"""The checks of workers wait for one another only where they write, and the run names the one that it waits for."""

import asyncio
from dataclasses import dataclass, field

import pytest

from crane_infra.checks.model import Check
from crane_infra.errors import CheckError
from crane_infra.program.hooks.side_by_side import ChecksUnderWay, for_each_worker


@dataclass
class Workers:
    """Workers whose checks say when they begin and end."""

    said: list[str] = field(default_factory=list)
    fails: str = ""

    async def check(self, name: str) -> int:
        """The checks of one worker."""
        self.said.append(f"{name} begins")
        await asyncio.sleep(0)
        self.said.append(f"{name} ends")
        if name == self.fails:
            raise CheckError(name, "did not pass", "Fix it")
        return len(name)


async def test_workers_whose_checks_only_read_are_checked_at_once_and_the_others_one_by_one_after_them() -> None:
    workers = Workers()
    assert list((await for_each_worker(["w1", "r1", "w2", "r2"], {"w1", "w2"}, workers.check)).items()) == [
        ("w1", 2),
        ("r1", 2),
        ("w2", 2),
        ("r2", 2),
    ]
    assert workers.said == ["r1 begins", "r2 begins", "r1 ends", "r2 ends", "w1 begins", "w1 ends", "w2 begins", "w2 ends"]


async def test_a_worker_that_fails_is_said_once_the_others_have_ended_and_nothing_is_written_after_it() -> None:
    workers = Workers(fails="r1")
    with pytest.raises(CheckError, match=r"^r1: "):
        await for_each_worker(["w1", "r1", "r2"], {"w1"}, workers.check)
    assert workers.said == ["r1 begins", "r2 begins", "r1 ends", "r2 ends"]


@dataclass
class Told:
    """A progress that keeps what it is told."""

    parts: list[tuple[str, float | None]] = field(default_factory=list)

    def passes(self, text: str) -> None:
        """Not asked here."""

    def begins(self, what: str, seconds: float | None = None) -> None:
        """Keep it."""
        self.parts.append((what, seconds))


def test_the_progress_hears_of_the_check_that_waits_longest_and_how_long_it_may_take_from_now_on() -> None:
    told, now = Told(), [0.0]
    checks = ChecksUnderWay(told, lambda: now[0])
    health, version = (Check(name=name, path="/", deadline=60) for name in ("health", "version"))
    checks.begins("a", version)
    checks.begins("b", version)
    now[0] = 10.0
    checks.begins("a", health)
    checks.ended("b")
    checks.ended("a")
    assert told.parts == [("a: check version", 60.0), ("b: check version", 50.0), ("a: check health", 60.0)]
