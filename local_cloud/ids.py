"""Marked ids, which people and tests can tell from those of a real account.

The local cloud never answers for a real account id, so a wrong base URL cannot pass for production.
"""

from __future__ import annotations

from uuid import UUID, uuid4

MARK = "10ca1"
ACCOUNT_ID = "10ca10ca10ca10ca10ca10ca10ca10ca"


def new_hex() -> str:
    """Give a fresh marked id of 32 hex digits, a valid uuid4 except for its mark."""
    return MARK + uuid4().hex[len(MARK) :]


def new_uuid() -> str:
    """Give a fresh marked id in uuid form."""
    return str(UUID(new_hex()))


def is_local(identifier: str) -> bool:
    """Whether the local cloud made this id."""
    return identifier.startswith(MARK)
