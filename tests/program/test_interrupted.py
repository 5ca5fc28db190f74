"""A program that the engine interrupts has nothing to say: what went wrong was said before."""

import subprocess
import sys

import pytest

PROGRAM = """
from crane_infra.program.interrupted import end_quietly

class Callback:
    def __del__(self):
        raise {error}("in a callback")

end_quietly()
Callback()
raise {error}("uncaught")
"""


def ended(error: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", PROGRAM.format(error=error)], capture_output=True, text=True, check=False)


def test_an_interrupt_shows_no_traceback_wherever_it_arrives() -> None:
    interrupted = ended("KeyboardInterrupt")
    assert interrupted.returncode != 0
    assert interrupted.stderr == ""


@pytest.mark.parametrize("text", ["in a callback", "uncaught"])
def test_any_other_error_is_shown(text: str) -> None:
    assert f"ValueError: {text}" in ended("ValueError").stderr
