"""Several calls at once: all end, the first error in their order is raised, and an error that a call returns is a result."""

import asyncio

import pytest

from crane_infra.at_once import all_at_once, both
from crane_infra.errors import ApiError

FAULT = ApiError("database x", "Cloudflare's API failed (HTTP 500)", "Try again")


async def returned(value: object) -> object:
    await asyncio.sleep(0)
    return value


async def raised(error: Exception) -> object:
    await asyncio.sleep(0)
    raise error


async def test_results_come_in_order() -> None:
    assert await all_at_once(returned(number) for number in range(3)) == [0, 1, 2]
    assert await all_at_once([]) == []


async def test_an_error_that_a_call_returns_is_a_result() -> None:
    assert await all_at_once([returned(FAULT), returned(None)]) == [FAULT, None]


async def test_the_first_error_is_raised_once_all_have_ended() -> None:
    ended = list[str]()

    async def last() -> None:
        await asyncio.sleep(0.01)
        ended.append("last")

    with pytest.raises(ApiError) as caught:
        await all_at_once([last(), raised(FAULT), raised(ApiError("other", "x", "y"))])
    assert (caught.value, ended) == (FAULT, ["last"])


async def test_two_calls_of_different_kinds_both_end_before_an_error_is_raised() -> None:
    ended = list[str]()

    async def last() -> str:
        await asyncio.sleep(0.01)
        ended.append("last")
        return "x"

    assert await both(returned(1), last()) == (1, "x")
    with pytest.raises(ApiError) as caught:
        await both(raised(FAULT), last())
    assert (caught.value, ended) == (FAULT, ["last", "last"])
