"""Which version of a deployment answers a request: the one asked for by header, else one by key, else one by chance. Pure.

The headers are Cloudflare's: ``Cloudflare-Workers-Version-Overrides`` (a dictionary of RFC 8941, worker to version id) reaches only a version of the
current deployment, 0% included; a header that is no dictionary counts for nothing. ``Cloudflare-Workers-Version-Key`` always leads to the
same version of a deployment, and as the newer version's share grows nobody goes back to the older one.
"""

from __future__ import annotations

import hashlib
import random
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from local_cloud.store import Body

OVERRIDES, AFFINITY = "cloudflare-workers-version-overrides", "cloudflare-workers-version-key"
_KEY = r"[a-z*][a-z0-9_\-.*]*"
_STRING = r'"(?:[ !#-\[\]-~]|\\["\\])*"'
_TOKEN = r"[A-Za-z*][!#$%&'*+\-.^_`|~:/0-9A-Za-z]*"  # noqa: S105 (a grammar)
_BARE = rf"(?:{_STRING}|-?[0-9]{{1,15}}(?:\.[0-9]{{1,3}})?|\?[01]|:[A-Za-z0-9+/=]*:|{_TOKEN})"
_PARAMETERS = rf"(?:; *{_KEY}(?:={_BARE})?)*"
_ITEM = rf"{_BARE}{_PARAMETERS}"
_INNER_LIST = rf"\( *(?:{_ITEM}(?: +{_ITEM})* *)?\){_PARAMETERS}"
_MEMBER = re.compile(
    rf"(?P<key>{_KEY})(?:=(?:(?P<string>{_STRING}){_PARAMETERS}|{_ITEM}|{_INNER_LIST})|{_PARAMETERS})(?P<end>[ \t]*,[ \t]*|\Z)"
)
_LONGEST = 4096


def chosen(deployment: Body, script: str, headers: Mapping[str, str], number: Callable[[str], int]) -> str:
    """Give the id of the version that answers; ``number`` gives a version's number."""
    shares: list[Body] = deployment["versions"]
    asked = dictionary(headers.get(OVERRIDES, "")).get(script)
    if asked in [share["version_id"] for share in shares]:
        return str(asked)
    if AFFINITY not in headers:
        return draw(shares)
    return _by_key(sorted(shares, key=lambda share: number(share["version_id"]), reverse=True), headers[AFFINITY])


def draw(shares: list[Body]) -> str:
    """Draw a version id by percentage; one with 0 is never drawn."""
    weights = [float(share["percentage"]) for share in shares]
    return str(random.choices(shares, weights)[0]["version_id"])  # noqa: S311 (no secret)


def dictionary(text: str) -> dict[str, str]:
    """Give the members of an RFC 8941 dictionary that are strings; nothing of what is no dictionary."""
    found: dict[str, str] = {}
    rest = text.strip(" ")
    while rest:
        member = _MEMBER.match(rest) if len(text) <= _LONGEST else None
        if member is None:
            return {}
        rest, more = rest[member.end() :], member["end"]
        if more and not rest:
            return {}  # a comma at the end
        found.pop(member["key"], None)  # the last member of a name counts
        if member["string"] is not None:
            found[member["key"]] = re.sub(r'\\(["\\])', r"\1", member["string"][1:-1])
    return found


def _by_key(newest_first: list[Body], key: str) -> str:
    point = int.from_bytes(hashlib.sha256(key.encode()).digest()[:8]) / 2**64 * 100
    newest, *older = newest_first
    return str((newest if point < newest["percentage"] or not older else older[0])["version_id"])
