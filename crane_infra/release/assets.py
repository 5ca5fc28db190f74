"""The files of static assets of one worker: which ones are served, and what of a folder is refused because it could not be carried.

Reads them as wrangler does: ``_headers`` and ``_redirects`` are rules and no files, and ``.assetsignore`` names what is left out.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from crane_infra.errors import BundleError, refuse
from crane_infra.release.bundle import Module

MOST_FILES, LARGEST_BYTES = 20_000, 25 * 2**20
RULES = ("_headers", "_redirects")
IGNORE = ".assetsignore"
_SHOWN_DIGITS = 16
"""Of the digest of a file, in a manifest: enough to count what changed. The digest of all of them is there whole."""
_SHOWN_FAULTS = 5
_NOT_CARRIED = re.compile(r'["\\\x00-\x1f\x7f\ud800-\udfff]')


class AssetFile(NamedTuple):
    """One file: its path below the folder, with forward slashes, its digest (sha256 in hex) and its size."""

    name: str
    sha256: str
    size: int


class StaticAssets(NamedTuple):
    """The files of a worker, sorted by name, and its rules, which go up as modules."""

    files: tuple[AssetFile, ...]
    rules: tuple[Module, ...] = ()

    @property
    def digest(self) -> str:
        """The digest of all files by name, in hex; the rules are not part of it."""
        return hashlib.sha256("".join(f"{file.sha256} {file.name}\n" for file in self.files).encode()).hexdigest()

    def part(self) -> dict[str, Any]:
        """The part of a manifest."""
        rules = {module.name: module.sha256 for module in self.rules}
        files = {file.name: file.sha256[:_SHOWN_DIGITS] for file in self.files}
        return {"sha256": self.digest, "files": files, **({"rules": rules} if rules else {})}


def read_assets(folder: Path, worker: str) -> StaticAssets:
    """Read the files below ``folder``.

    Raises BundleError with a line for each of the first faults: a folder that is missing or empty, and files that cannot be carried or served.
    """
    where = f"assets of {worker} ({folder})"
    if not folder.is_dir():
        raise BundleError(where, "the folder does not exist", "Build it, or correct the directory of the assets in crane_infra/catalog.py")
    try:
        ignored = _ignored(folder, where)
        paths = [path for path in sorted(folder.rglob("*")) if path.is_symlink() or not path.is_dir()]
        names = {path.relative_to(folder).as_posix(): path for path in paths}
        served = {name: path for name, path in names.items() if name not in (*RULES, IGNORE) and not _is_ignored(name, ignored)}
        refuse(list(_faults(served, folder, where))[:_SHOWN_FAULTS])
        files = tuple(_file(name, path) for name, path in served.items())
        rules = tuple(Module(name, "text/plain", names[name].read_bytes()) for name in RULES if name in names)
    except OSError as error:
        raise BundleError(where, f"cannot be read ({error.strerror})", "Make its files readable") from None
    refuse(list(_clashes(files, where))[:_SHOWN_FAULTS])
    return StaticAssets(files, rules)


def change_of(before: object, after: object) -> str:
    """How the files of two manifests differ, in a few words; "" where they do not."""
    old, new = (_shown_files(part) for part in (before, after))
    counts = {
        "new": len(new.keys() - old.keys()),
        "changed": sum(name in new and new[name] != digest for name, digest in old.items()),
        "removed": len(old.keys() - new.keys()),
    }
    texts = [f"{count} {word}" for word, count in counts.items() if count]
    if _rules_of(before) != _rules_of(after):
        texts.append("other rules for headers or redirects")
    return f"{', '.join(texts)} ({_counted(len(new))} in all)" if texts else ""


def _counted(files: int) -> str:
    return "1 file" if files == 1 else f"{files} files"


def _shown_files(part: object) -> Mapping[str, object]:
    files = part.get("files") if isinstance(part, Mapping) else None
    return files if isinstance(files, Mapping) else {}


def _rules_of(part: object) -> object:
    return (part.get("rules") or {}) if isinstance(part, Mapping) else {}


def _file(name: str, path: Path) -> AssetFile:
    with path.open("rb") as file:
        return AssetFile(name, hashlib.file_digest(file, "sha256").hexdigest(), path.stat().st_size)


def _faults(served: Mapping[str, Path], folder: Path, where: str) -> Iterator[BundleError]:
    if not served:
        yield BundleError(where, "the folder has no files", "Build it, or remove the assets from crane_infra/catalog.py")
    if len(served) > MOST_FILES:
        yield BundleError(where, f"{len(served):,} files are more than Cloudflare takes ({MOST_FILES:,})", "Leave some out")
    for name, path in served.items():
        if path.is_symlink() and (not path.resolve().is_relative_to(folder.resolve()) or not path.is_file()):
            yield BundleError(where, f"{name} is a link that does not lead to a file in the folder", "Replace the link with the file")
        elif not path.is_file():
            yield BundleError(where, f"{name} is not a file", "Remove it")
        elif _NOT_CARRIED.search(name):
            shown = name.encode("ascii", "backslashreplace").decode()
            yield BundleError(
                where, f"{shown} has a name that the provider cannot upload", "Rename it, without quotation marks and backslashes"
            )
        elif path.stat().st_size > LARGEST_BYTES:
            yield BundleError(where, f"{name} is larger than 25 MiB", "Serve it from an R2 bucket")
        elif PurePosixPath(name).parts[0] == "_worker.js":
            yield BundleError(where, f"{name} is code of a worker, and everyone could read it", f"Name _worker.js in {IGNORE}")


def _clashes(files: tuple[AssetFile, ...], where: str) -> Iterator[BundleError]:
    """Files with one content and several types: the provider uploads a content once, with the type of any of its files."""
    first: dict[str, AssetFile] = {}
    for file in files:
        other = first.setdefault(file.sha256, file)
        if PurePosixPath(other.name).suffix.lower() != PurePosixPath(file.name).suffix.lower():
            what = f"{other.name} and {file.name} have the same content and different types, and the provider would give both one type"
            yield BundleError(where, what, "Add a line break or a comment to one of them")


def _ignored(folder: Path, where: str) -> list[str]:
    file = folder / IGNORE
    if not file.is_file():
        return []
    lines = [line.strip() for line in file.read_text(encoding="utf-8", errors="replace").splitlines()]
    names = [line for line in lines if line and not line.startswith("#")]
    if wrong := [name for name in names if re.search(r"[*?\[\]!\\]", name)]:
        what = f"the line '{wrong[0]}' of {IGNORE} is a pattern, and only whole names are read here"
        raise BundleError(where, what, "Write the names of the files or folders")
    return names


def _is_ignored(name: str, ignored: list[str]) -> bool:
    """Whether a line names the file or a folder around it: anywhere, or from the top where the line has a slash before its end."""
    parts = PurePosixPath(name).parts
    for line in ignored:
        path = line.strip("/")
        folders = parts[:-1] if line.endswith("/") else parts
        if "/" in line.rstrip("/"):
            wanted = PurePosixPath(path).parts
            if folders[: len(wanted)] == wanted:
                return True
        elif path in folders:
            return True
    return False
