"""The archive of a release at GitHub: an artifact of the run that built it, which expires, or a file of a tagged release, which stays.

Anybody whose pull request runs can store an artifact of any name, so only artifacts of this repository's own commit count, and
crane_infra/release/archive.py still checks the digest.
"""

import io
import zipfile
from pathlib import Path
from urllib.parse import quote

from crane_infra.errors import GithubError
from crane_infra.github.answers import ARTIFACTS, RELEASE, RELEASES
from crane_infra.github.client import Github


def name_of(digest: str) -> str:
    """The name of a release's artifact."""
    return f"release-{digest}"


def fetch(github: Github, digest: str, commit: str) -> bytes:
    """Download the archive that a run of this repository stored at ``commit``, or that a tagged release holds.

    Raises GithubError where neither exists.
    """
    artifact = _artifact(github, digest, commit)
    if artifact is not None:
        return _only_file(github.download(f"/actions/artifacts/{artifact}/zip"), name_of(digest))
    asset = _asset(github, digest)
    if asset is None:
        todo = f"Run the staging workflow at commit {commit} again to store it, or promote a newer release"
        raise GithubError(name_of(digest)[:20], "no artifact and no tagged release holds its archive", todo)
    return github.download(f"/releases/assets/{asset}")


def keep(github: Github, tag: str, digest: str, archive: Path) -> str:
    """Attach an archive to the release of a tag, creating that release if necessary; returns the file's name. An existing file stays.

    Raises GithubError.
    """
    release = github.find(RELEASE, f"/releases/tags/{quote(tag, safe='')}")
    release = release or github.send(RELEASE, "POST", "/releases", {"tag_name": tag, "name": tag})
    name = f"{name_of(digest)}.tar"
    if all(asset.name != name for asset in release.assets):
        github.upload(release.upload_url.partition("{")[0], name, archive.read_bytes())
    return name


def _artifact(github: Github, digest: str, commit: str) -> int | None:
    for artifact in github.every(ARTIFACTS, "/actions/artifacts", within="artifacts", name=name_of(digest)):
        run = artifact.workflow_run
        if run and not artifact.expired and run.head_sha == commit and run.head_repository_id == run.repository_id:
            return artifact.id
    return None


def _asset(github: Github, digest: str) -> int | None:
    name = f"{name_of(digest)}.tar"
    assets = (asset for release in github.every(RELEASES, "/releases") for asset in release.assets)
    return next((asset.id for asset in assets if asset.name == name), None)


def _only_file(content: bytes, where: str) -> bytes:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            (name,) = archive.namelist()
            return archive.read(name)
    except (zipfile.BadZipFile, ValueError):
        todo = "Run the staging workflow again to store it again"
        raise GithubError(where[:20], "the artifact is not a zip archive of one file", todo) from None
