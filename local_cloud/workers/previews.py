"""Addresses of single versions: ``<first 8 digits of its id>-<script>`` and ``<alias>-<script>``.

A version that no deployment names starts when its address is requested. Only the 8 most recently requested ones keep running, so
previews cost nothing until they are used.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from local_cloud.store import Body, Store

MOST_RUNNING = 8
_PREFIX = 8


class Previews:
    """The versions that run only because their address was requested."""

    def __init__(self) -> None:
        """Start with none."""
        self._ids: OrderedDict[str, None] = OrderedDict()

    def use(self, version: str) -> bool:
        """Keep a version running; True when it was not running yet."""
        fresh = version not in self._ids
        self._ids[version] = None
        self._ids.move_to_end(version)
        if len(self._ids) > MOST_RUNNING:
            self._ids.popitem(last=False)
        return fresh

    @property
    def ids(self) -> list[str]:
        """The ids of the versions, the least recently requested first."""
        return list(self._ids)


def previewed(store: Store, label: str) -> Body | None:
    """Give the version whose address has this label, None if there is none or its worker has previews disabled."""
    for at, letter in enumerate(label):
        worker = store.named("worker", label[at + 1 :]) if letter == "-" else None
        if worker is None or not worker["subdomain"]["previews_enabled"]:
            continue
        version = _labelled(store, worker, label[:at])
        if version is not None:
            return version
    return None


def _labelled(store: Store, worker: Body, prefix: str) -> Body | None:
    versions = [version for version in reversed(store.children("version", worker["id"])) if version["modules"]]
    matching = (version for version in versions if _matches(version, prefix))
    return next(matching, None)


def _matches(version: Body, prefix: str) -> bool:
    return prefix in {version["id"][:_PREFIX], version["annotations"].get("workers/alias")}
