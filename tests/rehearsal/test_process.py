"""A child is killed with all that it started, also with what has lost its parent."""

import os
from pathlib import Path

import psutil

from crane_infra.rehearsal.process import Child, happens

STARTS = "(sleep 600 & echo $! > orphan); sleep 600 & echo $! > child; wait"


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that only waits to be looked at does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_what_lost_its_parent_is_killed_too(tmp_path: Path) -> None:
    child = Child(["sh", "-c", f"cd {tmp_path}; {STARTS}"], os.environ)
    files = [tmp_path / name for name in ("orphan", "child")]
    assert happens(lambda: all(file.exists() and file.read_text(encoding="utf-8") for file in files), 60)
    pids = [int(file.read_text(encoding="utf-8")) for file in files]
    assert all(map(is_alive, pids))
    assert child.kill().exit != 0
    assert not any(map(is_alive, pids))
