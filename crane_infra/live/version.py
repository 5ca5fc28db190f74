"""A version of a worker as Cloudflare shows it, and whether two of them are one upload that was sent twice. Pure.

See docs/decisions/0027.
"""

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

SENT_WITHIN = timedelta(minutes=30)
"""How far apart one upload may be sent twice. The provider makes 11 attempts with pauses of up to 210 s in all, and each may wait about 100 s
until Cloudflare gives up. A killed run needs a few minutes until its stack is unlocked and it is started again."""

_TAG, _MESSAGE = "workers/tag", "workers/message"
_LISTS = ("bindings", "modules")
_VALUES = ("main_module", "compatibility_date", "compatibility_flags", "assets", "limits", "placement", "usage_model")


class Version(NamedTuple):
    """``contents`` is a digest of all that can be read of it, modules included where they were asked for. Secret values cannot be read."""

    id: str
    annotations: Mapping[str, str]
    uploaded_on: datetime
    contents: str

    @property
    def tag(self) -> str | None:
        """The worker digest, if this project uploaded it."""
        return self.annotations.get(_TAG)


def read_version(answer: Mapping[str, Any]) -> Version:
    """The version in an answer of the API (``answers.VERSION``). Raises KeyError, ValueError, TypeError or AttributeError where there is none."""
    uploaded_on = datetime.fromisoformat(answer["created_on"])
    contents = {key: answer.get(key) for key in _VALUES} | {key: _in_one_order(answer.get(key) or []) for key in _LISTS}
    return Version(
        str(answer["id"]),
        {str(name): str(text) for name, text in (answer.get("annotations") or {}).items()},
        uploaded_on if uploaded_on.tzinfo else uploaded_on.replace(tzinfo=UTC),
        hashlib.sha256(json.dumps(contents, sort_keys=True).encode()).hexdigest(),
    )


def are_one_upload(one: Version, other: Version) -> bool:
    """Whether two versions are one upload, sent twice within half an hour, as far as was read of them.

    The message stands for the secrets (``program/preparation.py`` writes it): a version without one may have others.
    """
    same = one.annotations == other.annotations and one.contents == other.contents
    return same and {_TAG, _MESSAGE} <= one.annotations.keys() and abs(one.uploaded_on - other.uploaded_on) <= SENT_WITHIN


def _in_one_order(entries: list[Any]) -> list[str]:
    return sorted(json.dumps(entry, sort_keys=True) for entry in entries)
