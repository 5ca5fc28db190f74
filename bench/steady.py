"""Whether the memory of a local cloud stays flat over 1,000 releases, each a version, its deployment and a request that it answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench import machine
from bench.memory import resident_mebibytes
from bench.rows import Row, at_most

if TYPE_CHECKING:
    from pathlib import Path

_RELEASES, _FIRST = 1000, 100
_FLAT = 1.2


def memory_over_releases(folder: Path) -> list[Row]:
    """Compare the memory after the last release with that after the first hundred, when every cache has filled."""
    with machine.cloud(folder / "cloud") as api:
        database = api.database("bench")
        worker = api.result("POST", "/workers/workers", {"name": "bench", "subdomain": {"enabled": True}})
        first: dict[str, float] = {}
        for number in range(1, _RELEASES + 1):
            api.release("bench", worker["id"], database, f"release {number}")
            answer = api.http.get(f"{api.running.edge_url}/bench/").text
            if answer != f"release {number}":
                raise RuntimeError(f"release {number} answers {answer[:100]}")
            first = first or (resident_mebibytes(api.running.pid) if number == _FIRST else {})
        last = resident_mebibytes(api.running.pid)
    what, of = f"memory after {_RELEASES:,} releases", f"after {_FIRST}"
    rows = [Row(what, sum(last.values()), "MiB", sum(first.values()), of, at_most(_FLAT))]
    return [*rows, *(Row(f"{what}: {name}", last[name], "MiB", first[name], of) for name in last)]
