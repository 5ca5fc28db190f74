"""Of two processes that want a folder, the second is refused; a holder that was killed holds nothing."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from crane_infra.alone import alone
from crane_infra.errors import DataError

REFUSAL = DataError("here", "another one runs", "Wait")
HOLDS = """
import sys, time
from pathlib import Path
from crane_infra.alone import alone
from crane_infra.errors import DataError
with alone(Path(sys.argv[1]), DataError("", "", "")):
    print("held", flush=True)
    time.sleep(600)
"""


def test_the_second_is_refused_until_the_first_is_killed(tmp_path: Path) -> None:
    file = tmp_path / "folder" / "lock"
    with subprocess.Popen([sys.executable, "-c", HOLDS, str(file)], stdout=subprocess.PIPE, text=True) as first:
        assert first.stdout
        assert first.stdout.readline() == "held\n"
        with pytest.raises(DataError, match="another one runs"), alone(file, REFUSAL):
            pass
        os.kill(first.pid, signal.SIGKILL)
    with alone(file, REFUSAL):
        pass


def test_an_error_in_the_block_frees_it(tmp_path: Path) -> None:
    for _ in range(2):
        with pytest.raises(ZeroDivisionError), alone(tmp_path / "lock", REFUSAL):
            raise ZeroDivisionError
