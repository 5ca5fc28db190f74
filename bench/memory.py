"""The memory of the processes of a local cloud: Python, Node and workerd, in resident pages (Linux only).

Shared pages count in each process, so the sum is an upper bound.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from bench import machine
from bench.rows import Row

if TYPE_CHECKING:
    from collections.abc import Iterator

_KIB_PER_MIB = 1024


def resident(folder: Path) -> list[Row]:
    """Measure after the start, and again with two workers and two databases."""
    with machine.cloud(folder / "cloud") as api:
        idle = resident_mebibytes(api.running.pid)
        for number in range(2):
            api.worker(f"bench-{number}", api.database(f"bench-{number}"))
        busy = resident_mebibytes(api.running.pid)
    first = sum(idle.values())
    return [*_rows("idle", idle, None), *_rows("2 workers, 2 databases", busy, first)]


def _rows(when: str, figures: dict[str, float], floor: float | None) -> list[Row]:
    total = Row(f"memory, {when}", sum(figures.values()), "MiB", floor, "idle" if floor else "")
    return [total, *(Row(f"memory, {when}: {name}", value, "MiB") for name, value in figures.items())]


def resident_mebibytes(pid: int) -> dict[str, float]:
    """The memory of a cloud's processes, by name."""
    python, node, *workerd = map(_mebibytes, _line(pid))
    return {"python": python, "node": node, "workerd": sum(workerd)}


def _line(pid: int) -> Iterator[int]:
    """A process, its child, and the child of that."""
    yield pid
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            yield from _line(int(child))


def _mebibytes(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS:")).split()[1]) / _KIB_PER_MIB
