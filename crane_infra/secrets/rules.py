"""The rules that secrets obey: all there, none empty, the distinct ones not shared between environments. Pure.

Values are compared through fingerprints, so nothing here or in what it returns for others to see shows one. Prevents a
staging key that opens production.
"""

import hashlib
import hmac
from collections.abc import Iterable, Mapping

from crane_infra.config.catalog import Secret
from crane_infra.errors import SecretError
from crane_infra.secrets.sources import SecretSource

FINGERPRINT_CHARACTERS = 16
KEY_NAME = "fingerprint-key"
"""Under which the key's own fingerprint stands among the others, so that two environments can tell that theirs are the same."""


def fetch(source: SecretSource, wanted: Iterable[Secret]) -> dict[str, str]:
    """The value of each secret by its key; an optional one that the source does not have is left out.

    Raises SecretError that names every missing or empty key and how to set the first; never a value.
    """
    values: dict[str, str] = {}
    lacking: list[str] = []
    for secret in wanted:
        value = source.get(secret.key)
        if value is not None and value.strip():
            values[secret.key] = value
        elif value is not None or secret.required:
            lacking.append(secret.key)
    if lacking:
        names = ", ".join(f"{key} ({'empty' if source.get(key) is not None else 'missing'})" for key in lacking)
        raise SecretError(source.where, names, source.how_to_set(lacking[0]))
    return values


def fingerprint(value: str, key: str) -> str:
    """What may be shown of a secret: 64 bits of an HMAC-SHA256, in hex. Equal values under one key look equal."""
    return hmac.new(key.encode(), value.encode(), hashlib.sha256).hexdigest()[:FINGERPRINT_CHARACTERS]


def refuse_shared(wanted: Iterable[Secret], own: Mapping[str, str], others: Mapping[str, str], other: str) -> None:
    """Compare fingerprints by key with those that another environment exported.

    Raises SecretError where a distinct secret has the same value there.
    """
    distinct = {secret.key for secret in wanted if secret.distinct}
    shared = sorted(key for key in distinct & own.keys() if own[key] in others.values())
    if shared:
        raise SecretError(
            shared[0], f"has the same value as in {other}", "Give each environment its own, and renew the one that was shared"
        )


def require_same_key(own: Mapping[str, str], others: Mapping[str, str], other: str) -> None:
    """Fingerprints made under different keys cannot be compared. Asked in production alone, so that staging can renew its key first.

    Raises SecretError where the other environment has exported its fingerprints and used another key.
    """
    if others and others.get(KEY_NAME) != own[KEY_NAME]:
        raise SecretError(KEY_NAME, f"is not the one of {other}, so shared secrets could not be noticed", "Give both stacks the same")
