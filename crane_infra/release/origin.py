"""Where a run comes from: the commit of its files, and the versions of what runs it."""

import os
import subprocess
from importlib.metadata import version
from pathlib import Path


def commit(root: Path) -> str | None:
    """The commit checked out at ``root``, with ``+changes`` where files differ from it; None outside of git."""
    found = _git(root, "rev-parse", "HEAD") or os.environ.get("GITHUB_SHA")
    return f"{found}+changes" if found and _git(root, "status", "--porcelain", "--untracked-files=no") else found


def versions() -> dict[str, str]:
    """The engine's SDK and the provider's; the provider's plugin is of the same version as its SDK."""
    return {name: version(name) for name in ("pulumi", "pulumi-cloudflare")}


def _git(root: Path, *words: str) -> str | None:
    try:
        ended = subprocess.run(["git", "-C", root, *words], capture_output=True, text=True, check=True, timeout=20)  # noqa: S603, S607
    except (OSError, subprocess.SubprocessError):
        return None
    return ended.stdout.strip() or None
