"""Upload sessions of static assets: the manifest of a version's files, and which contents are still to be uploaded.

A session is stored, so a call that is sent again after its answer was lost finds what the first one left.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from local_cloud.envelope import BAD_REQUEST, MALFORMED, Refusal
from local_cloud.ids import new_hex

if TYPE_CHECKING:
    from collections.abc import Iterator

    from local_cloud.cloud import Cloud
    from local_cloud.store import Body

MOST_FILES, LARGEST_FILE = 20_000, 25 * 2**20
_KEPT_SESSIONS = 100
_BUCKET_FILES, _BUCKET_BYTES = 100, 40 * 2**20
_HASH = re.compile(r"[0-9a-f]{32}")


def open_session(cloud: Cloud, script: str, manifest: object) -> Body:
    """Store and give a session for these files; raises Refusal."""
    session: Body = {"id": new_hex(), "script": script, "manifest": _checked(manifest)}
    for old in cloud.store.children("asset_session", script)[: -(_KEPT_SESSIONS - 1)]:
        cloud.store.remove(old["id"])
    cloud.store.add("asset_session", session["id"], session, parent=script)
    return session


def missing(cloud: Cloud, session: Body) -> dict[str, int]:
    """Give the contents of a session that are not there yet: sizes by hash."""
    sizes = {entry["hash"]: entry["size"] for entry in session["manifest"].values()}
    return {digest: size for digest, size in sizes.items() if not cloud.assets.has(digest)}


def buckets(sizes: dict[str, int]) -> list[list[str]]:
    """Share contents out over uploads, none of which is too large."""
    shared: list[list[str]] = []
    room = 0
    for digest, size in sizes.items():
        if not shared or len(shared[-1]) == _BUCKET_FILES or room < size:
            shared.append([])
            room = _BUCKET_BYTES
        shared[-1].append(digest)
        room -= size
    return shared


def _checked(manifest: object) -> Body:
    if not isinstance(manifest, dict):
        raise _malformed("manifest must be an object")
    if len(manifest) > MOST_FILES:
        raise _malformed(f"a manifest has at most {MOST_FILES} files")
    for what in _wrong(manifest):
        raise _malformed(what)
    return manifest


def _wrong(manifest: Body) -> Iterator[str]:
    for path, entry in manifest.items():
        if not path.startswith("/") or {"", ".", ".."}.intersection(path[1:].split("/")) or "\0" in path:
            yield f"'{path}' is not the path of an asset"
        if not isinstance(entry, dict) or not _HASH.fullmatch(str(entry.get("hash"))) or not isinstance(entry.get("size"), int):
            yield f"'{path}' needs a hash of 32 hex digits and a size"
        elif not 0 <= entry["size"] <= LARGEST_FILE:
            yield f"'{path}' is larger than {LARGEST_FILE // 2**20} MiB"


def _malformed(what: str) -> Refusal:
    return Refusal(BAD_REQUEST, MALFORMED, f"The request is malformed: {what}")
