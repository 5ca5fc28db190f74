"""Which version of a deployment answers a request: the one that a header names, else one by key, else one at random. Pure but for chance.

The headers are Cloudflare's. ``Cloudflare-Workers-Version-Overrides`` (a dictionary of RFC 9651, worker to version id) reaches only a
version of the current deployment, 0% included; a header that is not a dictionary is ignored. ``Cloudflare-Workers-Version-Key`` always
leads to the same version of a deployment, and no key returns to the older version as the newer one's share grows.
"""

from __future__ import annotations

import functools
import hashlib
import random
from typing import TYPE_CHECKING, cast

import http_sf

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from local_cloud.store import Body

OVERRIDES, AFFINITY = "cloudflare-workers-version-overrides", "cloudflare-workers-version-key"
_LONGEST = 4096


def chosen(deployment: Body, script: str, headers: Mapping[str, str], number: Callable[[str], int]) -> str:
    """Give the id of the version that answers; ``number`` gives a version's number."""
    shares: list[Body] = deployment["versions"]
    override = dictionary(headers.get(OVERRIDES, "")).get(script)
    if override in [share["version_id"] for share in shares]:
        return str(override)
    if AFFINITY not in headers:
        return draw(shares)
    return _by_key(sorted(shares, key=lambda share: number(share["version_id"]), reverse=True), headers[AFFINITY])


def draw(shares: list[Body]) -> str:
    """Draw a version id by percentage; one with 0 is never drawn."""
    weights = [float(share["percentage"]) for share in shares]
    return str(random.choices(shares, weights)[0]["version_id"])  # noqa: S311 (no secret)


@functools.lru_cache(maxsize=256)
def dictionary(text: str) -> Mapping[str, str]:
    """Give the members of an RFC 9651 dictionary that are strings; empty where the text is no such dictionary or is too long."""
    if len(text) > _LONGEST:
        return {}
    try:
        members = cast("dict[str, tuple[object, object]]", http_sf.parse(text.encode(), tltype="dictionary"))
    except http_sf.StructuredFieldError:
        return {}
    return {key: value for key, (value, _) in members.items() if isinstance(value, str)}


def _by_key(newest_first: list[Body], key: str) -> str:
    point = int.from_bytes(hashlib.sha256(key.encode()).digest()[:8]) / 2**64 * 100
    newest, *older = newest_first
    return str((newest if point < newest["percentage"] or not older else older[0])["version_id"])
