"""The rules for secrets: none is missing or empty, and the distinct ones differ between environments. Pure.

Values are compared by their fingerprints, so no result that others see contains one.
"""

import hashlib
import hmac
import json
from collections.abc import Iterable, Mapping

from crane_infra.config.catalog import Secret
from crane_infra.errors import SecretError
from crane_infra.secrets.sources import SecretSource

FINGERPRINT_CHARACTERS = 16
KEY_NAME = "fingerprint-key"
"""The name of the key's own fingerprint among the others; it shows whether two environments use the same key."""


def fetch(source: SecretSource, secrets: Iterable[Secret]) -> dict[str, str]:
    """The value of each secret by its key; an optional one that the source does not have is left out.

    Raises SecretError with the name of every missing or empty key, and how to set the first. It never shows a value.
    """
    values: dict[str, str] = {}
    unusable: list[str] = []
    for secret in secrets:
        value = source.get(secret.key)
        if value is not None and value.strip():
            values[secret.key] = value
        elif value is not None or secret.required:
            unusable.append(secret.key)
    if unusable:
        names = ", ".join(f"{key} ({'empty' if source.get(key) is not None else 'missing'})" for key in unusable)
        raise SecretError(source.where, names, source.how_to_set(unusable[0]))
    return values


def fingerprint(value: str, key: str) -> str:
    """The part of a secret that may be shown: 64 bits of its HMAC-SHA256 under ``key``, as 16 hex digits. Equal values have equal fingerprints."""
    return hmac.new(key.encode(), value.encode(), hashlib.sha256).hexdigest()[:FINGERPRINT_CHARACTERS]


def combined(fingerprints: Mapping[str, str]) -> str:
    """One fingerprint for several secrets by name, in as many digits; "none" without any."""
    text = json.dumps(fingerprints, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:FINGERPRINT_CHARACTERS] if fingerprints else "none"


def refuse_shared(secrets: Iterable[Secret], own: Mapping[str, str], others: Mapping[str, str], other: str) -> None:
    """Compare this environment's fingerprints by key (``own``) with those that the environment ``other`` exported (``others``).

    Raises SecretError if a distinct secret has the same value there.
    """
    distinct = {secret.key for secret in secrets if secret.distinct}
    shared = sorted(key for key in distinct & own.keys() if own[key] in others.values())
    if shared:
        raise SecretError(
            shared[0], f"has the same value as in {other}", "Give each environment its own value, and replace the one that was shared"
        )


def require_same_key(own: Mapping[str, str], others: Mapping[str, str], other: str) -> None:
    """Make sure that both environments use the same fingerprint key, without which fingerprints cannot be compared.

    Only production checks this, so that staging can change its key first. Raises SecretError if the other environment exported
    fingerprints under another key.
    """
    if others and others.get(KEY_NAME) != own[KEY_NAME]:
        raise SecretError(
            KEY_NAME, f"differs from the one of {other}, so secrets that both share cannot be found", "Set the same key in both stacks"
        )
