"""Who asks while a look is under way shares the next one: nobody gets an answer that is older than the question."""

import asyncio

import pytest

from crane_infra.program.hooks.shared_look import SharedLook


class Staging:
    """Something that can be looked at, and that changes."""

    def __init__(self) -> None:
        self.looks = 0
        self.is_changed = False
        self.go_on, self.is_seen = asyncio.Event(), asyncio.Event()

    async def look(self) -> None:
        self.looks += 1
        seen = self.is_changed
        self.is_seen.set()
        await self.go_on.wait()
        if seen:
            raise ValueError("changed")


async def test_all_who_ask_at_once_share_one_look() -> None:
    staging = Staging()
    look = SharedLook(staging.look)
    staging.go_on.set()
    await asyncio.gather(*(look() for _ in range(20)))
    assert staging.looks == 1


async def test_who_asks_later_gets_a_look_that_began_later() -> None:
    staging = Staging()
    look = SharedLook(staging.look)
    early = asyncio.ensure_future(look())
    await staging.is_seen.wait()
    staging.is_changed = True
    late = [asyncio.ensure_future(look()) for _ in range(20)]
    staging.go_on.set()
    await early
    results = await asyncio.gather(*late, return_exceptions=True)
    assert [str(result) for result in results] == ["changed"] * 20
    assert staging.looks == 2


async def test_one_that_stops_waiting_does_not_end_the_look_of_the_others() -> None:
    staging = Staging()
    staging.is_changed = True
    look = SharedLook(staging.look)
    impatient, patient = asyncio.ensure_future(look()), asyncio.ensure_future(look())
    await staging.is_seen.wait()
    impatient.cancel()
    staging.go_on.set()
    with pytest.raises(ValueError, match="changed"):
        await patient
    assert staging.looks == 1


async def test_after_a_look_that_failed_the_next_one_looks_again() -> None:
    staging = Staging()
    staging.is_changed = True
    staging.go_on.set()
    look = SharedLook(staging.look)
    with pytest.raises(ValueError, match="changed"):
        await look()
    staging.is_changed = False
    await look()
    assert staging.looks == 2
