"""Where a run comes from: the commit of its files, and the versions of what runs it."""

import os
import subprocess
from importlib.metadata import version
from pathlib import Path

from crane_infra.programs import run

_SECONDS = 20.0


def commit(root: Path) -> str | None:
    """The commit that is checked out at ``root``, with ``+changes`` if files differ from it; None outside of git.

    Falls back to ``GITHUB_SHA``.
    """
    checked_out = head(root)
    return f"{checked_out}+changes" if checked_out and _git(root, "status", "--porcelain", "--untracked-files=no") else checked_out


def head(root: Path) -> str | None:
    """The commit that is checked out at ``root``; None outside of git. Falls back to ``GITHUB_SHA``."""
    return _git(root, "rev-parse", "HEAD") or os.environ.get("GITHUB_SHA")


def versions() -> dict[str, str]:
    """The versions of the engine's SDK and of the provider's. The provider's plugin has the version of its SDK."""
    return {name: version(name) for name in ("pulumi", "pulumi-cloudflare")}


def _git(root: Path, *words: str) -> str | None:
    try:
        result = run(["git", "-C", str(root), *words], seconds=_SECONDS)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return result.stdout.strip() or None if result.returncode == 0 else None
