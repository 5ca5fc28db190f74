"""The tokens of an upload of static assets: one for its session, another once all its files are there. Signed with the cloud's own token.

wrangler reads ``exp`` out of them; here they are valid as long as the session is kept.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from typing import Any, Literal

Use = Literal["upload", "completion"]
_VALID_SECONDS = 3600
_HEADER = {"alg": "HS256", "typ": "JWT"}


def token(key: str, session: str, use: Use) -> str:
    """Give a token for a session."""
    claims = {"exp": int(time.time()) + _VALID_SECONDS, "session": session, "use": use}
    text = ".".join(map(_encoded, (_HEADER, claims)))
    return f"{text}.{_signature(key, text)}"


def session_of(key: str, given: str, use: Use) -> str | None:
    """Give the session of a token for this use, None where it is no such token."""
    text, _, signature = given.rpartition(".")
    if not hmac.compare_digest(signature.encode(), _signature(key, text).encode()):
        return None
    claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(f"{text.partition('.')[2]}==="))
    return str(claims["session"]) if claims["use"] == use else None


def _encoded(value: object) -> str:
    return _text(json.dumps(value).encode())


def _signature(key: str, text: str) -> str:
    return _text(hmac.digest(key.encode(), text.encode(), hashlib.sha256))


def _text(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")
