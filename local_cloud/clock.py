"""Timestamps in Cloudflare's format."""

from datetime import UTC, datetime


def stamp() -> str:
    """Give the present time in Cloudflare's format (UTC, microseconds, ``Z``)."""
    return datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
