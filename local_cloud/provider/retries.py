"""When the stand-in provider sends a request again, and how long it waits before that: as the official provider's client does. Pure.

The official client makes 11 attempts in about three minutes. It does not look at the method: a POST is sent again too, even if its
reply was lost and the API has carried it out.
"""

import math
from collections.abc import Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime

ATTEMPTS = 11
_FIRST_SECONDS, _LONGEST_SECONDS = 2.0, 30.0
_EARLIER_BY = 0.25
"""The largest part of a pause that chance takes off it."""
_LONGEST_ASKED_SECONDS = 60.0
_SENT_AGAIN = (408, 409, 429)
_SERVER_ERROR = 500


def is_sent_again(status: int, headers: Mapping[str, str]) -> bool:
    """Whether a reply with this status and these headers (in lower case) is followed by another attempt."""
    asked = headers.get("x-should-retry")
    if asked in ("true", "false"):
        return asked == "true"
    return status in _SENT_AGAIN or status >= _SERVER_ERROR


def pause_seconds(attempt: int, headers: Mapping[str, str], now: datetime, chance: float) -> float:
    """The pause after an attempt, the first of which is 0. ``headers`` are those of its reply, empty if it had none.

    A reply can ask for a pause of less than a minute. Other pauses double up to 30 s; ``chance``, from 0 to 1, makes them up to a quarter shorter.
    """
    asked = _asked_seconds(headers, now)
    if asked is not None and 0 <= asked < _LONGEST_ASKED_SECONDS:
        return asked
    return min(_FIRST_SECONDS * 2.0**attempt, _LONGEST_SECONDS) * (1 - _EARLIER_BY * chance)


def _asked_seconds(headers: Mapping[str, str], now: datetime) -> float | None:
    milliseconds, seconds = _number(headers.get("retry-after-ms", "")), headers.get("retry-after", "")
    if milliseconds is not None:
        return milliseconds / 1000
    return _until(seconds, now) if _number(seconds) is None else _number(seconds)


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _until(date: str, now: datetime) -> float | None:
    try:
        return (parsedate_to_datetime(date) - now).total_seconds()
    except (ValueError, TypeError):  # the latter for a date without a zone
        return None
