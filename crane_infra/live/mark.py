"""The mark on a deployment that crane makes itself: its message says what it is for, and for which release. Pure.

A deployment is the only state of a rollout: the next run, another machine and ``wrangler deployments list`` all see it.
"""

import re
from typing import Literal, NamedTuple, get_args

Purpose = Literal["candidate", "canary", "abort", "rollback"]
_SHORT = 12
_DIGEST = f"[0-9a-f]{{{_SHORT}}}"
_MESSAGE = re.compile(rf"crane ({'|'.join(get_args(Purpose))}) ({_DIGEST})(?: from ({_DIGEST}))?(?:: (\S.*\S|\S))?")
_LONGEST_REASON = 200
"""Cloudflare cuts a message after 1,000 bytes, and a cut mark would be nobody's."""


class Mark(NamedTuple):
    """What a deployment is for, and the first twelve digits of the release that it serves or tries.

    ``left`` is the release that a rollback left, where it is known; ``reason`` is what whoever made the deployment said.
    """

    purpose: Purpose
    release: str
    left: str = ""
    reason: str = ""

    @property
    def message(self) -> str:
        """The mark as the message of a deployment."""
        left = f" from {self.left}" if self.left else ""
        reason = f": {self.reason}" if self.reason else ""
        return f"crane {self.purpose} {self.release}{left}{reason}"

    def is_of(self, digest: str) -> bool:
        """Whether the mark names the release with this digest."""
        return digest.startswith(self.release)


def mark(purpose: Purpose, digest: str, *, left: str = "", reason: str = "") -> Mark:
    """The mark for a deployment of the release with this digest. A reason becomes one line of at most 200 characters."""
    line = " ".join(reason.split())
    shortened = line if len(line) <= _LONGEST_REASON else f"{line[: _LONGEST_REASON - 1].rstrip()}…"
    return Mark(purpose, digest[:_SHORT], left[:_SHORT], shortened)


def read_mark(message: str) -> Mark | None:
    """The mark in the message of a deployment; None where crane did not make it."""
    match = _MESSAGE.fullmatch(message)
    purposes: dict[str, Purpose] = {purpose: purpose for purpose in get_args(Purpose)}
    return Mark(purposes[match[1]], match[2], match[3] or "", match[4] or "") if match else None
