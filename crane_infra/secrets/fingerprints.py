"""What may be shown of secrets: fingerprints under a key, which tell whether two values are equal and nothing else. Pure.

The key is a secret itself, so nobody without it can try values until one fits.
"""

import hashlib
import hmac
import json
from collections.abc import Mapping

FINGERPRINT_CHARACTERS = 16


def fingerprint(value: str, key: str) -> str:
    """The part of a secret that may be shown: 64 bits of its HMAC-SHA256 under ``key``, as 16 hex digits. Equal values have equal fingerprints."""
    return hmac.new(key.encode(), value.encode(), hashlib.sha256).hexdigest()[:FINGERPRINT_CHARACTERS]


def combined(fingerprints: Mapping[str, str]) -> str:
    """One fingerprint for several secrets by name, in as many digits; "none" without any."""
    text = json.dumps(fingerprints, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:FINGERPRINT_CHARACTERS] if fingerprints else "none"


def message_for(fingerprints: Mapping[str, str]) -> str:
    """The message of a version with these secrets: it differs where one of them does."""
    return f"secrets {combined(fingerprints)}"
