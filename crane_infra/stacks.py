"""Reads the last outputs of a stack, this one's own or another's, before anything is declared.

A file backend moves a stack's file away and writes a new one, and the engine saves our own while we read it: so "unknown" and
"cannot be read" are believed only when they last. Not a StackReference: an exception in its ``apply`` stops only what depends on it, and an unknown stack aborts the engine
(both measured). This call answers at once, takes no lock and works on every backend.
"""

import time
from typing import Any

import pulumi

from crane_infra.errors import SettingsError

UNKNOWN = "unknown stack"
_PAUSES = (0.02, 0.05, 0.1, 0.2, 0.4, 0.8, None)  # seconds
_UNKNOWN_PAUSES = 2


def outputs_of(stack: str) -> dict[str, Any] | None:
    """The outputs of the stack with this full name: None where there is no such stack, {} where it never had an update."""
    own = stack.endswith(f"/{pulumi.get_stack()}")  # which exists, since it runs
    for number, pause in enumerate(_PAUSES):
        try:
            result = pulumi.runtime.invoke("pulumi:pulumi:readStackOutputs", {"name": stack})
        except Exception as error:  # noqa: BLE001 - the SDK raises a bare Exception for whatever the engine says
            said = (str(error).splitlines() or [type(error).__name__])[0]
            if UNKNOWN in said and not own and number == _UNKNOWN_PAUSES:
                return None
            if pause is None:
                raise _unreadable(stack, said) from None
            time.sleep(pause)
        else:
            return dict((result.value or {}).get("outputs") or {})
    raise _unreadable(stack, "no answer")


def _unreadable(stack: str, said: str) -> SettingsError:
    return SettingsError(f"stack {stack}", f"its outputs cannot be read ({said})", f"Look at them with pulumi stack output --stack {stack}")
