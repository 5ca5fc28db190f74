"""Starting, stopping and finding a local cloud that runs in the background.

Every promise is per folder: one cloud at a time, its own token and port kept across starts, and ``stop`` ends exactly the process that
``start`` made, told by its instance id and never by a name.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx

from local_cloud.errors import LocalCloudError
from local_cloud.ids import new_uuid
from local_cloud.lock import hold, is_free_within
from local_cloud.workerd.install import ensure_modules
from local_cloud.workerd.leftovers import remove_leftovers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_READY_SECONDS, _END_SECONDS, _KILL_SECONDS, _HEALTH_SECONDS = 60.0, 15.0, 5.0, 5.0
_PAUSE_SECONDS = 0.02


@dataclass(frozen=True)
class Running:
    """A local cloud that runs: where it is, and what opens it."""

    folder: Path
    pid: int
    instance_id: str
    port: int
    api_url: str
    edge_url: str
    admin_url: str
    account_id: str
    token: str
    provider_port: int

    def __repr__(self) -> str:
        """Describe it without its token."""
        return f"Running(folder={str(self.folder)!r}, pid={self.pid}, api_url={self.api_url!r})"


def start(folder: Path, *, port: int = 0, subdomain: str = "automation-ab6", runtime_cache: Path | None = None) -> Running:
    """Start a local cloud on the state in ``folder`` and wait until it is ready.

    With port 0 the port of the earlier start is used again. Node modules are installed once into ``runtime_cache``, by default
    ``runtime`` beside the folder. Raises LocalCloudError when one runs already, the port is taken, or it does not become ready.
    """
    folder = folder.resolve()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)
    with hold(folder, _READY_SECONDS, "changing"):
        already = status(folder)
        if already is not None:
            raise LocalCloudError(
                str(folder), f"a local cloud is running already (pid {already.pid})", "Use it, or stop it with 'crane local down'"
            )
        modules, instance = ensure_modules(runtime_cache or folder.parent / "runtime"), new_uuid()
        return _ready(folder, instance, _spawn(folder, modules, instance, port, subdomain))


def stop(folder: Path) -> None:
    """End the local cloud that runs on ``folder``, if one does; raises LocalCloudError when it cannot be ended or found."""
    folder = folder.resolve()
    with contextlib.suppress(FileNotFoundError), hold(folder, _READY_SECONDS, "changing"):
        found = status(folder)
        if found is not None:
            _end(found)
        _remove_leftovers(folder)


def status(folder: Path) -> Running | None:
    """Give the local cloud that runs on ``folder``; None when there is none, or when something else has its port now."""
    found = _announced(folder.resolve())
    if found is None:
        return None
    try:
        health = httpx.get(f"{found.admin_url}/health", timeout=_HEALTH_SECONDS, trust_env=False).json()
        mine = health["instance_id"] == found.instance_id
    except (httpx.HTTPError, ValueError, KeyError, TypeError):
        return None
    return found if mine else None


def _end(found: Running) -> None:
    with _watched(found.pid) as is_over:
        for number, seconds in ((signal.SIGTERM, _END_SECONDS), (signal.SIGKILL, _KILL_SECONDS)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(found.pid, number)
            if is_free_within(found.folder, seconds):
                is_over()
                _reap(found.pid)
                return
    raise LocalCloudError(str(found.folder), f"the local cloud (pid {found.pid}) does not end", "End it by hand")


@contextlib.contextmanager
def _watched(pid: int) -> Iterator[Callable[[], object]]:
    """Give what waits a while for the end of a process, which comes a moment after its locks are free; where the system can tell (Linux)."""
    with contextlib.ExitStack() as stack:
        watched: list[int] = []
        if hasattr(os, "pidfd_open"):
            with contextlib.suppress(ProcessLookupError):
                watched.append(os.pidfd_open(pid))
                stack.callback(os.close, watched[0])
        yield lambda: watched and select.select(watched, [], [], _KILL_SECONDS)


def _remove_leftovers(folder: Path) -> None:
    try:
        with hold(folder, _KILL_SECONDS):
            remove_leftovers(folder)
    except LocalCloudError as error:
        todo = f"End it by hand; {folder / 'cloud.json'} has its pid"
        raise LocalCloudError(str(folder), "a local cloud holds this folder and does not answer", todo) from error


def _spawn(folder: Path, modules: Path, instance: str, port: int, subdomain: str) -> int:
    arguments = ["--folder", str(folder), "--modules", str(modules), "--instance", instance, "--port", str(port), "--subdomain", subdomain]
    log = os.open(folder / "cloud.log", os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600)
    nothing = os.open(os.devnull, os.O_RDONLY)
    try:
        actions = [(os.POSIX_SPAWN_DUP2, nothing, 0), (os.POSIX_SPAWN_DUP2, log, 1), (os.POSIX_SPAWN_DUP2, log, 2)]
        command = [sys.executable, "-m", "local_cloud.server.serve", *arguments]
        return os.posix_spawn(sys.executable, command, os.environ, file_actions=actions)
    finally:
        os.close(nothing)
        os.close(log)


def _ready(folder: Path, instance: str, pid: int) -> Running:
    deadline = time.monotonic() + _READY_SECONDS
    while time.monotonic() < deadline:
        found = _announced(folder)
        if found is not None and found.instance_id == instance:
            return found
        if _reap(pid):
            raise LocalCloudError("the local cloud does not start", _last_line(folder), f"The whole log is {folder / 'cloud.log'}")
        time.sleep(_PAUSE_SECONDS)
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    what = f"not ready within {_READY_SECONDS:.0f} s; its last words: {_last_line(folder)}"
    raise LocalCloudError("the local cloud does not start", what, f"The whole log is {folder / 'cloud.log'}")


def _announced(folder: Path) -> Running | None:
    try:
        facts: dict[str, Any] = json.loads((folder / "cloud.json").read_text())
        return Running(folder=folder, **facts)
    except (FileNotFoundError, ValueError, TypeError):
        return None


def _reap(pid: int) -> bool:
    """Tell whether this process has ended, and let go of it where it is our child."""
    try:
        return os.waitpid(pid, os.WNOHANG)[0] == pid
    except ChildProcessError:
        return False


def _last_line(folder: Path) -> str:
    lines = (folder / "cloud.log").read_text(errors="replace").split("\n")
    return next((line for line in reversed(lines) if line.strip()), "it said nothing")
