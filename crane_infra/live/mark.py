"""The mark on a deployment that crane makes itself: its message says what it is for, and for which release. Pure.

A deployment is the only state of a rollout: the next run, another machine and ``wrangler deployments list`` all see it.
"""

import re
from dataclasses import dataclass
from typing import Literal, get_args

Purpose = Literal["candidate", "canary", "abort", "rollback"]
_SHORT = 12
_MESSAGE = re.compile(rf"crane ({'|'.join(get_args(Purpose))}) ([0-9a-f]{{{_SHORT}}})")


@dataclass(frozen=True)
class Mark:
    """What a deployment is for, and the first twelve digits of the release that it serves or tries."""

    purpose: Purpose
    release: str

    @property
    def message(self) -> str:
        """The mark as the message of a deployment."""
        return f"crane {self.purpose} {self.release}"

    def is_of(self, digest: str) -> bool:
        """Whether the mark names the release with this digest."""
        return digest.startswith(self.release)


def mark(purpose: Purpose, digest: str) -> Mark:
    """The mark for a deployment of the release with this digest."""
    return Mark(purpose, digest[:_SHORT])


def read_mark(message: str) -> Mark | None:
    """The mark in the message of a deployment; None where crane did not make it."""
    match = _MESSAGE.fullmatch(message)
    purposes: dict[str, Purpose] = {purpose: purpose for purpose in get_args(Purpose)}
    return Mark(purposes[match[1]], match[2]) if match else None
