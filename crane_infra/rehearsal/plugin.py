"""The official Cloudflare provider, where it is installed: how the engine of a local project finds it.

That engine looks for plugins in the project's own Pulumi home, and skips whatever is not a real directory. So that home gets a directory with
links to the files of the installed plugin. Nothing is copied: the plugin is large, and an installation at the same place takes effect at once.
"""

import os
import shutil
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

FOLDER = f"resource-cloudflare-v{version('pulumi-cloudflare')}"
"""The only version that the engine accepts: the one that the program asks for."""
PROGRAM = "pulumi-resource-cloudflare"


def use_installed(home: Path, environ: Mapping[str, str]) -> bool:
    """Let an engine with this Pulumi home find the plugin that is installed for the user of ``environ``; False where there is none.

    What an earlier call made is brought up to date, or removed where the plugin is no longer installed.
    """
    ours = home / "plugins" / FOLDER
    installed = _installed(ours, environ)
    if not _is_complete(installed):
        if _is_made_of_links(ours):
            _remove(ours)
        return False
    if installed != ours:
        _link(ours, installed)
    return True


def _installed(ours: Path, environ: Mapping[str, str]) -> Path:
    """Where the plugin has to be: in ``ours`` if it was installed there, else in the user's Pulumi home.

    A shell that uses the local project has ``ours`` in its home; the links there lead to where the plugin is installed.
    """
    if not _is_made_of_links(ours) and _is_complete(ours):
        return ours
    users = Path(environ.get("PULUMI_HOME") or Path.home() / ".pulumi").absolute() / "plugins" / FOLDER
    return _origin(ours) if users.parent.resolve() == ours.parent.resolve() else users


def _is_complete(plugin: Path) -> bool:
    """Whether a plugin can be started. Pulumi marks one whose installation has not finished by a file beside it."""
    program = plugin / PROGRAM
    return program.is_file() and os.access(program, os.X_OK) and not _mark_of_partial(plugin).exists()


def _is_made_of_links(plugin: Path) -> bool:
    """Whether this module made it; earlier versions made one link for the whole directory."""
    return plugin.is_symlink() or (plugin / PROGRAM).is_symlink()


def _origin(plugin: Path) -> Path:
    if plugin.is_symlink():
        return plugin.readlink()
    program = plugin / PROGRAM
    return program.readlink().parent if program.is_symlink() else plugin


def _link(ours: Path, installed: Path) -> None:
    """Make ``ours`` a directory with one link for each entry of ``installed``; does nothing to a link that is right."""
    if ours.is_symlink():
        ours.unlink()
    ours.mkdir(parents=True, exist_ok=True)
    targets = {path.name: path for path in installed.iterdir()}
    for path in ours.iterdir():
        if not path.is_symlink() or targets.get(path.name) != path.readlink():
            _remove(path)
    for name, target in targets.items():
        if not (ours / name).is_symlink():
            _make_link(ours / name, target)
    _mark_of_partial(ours).unlink(missing_ok=True)


def _make_link(link: Path, target: Path) -> None:
    """Make a link, also if another process does the same at this moment."""
    new = link.parent.with_name(f".{link.parent.name}.{os.getpid()}")
    new.unlink(missing_ok=True)
    new.symlink_to(target)
    new.replace(link)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _mark_of_partial(plugin: Path) -> Path:
    return plugin.with_name(f"{plugin.name}.partial")
