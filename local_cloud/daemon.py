"""Starting, stopping and finding a local cloud that runs in the background.

Each folder has one cloud at a time, which keeps its token and port across starts. ``stop`` ends exactly the process that ``start``
made: it knows it by its instance id, never by a name.
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
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

from local_cloud.errors import LocalCloudError
from local_cloud.ids import new_uuid
from local_cloud.lock import hold, is_free_within
from local_cloud.plain_http import no_certificates
from local_cloud.workerd.install import ensure_modules, require_installed
from local_cloud.workerd.leftovers import remove_leftovers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_READY_SECONDS, _END_SECONDS, _KILL_SECONDS, _HEALTH_SECONDS = 180.0, 15.0, 30.0, 30.0
"""All but the second are bounds that only a machine reaches on which something hangs: a busy one may take half a minute to start Node."""
_PAUSE_SECONDS = 0.02
PYTHON = sys.executable
"""What the cloud's process is started with."""


@dataclass(frozen=True)
class Running:
    """A running local cloud: its addresses, the token of its API, and the token of its admin port, which is another one after each start."""

    folder: Path
    pid: int
    instance_id: str
    port: int
    api_url: str
    edge_url: str
    admin_url: str
    account_id: str
    token: str
    admin_token: str
    provider_port: int

    def __repr__(self) -> str:
        """Describe it without its tokens."""
        return f"Running(folder={str(self.folder)!r}, pid={self.pid}, api_url={self.api_url!r})"


def start(
    folder: Path, *, port: int = 0, subdomain: str = "automation-ab6", runtime_cache: Path | None = None, program: Path | None = None
) -> Running:
    """Start a local cloud on the state in ``folder`` and wait until it is ready.

    With port 0 it uses the port of the earlier start again. Node modules are installed once into ``runtime_cache``, by default
    ``runtime`` beside the folder. The stand-in provider reads the modules and static assets of programs relative to ``program``, by default the present
    folder. Raises LocalCloudError when a cloud is already running, the port is in use, or the cloud does not become
    ready within three minutes.
    """
    require_installed()
    folder = folder.resolve()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)
    with hold(folder, _READY_SECONDS, "changing"):
        already = status(folder)
        if already is not None:
            raise LocalCloudError(
                str(folder), f"a local cloud is already running (pid {already.pid})", "Use it, or stop it with 'crane local down'"
            )
        modules, instance = ensure_modules(runtime_cache or folder.parent / "runtime"), new_uuid()
        return _ready(folder, instance, _spawn(folder, modules, instance, port, subdomain, program or Path.cwd()))


def stop(folder: Path) -> None:
    """Stop the local cloud that runs on ``folder``, if there is one; raises LocalCloudError when it does not stop or cannot be found."""
    folder = folder.resolve()
    with contextlib.suppress(FileNotFoundError), hold(folder, _READY_SECONDS, "changing"):
        running = status(folder)
        if running is not None:
            _end(running)
        _remove_leftovers(folder)


def status(folder: Path) -> Running | None:
    """Give the local cloud that runs on ``folder``; None when there is none, or when something else now uses its port."""
    announced = _announced(folder.resolve())
    if announced is None:
        return None
    try:
        url, headers = f"{announced.admin_url}/health", {"authorization": f"Bearer {announced.admin_token}"}
        health = httpx.get(url, headers=headers, timeout=_HEALTH_SECONDS, trust_env=False, verify=no_certificates()).json()
        is_answering = health["instance_id"] == announced.instance_id
    except (httpx.HTTPError, ValueError, KeyError, TypeError):
        return None
    return announced if is_answering else None


def _end(running: Running) -> None:
    with _watched(running.pid) as is_over:
        for number, seconds in ((signal.SIGTERM, _END_SECONDS), (signal.SIGKILL, _KILL_SECONDS)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(running.pid, number)
            if is_free_within(running.folder, seconds):
                is_over()
                _reap(running.pid)
                return
    raise LocalCloudError(str(running.folder), f"the local cloud (pid {running.pid}) does not stop", f"Kill process {running.pid}")


@contextlib.contextmanager
def _watched(pid: int) -> Iterator[Callable[[], object]]:
    """Give a function that waits for the end of a process, which comes a moment after its locks are free (Linux only)."""
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
        todo = f"Kill the process whose pid is in {folder / 'cloud.json'}"
        raise LocalCloudError(str(folder), "a local cloud holds this folder and does not answer", todo) from error


def _spawn(folder: Path, modules: Path, instance: str, port: int, subdomain: str, program: Path) -> int:
    arguments = ["--folder", str(folder), "--modules", str(modules), "--instance", instance, "--port", str(port), "--subdomain", subdomain]
    arguments += ["--program", str(program.absolute())]
    log = os.open(folder / "cloud.log", os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600)
    nothing = os.open(os.devnull, os.O_RDONLY)
    try:
        actions = [(os.POSIX_SPAWN_DUP2, nothing, 0), (os.POSIX_SPAWN_DUP2, log, 1), (os.POSIX_SPAWN_DUP2, log, 2)]
        command = [PYTHON, "-m", "local_cloud.server.serve", *arguments]
        return os.posix_spawn(PYTHON, command, os.environ, file_actions=actions)
    finally:
        os.close(nothing)
        os.close(log)


def _ready(folder: Path, instance: str, pid: int) -> Running:
    deadline = time.monotonic() + _READY_SECONDS
    while time.monotonic() < deadline:
        announced = _announced(folder)
        if announced is not None and announced.instance_id == instance:
            return announced
        if _reap(pid):
            raise LocalCloudError("the local cloud does not start", _last_line(folder), f"The whole log is in {folder / 'cloud.log'}")
        time.sleep(_PAUSE_SECONDS)
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    what = f"it was not ready within {_READY_SECONDS:.0f} s; the last line of its log: {_last_line(folder)}"
    raise LocalCloudError("the local cloud does not start", what, f"The whole log is in {folder / 'cloud.log'}")


def _announced(folder: Path) -> Running | None:
    try:
        facts: dict[str, Any] = json.loads((folder / "cloud.json").read_text())
        return Running(folder=folder, **facts)
    except (FileNotFoundError, ValueError, TypeError):
        return None


def _reap(pid: int) -> bool:
    """Whether this process has ended; reaps it when it is our child."""
    try:
        return os.waitpid(pid, os.WNOHANG)[0] == pid
    except ChildProcessError:
        return False


def _last_line(folder: Path) -> str:
    lines = (folder / "cloud.log").read_text(errors="replace").split("\n")
    return next((line for line in reversed(lines) if line.strip()), "the log is empty")
