"""Distinct secrets that both environments share for a while, with a reason and a last day. Pure."""

from collections.abc import Collection, Iterator, Mapping
from datetime import date

from crane_infra.config.settings import SharedSecret


def marks_in_use(marks: Mapping[str, SharedSecret], shared: Collection[str], today: date) -> Iterator[str]:
    """A line for each marked secret among those that both environments ``shared``, up to the last day on which it may be."""
    for key, mark in sorted(marks.items()):
        if key in shared and today <= mark.until:
            days = (mark.until - today).days
            left = f"{days} days are left" if days > 1 else "1 day is left" if days else "this is the last day"
            yield f"{key} is shared by both environments until {mark.until.isoformat()}: {left} ({mark.reason})"
