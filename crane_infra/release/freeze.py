"""A freeze of production: nothing is promoted until somebody lifts it. Pure.

It is a tag of the stack, so it needs no commit and no access to Cloudflare, and every state backend and every machine sees the same one.
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

from pydantic import Field, ValidationError

from crane_infra.frozen import Frozen
from crane_infra.release.gate import Verdict

TAG = "crane:frozen"
_LONGEST_REASON, _LONGEST_NAME = 120, 40
"""Characters. Pulumi Cloud keeps 256 bytes of a tag."""


class _Tag(Frozen):
    by: str = ""
    since: str = Field(min_length=1)
    reason: str = ""


class Freeze(NamedTuple):
    """Who froze production, since when (ISO 8601, which also names this freeze) and why."""

    by: str
    since: str
    reason: str

    @property
    def tag(self) -> str:
        """The freeze as the value of a tag of at most 256 bytes."""
        parts = {"by": _line(self.by, _LONGEST_NAME), "since": self.since, "reason": _line(self.reason, _LONGEST_REASON)}
        return json.dumps(parts, separators=(",", ":"))

    @property
    def summary(self) -> str:
        """What is frozen, by whom, since when and why, in one sentence."""
        return f"production is frozen {self.details}"

    @property
    def details(self) -> str:
        """Who, when and why."""
        by = f"by {self.by} " if self.by else ""
        return f"{by}since {self.since}: {self.reason or 'no reason given'}"


def read_freeze(tags: Mapping[str, str]) -> Freeze | None:
    """The freeze in the tags of a stack. One that cannot be read is one all the same."""
    if TAG not in tags:
        return None
    try:
        tag = _Tag.model_validate_json(tags[TAG])
    except ValidationError:
        return Freeze("", "an unknown time", f"its tag {TAG} cannot be read")
    return Freeze(tag.by, tag.since, tag.reason)


def with_freeze(verdict: Verdict, freeze: Freeze | None, override: str | None) -> Verdict:
    """The gate's verdict while production may be frozen. ``override`` names the freeze that a run may pass, by its time."""
    if freeze is None or not verdict.is_open:
        return verdict
    if override == freeze.since:
        note = f"{freeze.summary}. override-freeze lets this run pass"
        return replace(verdict, note=f"{verdict.note}. {note}" if verdict.note else note)
    todo = f"Wait, or lift it with crane unfreeze -s production. To pass it once: pulumi config set -s production override-freeze {freeze.since}"
    return Verdict(None, f"production is frozen {freeze.details}", todo)


def _line(text: str, longest: int) -> str:
    line = "".join(char for char in " ".join(text.split()) if char.isprintable() and char.isascii())
    return line if len(line) <= longest else f"{line[: longest - 3].rstrip()}..."
