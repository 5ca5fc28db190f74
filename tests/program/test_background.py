"""Work on a thread of its own: the program goes on meanwhile, and hears of its end where it asks."""

import threading

import pytest

from crane_infra.errors import SettingsError
from crane_infra.program.background import begin_call

LONGEST_SECONDS = 60.0


def test_a_function_that_blocks_runs_while_the_program_goes_on() -> None:
    goes_on = threading.Event()
    begun = begin_call(lambda: goes_on.wait(LONGEST_SECONDS))
    goes_on.set()
    assert begun.result()


def test_its_error_is_raised_where_the_result_is_asked_for() -> None:
    def refuse() -> None:
        raise SettingsError("a file", "is wrong", "Fix it")

    begun = begin_call(refuse)
    with pytest.raises(SettingsError, match="is wrong"):
        begun.result()
