"""Before the first resource: the workers and databases that this run forgets, because the catalog no longer has them. Asks nobody."""

from collections.abc import Iterator

from crane_infra.program.announce.lines import Line, log
from crane_infra.program.preparation import Prepared


def announce_retired(prepared: Prepared) -> None:
    """Log what the last release had, ``crane retire`` let go of, and this run therefore forgets."""
    log(retired_lines(prepared))


def retired_lines(prepared: Prepared) -> Iterator[Line]:
    """The lines about workers and databases that the newest proof names and the catalog does not."""
    newest = prepared.last.newest
    if newest is None:
        return
    present = {database.name for database in prepared.settings.databases.values()}
    for name, worker in newest.workers.items():
        if name not in prepared.catalog.workers:
            yield Line(
                f"worker {worker.script}: the catalog no longer has it, so this run forgets it. It stays at Cloudflare and goes on serving."
            )
    for name, database in newest.databases.items():
        if name not in prepared.catalog.databases and database.name not in present:  # else it only has another name in the catalog
            yield Line(
                f"database {database.name}: the catalog no longer has it, so this run forgets it. It stays at Cloudflare with its rows."
            )
