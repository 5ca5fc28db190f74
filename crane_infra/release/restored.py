"""The record of the last restore of a stack's databases, as a tag of the stack: a record in the database would go back with it. Pure.

It is written before the restore and again after it, so one that was cut short, which only D1 could tell, is not forgotten.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import ValidationError

from crane_infra.frozen import Frozen

TAG = "crane:restored"
_LONGEST_NAME = 24
"""Characters of who did it and of the database. Pulumi Cloud keeps 256 bytes of a tag."""


class _Tag(Frozen):
    database: str
    to: str
    was: str
    by: str = ""
    on: str = ""
    """When it ended."""
    at: str = ""
    """When it began; only of one that has not ended."""


@dataclass(frozen=True)
class Restored:
    """Which database was restored to which bookmark, the bookmark of the state before, who did it and when (ISO 8601)."""

    database: str
    bookmark: str
    before: str
    by: str
    on: str
    ended: bool = True
    """False: it began then, and nobody has recorded its end."""

    @property
    def tag(self) -> str:
        """The record as the value of a tag."""
        parts = {
            "database": self.database[:_LONGEST_NAME],
            "to": self.bookmark,
            "was": self.before,
            "by": self.by[:_LONGEST_NAME],
            "on" if self.ended else "at": self.on,
        }
        return json.dumps(parts, separators=(",", ":"))

    @property
    def summary(self) -> str:
        """What was done, for a person."""
        by = f" by {self.by}" if self.by else ""
        was = f"the state before was {self.before}"
        if not self.ended:
            began = f"a restore of database {self.database} to {self.bookmark} began on {self.on}{by} and did not say how it ended"
            return f"{began}; {was}. Run it again, or restore that state"
        return f"database {self.database} was restored on {self.on}{by} to {self.bookmark}; {was}"


def read_restored(tags: Mapping[str, str]) -> Restored | None:
    """The last restore in the tags of a stack; None where there is none that can be read."""
    try:
        tag = _Tag.model_validate_json(tags.get(TAG, ""))
    except ValidationError:
        return None
    return Restored(tag.database, tag.to, tag.was, tag.by, tag.on or tag.at, ended=bool(tag.on))
