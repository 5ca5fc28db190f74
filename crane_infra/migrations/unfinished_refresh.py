"""A refresh of a staging database that is under way or was broken off, as the database records it, and what is said of it. Pure.

The rows go in one import, so a database has all rows of before or all rows of the refresh. In between are only the seeds: a refresh takes
their record away with the rows, and runs them again once its rows are there.
"""

from collections.abc import Iterable
from typing import NamedTuple

from crane_infra.migrations.ledger_rows import RefreshRow

AGAIN = "Run crane data refresh -s staging again, which replaces all rows once more"


class UnfinishedRefresh(NamedTuple):
    """A refresh that is not complete. ``is_loaded``: it has replaced all rows, and seeds may be missing."""

    began_at: str
    is_loaded: bool

    @property
    def summary(self) -> str:
        """What the database has."""
        has = "all rows are replaced, and seeds may be missing" if self.is_loaded else "all rows are still those of before it"
        return f"the refresh that began at {self.began_at} is not complete: {has}"

    @property
    def todo(self) -> str:
        """What completes it, unless it is still under way."""
        if not self.is_loaded:
            return AGAIN
        return "If none is under way, run crane data seed -s staging or pulumi up -s staging: both run the missing seeds and complete it"


def unfinished_refresh(rows: Iterable[RefreshRow]) -> UnfinishedRefresh | None:
    """The refresh that is not complete: one that has replaced the rows before one that has not; None where each is complete."""
    open_ones = [UnfinishedRefresh(row.started_at, row.bookmark is not None) for row in rows if row.done_at is None]
    return max(open_ones, key=lambda refresh: (refresh.is_loaded, refresh.began_at), default=None)
