"""What Pulumi knows about stacks before anything is declared: the settings of the one that it runs, and the last outputs of any.

A file backend replaces a stack's file by moving it away first, and the engine may save ours while we read it. So the answers "unknown" and
"cannot be read" count only if they last.

This is not a StackReference: an exception in its ``apply`` stops only what depends on it, and an unknown stack aborts the engine (both
measured). This call answers at once, takes no lock and works on every backend.
"""

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import pulumi
from pulumi.runtime import config as pulumi_config
from pulumi.runtime.sync_await import _sync_await

from crane_infra.at_once import all_at_once
from crane_infra.config.settings import ENVIRONMENTS, Settings, parse
from crane_infra.errors import SettingsError

T = TypeVar("T")
UNKNOWN = "unknown stack"
_PAUSES = (0.02, 0.05, 0.1, 0.2, 0.4, 0.8, None)  # seconds
_UNKNOWN_PAUSES = 2


def own_settings() -> Settings:
    """The settings of the stack that Pulumi runs.

    Raises SettingsError with the setting's path, before anything is declared.
    """
    stack = pulumi.get_stack()
    if stack not in ENVIRONMENTS:
        raise SettingsError(f"stack {stack}", "is not an environment", "Use one of " + ", ".join(ENVIRONMENTS))
    if "cloudflare:apiToken" in pulumi_config.CONFIG.get() and not pulumi_config.is_config_secret("cloudflare:apiToken"):
        raise SettingsError(
            f"Pulumi.{stack}.yaml cloudflare:apiToken", "is stored in the clear", "Replace the token, and store the new one with --secret"
        )
    return parse(
        {
            "environment": stack,
            "project": pulumi.get_project(),
            "organization": pulumi.get_organization(),
            # A language host older than the engine does not know where the stack files are; the program runs beside them.
            "root": pulumi.get_root_directory() or str(Path.cwd()),
        },
        pulumi_config.CONFIG.get(),
        os.environ,
    )


def outputs_of(stacks: Mapping[T, str]) -> dict[T, dict[str, Any] | None]:
    """The outputs of the stacks with these full names, read side by side: None if there is no such stack, {} if it never had an update.

    Raises SettingsError if they cannot be read.
    """
    return dict(zip(stacks, _sync_await(all_at_once(map(_outputs_of, stacks.values()))), strict=True))


async def _outputs_of(stack: str) -> dict[str, Any] | None:
    is_ours = stack.endswith(f"/{pulumi.get_stack()}")  # which exists, since it runs
    for number, pause in enumerate(_PAUSES):
        try:
            outputs = await pulumi.runtime.invoke_async("pulumi:pulumi:readStackOutputs", {"name": stack})
        except Exception as error:  # noqa: BLE001 - the SDK raises a bare Exception for whatever the engine says
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            if UNKNOWN in reason and not is_ours and number == _UNKNOWN_PAUSES:
                return None
            if pause is None:
                raise _unreadable(stack, reason) from None
            await asyncio.sleep(pause)
        else:
            return dict((outputs or {}).get("outputs") or {})
    raise _unreadable(stack, "no answer")


def _unreadable(stack: str, reason: str) -> SettingsError:
    return SettingsError(f"stack {stack}", f"its outputs cannot be read ({reason})", f"Try pulumi stack output --stack {stack}")
