"""Reads the last outputs of a stack, this one's own or another's, before anything is declared.

Not a StackReference: an exception in its ``apply`` stops only what depends on it, and an unknown stack aborts the engine
(both measured). This call answers at once, takes no lock and works on every backend.
"""

from typing import Any

import pulumi

from crane_infra.errors import SettingsError

UNKNOWN = "unknown stack"


def outputs_of(stack: str) -> dict[str, Any] | None:
    """The outputs of the stack with this full name: None where there is no such stack, {} where it never had an update."""
    try:
        result = pulumi.runtime.invoke("pulumi:pulumi:readStackOutputs", {"name": stack})
    except Exception as error:  # noqa: BLE001 - the SDK raises a bare Exception for whatever the engine says
        said = (str(error).splitlines() or [type(error).__name__])[0]
        if UNKNOWN in said:
            return None
        raise SettingsError(
            f"stack {stack}", f"its outputs cannot be read ({said})", f"Look at them with pulumi stack output --stack {stack}"
        ) from None
    return dict((result.value or {}).get("outputs") or {})
