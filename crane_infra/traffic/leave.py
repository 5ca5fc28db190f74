"""Asks whether traffic may move at this moment: the answer at the start of a run may be hours old."""

from collections.abc import Awaitable, Callable

from crane_infra.errors import CraneError

Leave = Callable[[], Awaitable[None]]
"""Returns where traffic may move; raises a CraneError that says why not."""


async def always() -> None:
    """Nothing stands in the way."""


async def refused_by(may_move: Leave) -> CraneError | None:
    """Why traffic may not move; None where it may."""
    try:
        await may_move()
    except CraneError as error:
        return error
    return None
