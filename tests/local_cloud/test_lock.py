"""A folder's lock: one holder at a time, shared with children that inherit it, and released when the last of them ends."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from local_cloud.errors import LocalCloudError
from local_cloud.lock import hold, is_free_within

ENDS_BEFORE_ITS_CHILD = """
import os, subprocess, sys
from pathlib import Path
from local_cloud.lock import hold
with hold(Path(sys.argv[1]), 0) as descriptor:
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], pass_fds=(descriptor,), **quiet)
    print(child.pid, flush=True)
    os._exit(0)
"""


def test_a_second_holder_is_refused_after_its_wait(tmp_path: Path) -> None:
    with hold(tmp_path, 0), pytest.raises(LocalCloudError) as refusal, hold(tmp_path, 0.1):
        pass
    assert str(refusal.value) == f"{tmp_path}: another local cloud holds this folder. Stop it with 'crane local down', then start again."


def test_a_released_lock_can_be_held_again_and_its_file_stays(tmp_path: Path) -> None:
    for _ in range(2):
        with hold(tmp_path, 0) as descriptor:
            assert os.fstat(descriptor).st_ino == (tmp_path / "lock").stat().st_ino
    assert is_free_within(tmp_path, 0)


def test_the_two_locks_of_a_folder_are_independent(tmp_path: Path) -> None:
    with hold(tmp_path, 0, "changing"), hold(tmp_path, 0):
        assert not is_free_within(tmp_path, 0)


def test_an_error_of_the_holder_passes_through_and_releases_the_lock(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), hold(tmp_path, 0):
        raise ZeroDivisionError
    assert is_free_within(tmp_path, 0)


def test_a_missing_folder_is_refused_and_not_created(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), hold(tmp_path / "missing", 0):
        pass
    assert is_free_within(tmp_path / "missing", 0)
    assert not (tmp_path / "missing").exists()


def test_a_child_keeps_the_lock_of_a_holder_that_has_ended(tmp_path: Path) -> None:
    holder = subprocess.run([sys.executable, "-c", ENDS_BEFORE_ITS_CHILD, str(tmp_path)], capture_output=True, text=True, check=True)
    assert not is_free_within(tmp_path, 0.1)
    os.kill(int(holder.stdout), signal.SIGKILL)
    assert is_free_within(tmp_path, 60)
