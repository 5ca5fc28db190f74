"""Nights in which the workflow of the backups fails and works again, and the issue about it."""

from dataclasses import dataclass
from pathlib import Path

from tests.workflows.misfit import production
from tests.workflows.place import Place
from tests.workflows.runner import Json, Run

BACKUP_ISSUE = "The nightly backup of production failed"


@dataclass(frozen=True)
class Backups:
    """Three nights: the backups cannot be written; the newest one is damaged; all is well. After each, the issues about it."""

    nights: tuple[Run, Run, Run]
    issues: tuple[list[Json], ...]
    kept: list[str]
    was_left: bool
    """Whether state and production are as they were."""


def three_nights(hub: Place) -> Backups:
    """Let the workflow run three times."""
    before, issues = (hub.state(), production(hub)), list[list[Json]]()

    def night(where: Path) -> Run:
        run = hub.backed_up(where)
        issues.append([dict(issue) for issue in hub.hub.issues if issue["title"] == BACKUP_ISSUE])
        return run

    where = hub.runner.folder / "backups"
    where.write_text("a file in the place of the folder", encoding="utf-8")
    unwritten = night(where)
    where.unlink()
    where.mkdir()
    damaged = where / f"crane-context-db-20990101T000000Z-{'0' * 16}.sqlite.gz"
    damaged.write_bytes(b"damaged")
    unread = night(where)
    damaged.unlink()
    well_done = night(where)
    kept = sorted(path.name.partition("-20")[0] for path in where.iterdir())
    return Backups((unwritten, unread, well_done), tuple(issues), kept, (hub.state(), production(hub)) == before)
