"""Marked ids: whatever the local cloud names can be told from a real account's ids at a glance, and by tests.

A real account id is never served, so a mistaken base URL cannot pretend to be production.
"""

from __future__ import annotations

from uuid import UUID, uuid4

MARK = "10ca1"
ACCOUNT_ID = "10ca10ca10ca10ca10ca10ca10ca10ca"


def new_hex() -> str:
    """Give a fresh marked id of 32 hex digits, a valid uuid4 but for its mark."""
    return MARK + uuid4().hex[len(MARK) :]


def new_uuid() -> str:
    """Give a fresh marked id in uuid form."""
    return str(UUID(new_hex()))


def is_local(identifier: str) -> bool:
    """Tell whether the local cloud made this id."""
    return identifier.startswith(MARK)
