"""Which workers a running workerd can still load, and when it has to start anew. Pure."""

from __future__ import annotations

from typing import Any

Options = dict[str, Any]
MOST_LOADED = 50
"""Workers that one workerd loads before it starts anew: each stays in its memory, where it takes 1.2 MiB."""


def missing(running: list[Options], wanted: list[Options]) -> list[Options] | None:
    """Give the workers that a running workerd still has to load; None where it has to start anew."""
    known = {worker["name"]: worker for worker in running}
    lacking = [worker for worker in wanted if not _serves(known.get(worker["name"]), worker)]
    can_load = all(worker["isLoaded"] and worker["name"] not in known for worker in lacking)
    has_room = _loaded([*running, *lacking]) <= max(MOST_LOADED, 2 * _loaded(wanted))
    return lacking if not lacking or (can_load and has_room) else None


def _loaded(workers: list[Options]) -> int:
    return sum(worker["isLoaded"] for worker in workers)


def _serves(running: Options | None, wanted: Options) -> bool:
    """Whether a running worker is the wanted one; one that was started can do all that a loaded one can."""
    return running is not None and {**wanted, "isLoaded": wanted["isLoaded"] and running["isLoaded"]} == running
