"""Lets a program that the engine interrupts end without a traceback.

When an update has failed, or somebody pressed Ctrl-C, the language host interrupts the program. What went wrong has been said by then. The
interrupt may arrive inside a callback of gRPC, which prints what it cannot raise, twice.
"""

import sys


def end_quietly() -> None:
    """Print no traceback of an interrupt from now on; everything else is printed as before."""
    uncaught, unraisable = sys.excepthook, sys.unraisablehook

    def say_uncaught(*told: object) -> None:
        if told[0] is not KeyboardInterrupt:
            uncaught(*told)  # type: ignore[arg-type]

    def say_unraisable(told: "sys.UnraisableHookArgs") -> None:
        if told.exc_type is not KeyboardInterrupt:
            unraisable(told)

    sys.excepthook, sys.unraisablehook = say_uncaught, say_unraisable
