"""The time, as Cloudflare writes it."""

from datetime import UTC, datetime


def stamp() -> str:
    """Give the time as Cloudflare writes it."""
    return datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
