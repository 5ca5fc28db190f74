"""The built modules of one worker. They are read once: what is uploaded are copies of the bytes that were hashed."""

import hashlib
from pathlib import Path
from typing import NamedTuple

from crane_infra.errors import BundleError

# Content types by suffix, as the upload API takes them (Cloudflare's multipart upload metadata, "modules").
CONTENT_TYPES = {
    ".js": "application/javascript+module",
    ".mjs": "application/javascript+module",
    ".wasm": "application/wasm",
    ".txt": "text/plain",
    ".html": "text/plain",
    ".sql": "text/plain",
    ".json": "application/json",
    ".bin": "application/octet-stream",
}
# Suffixes of files that `wrangler deploy --dry-run --outdir` writes beside the modules.
IGNORED = {".map", ".md"}


class Module(NamedTuple):
    """One file of a bundle. ``name`` is its path below the bundle folder, with forward slashes."""

    name: str
    content_type: str
    content: bytes

    @property
    def sha256(self) -> str:
        """The sha256 of the content, in hex."""
        return hashlib.sha256(self.content).hexdigest()


class Bundle(NamedTuple):
    """The modules of a worker, sorted by name."""

    main_module: str
    modules: tuple[Module, ...]


def read_bundle(folder: Path, main_module: str, worker: str) -> Bundle:
    """Read the modules below ``folder``.

    Raises BundleError if the folder or its main module is missing, or if a file has a suffix that is not in ``CONTENT_TYPES``.
    """
    where = f"bundle of {worker} ({folder})"
    build = "Build the worker (for TypeScript: wrangler deploy --dry-run --outdir dist), or correct workers-dir"
    if not _is_folder(folder):
        raise BundleError(where, "the folder does not exist", build)
    try:
        files = sorted(path for path in folder.rglob("*") if path.is_file() and path.suffix not in IGNORED)
        modules = tuple(_module(path, folder, where) for path in files)
    except OSError as error:
        raise BundleError(where, f"cannot be read ({error.strerror})", "Make its files readable") from None
    main = next((module for module in modules if module.name == main_module), None)
    if main is None or not main.content:
        raise BundleError(where, f"its {main_module} is empty" if main else f"it has no {main_module}", build)
    return Bundle(main_module, modules)


def _module(path: Path, folder: Path, where: str) -> Module:
    name = path.relative_to(folder).as_posix()
    if not path.resolve().is_relative_to(folder.resolve()):
        raise BundleError(where, f"{name} is a link to a file outside the folder", "Replace the link with the file")
    if path.suffix not in CONTENT_TYPES:
        raise BundleError(where, f"{name} is not a module of a worker", f"Remove it. Known suffixes: {', '.join(sorted(CONTENT_TYPES))}")
    return Module(name, CONTENT_TYPES[path.suffix], path.read_bytes())


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:
        return False
