"""Reads the beginning of a time span, as a person writes it. Pure."""

import re
from datetime import UTC, datetime, timedelta

from crane_infra.errors import SettingsError
from crane_infra.status.inert import inert

_AGE = re.compile(r"([0-9]{1,5})([mhdw])")
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def since_of(text: str, now: datetime) -> datetime:
    """The time that ``text`` names: a date, a time (in UTC, where it has no zone), or an age such as 12h or 7d.

    Raises SettingsError where it is none of them.
    """
    try:
        if age := _AGE.fullmatch(text.strip()):
            return now - timedelta(**{_UNITS[age[2]]: int(age[1])})
        moment = datetime.fromisoformat(text.strip())
    except (ValueError, OverflowError):
        raise SettingsError(
            f"--since {inert(text)}", "is neither a date nor an age", "Write for example 2026-11-28, 2026-11-28T09:00 or 7d"
        ) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
