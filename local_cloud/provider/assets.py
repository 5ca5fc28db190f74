"""The static assets of a version: the manifest of a folder, and their upload in the order in which the official provider makes its calls.

The session's token is sent and kept nowhere. Which files belong to a version is not decided here: all of the folder do.
"""

import base64
import hashlib
import json
import mimetypes
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local_cloud.errors import LocalCloudError
from local_cloud.provider.api import Api, RequestError, account_path

_FAILED = "failed to upload assets"


@dataclass(frozen=True)
class Asset:
    """One file: where it is, the hash under which it is sent, and its size."""

    file: Path
    hash: str
    size: int


def manifest_of(folder: Path) -> dict[str, Asset]:
    """Give the files of a folder by the path at which each is served; raises LocalCloudError when it cannot be read."""
    if not folder.is_dir():
        raise LocalCloudError("assets.assetManifestSha256", f"Error reading asset files: {folder} is not a folder", "Make the folder")
    return {f"/{file.relative_to(folder).as_posix()}": _asset(file) for file in sorted(folder.rglob("*")) if not file.is_dir()}


def manifest_digest(manifest: dict[str, Asset]) -> str:
    """Give the digest by which the official provider sees a change of files."""
    text = json.dumps(_sent(manifest), separators=(",", ":"), ensure_ascii=False, sort_keys=True)
    for sign in "<>&\u2028\u2029":  # which Go escapes
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return hashlib.sha256(text.encode()).hexdigest()


async def upload(api: Api, account: str, worker: str, manifest: dict[str, Asset]) -> str:
    """Upload what Cloudflare does not have yet, and give the token that stands for all files; raises RequestError."""
    try:
        name = (await api.call("GET", account_path(account, "workers", "workers", worker)))["name"]
        path = account_path(account, "workers", "scripts", name, "assets-upload-session")
        session = await api.call("POST", path, {"manifest": _sent(manifest)})
        completion = await _uploaded(api, account, session, {asset.hash: asset for asset in manifest.values()})
    except RequestError as error:
        raise RequestError(error.what, error.status, _FAILED) from error
    if not completion:
        raise RequestError("no completion token received from upload session", 0, _FAILED)
    return completion


async def _uploaded(api: Api, account: str, session: dict[str, Any], assets: dict[str, Asset]) -> str:
    completion = "" if session["buckets"] else str(session["jwt"])
    for bucket in session["buckets"]:
        parts = [(digest, _part(assets[digest])) for digest in bucket]
        reply = await api.call(
            "POST", f"{account_path(account, 'workers', 'assets', 'upload')}?base64=true", files=parts, token=session["jwt"]
        )
        completion = reply["jwt"] or completion
    return completion


def _asset(file: Path) -> Asset:
    content = file.read_bytes()
    return Asset(file, hashlib.sha256(content).hexdigest()[:32], len(content))


def _sent(manifest: dict[str, Asset]) -> dict[str, dict[str, Any]]:
    return {path: {"hash": asset.hash, "size": asset.size} for path, asset in manifest.items()}


def _part(asset: Asset) -> tuple[str, bytes, str]:
    kind = mimetypes.guess_type(asset.file.name)[0] or "application/octet-stream"
    return asset.file.name, base64.b64encode(asset.file.read_bytes()), kind
