"""The archive of a release, where GitHub keeps it: an artifact of the run that made it or, for good, a file of a tagged release.

Whether it is the right one is for crane_infra/release/archive.py to say: anybody whose pull request runs can store an artifact of any name. Prevents
a promotion from looking at such a one while the right one is there.
"""

import io
import zipfile
from pathlib import Path
from urllib.parse import quote

from crane_infra.errors import GithubError
from crane_infra.github.client import Github


def name_of(digest: str) -> str:
    """What the artifact of a release is called."""
    return f"release-{digest}"


def fetch(github: Github, digest: str, commit: str) -> bytes:
    """The archive of a release that a run of this repository stored at ``commit``, or that a tagged release holds.

    Raises GithubError where neither is there.
    """
    found = _artifact(github, digest, commit)
    if found is not None:
        return _only_file(github.download(f"/actions/artifacts/{found}/zip"), name_of(digest))
    asset = _asset(github, digest)
    if asset is None:
        todo = f"Run the staging workflow at commit {commit} again, which stores it, or promote a newer release"
        raise GithubError(name_of(digest)[:20], "neither an artifact nor a file of a tagged release holds its archive", todo)
    return github.download(f"/releases/assets/{asset}")


def keep(github: Github, tag: str, digest: str, archive: Path) -> str:
    """Store an archive with the release of a tag, which is made if need be; what is there already stays. Gives the file's name.

    Raises GithubError.
    """
    release = github.find(f"/releases/tags/{quote(tag, safe='')}") or github.send("POST", "/releases", {"tag_name": tag, "name": tag})
    name = f"{name_of(digest)}.tar"
    if all(asset["name"] != name for asset in release.get("assets") or []):
        github.upload(str(release["upload_url"]).partition("{")[0], name, archive.read_bytes())
    return name


def _artifact(github: Github, digest: str, commit: str) -> int | None:
    for one in github.every("/actions/artifacts", within="artifacts", name=name_of(digest)):
        run = one.get("workflow_run") or {}
        if not one["expired"] and run.get("head_sha") == commit and run.get("head_repository_id") == run.get("repository_id"):
            return int(one["id"])
    return None


def _asset(github: Github, digest: str) -> int | None:
    wanted = f"{name_of(digest)}.tar"
    assets = (asset for release in github.every("/releases") for asset in release.get("assets") or [])
    return next((int(asset["id"]) for asset in assets if asset["name"] == wanted), None)


def _only_file(content: bytes, where: str) -> bytes:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            (name,) = archive.namelist()
            return archive.read(name)
    except (zipfile.BadZipFile, ValueError):
        raise GithubError(
            where[:20], "the artifact is no archive of one file", "Run the staging workflow again, which stores it anew"
        ) from None
