"""A fixture program: one record behind one hook, which behaves as the variable HOOKED_BEHAVIOUR says."""

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable

import pulumi

from crane_infra.program.hooks.adapter import Action, before
from crane_infra.redact import Redactor

DEADLINE = 1.0
BEHAVIOUR, VALUE, PLANTED = (os.environ[f"HOOKED_{name}"] for name in ("BEHAVIOUR", "VALUE", "PLANTED"))


async def passes() -> None:
    """Do nothing, well."""


async def time_out() -> None:
    """Raise an exception that has no text."""
    raise TimeoutError


async def assert_barely() -> None:
    """Raise the assertion that has no text."""
    assert False  # noqa: B011, PT015 - it is what is tried here


async def leave() -> None:
    """Ask the process to end."""
    sys.exit(0)


async def hang() -> None:
    """Never end."""
    await asyncio.Event().wait()


async def hang_on() -> None:
    """Never end, not even when cancelled."""
    while True:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            continue


async def tell_a_secret() -> None:
    """Raise an exception that quotes a secret."""
    message = f"401 for Bearer {PLANTED}"
    raise RuntimeError(message)


BEHAVIOURS: dict[str, Callable[[], Awaitable[None]]] = {
    one.__name__: one for one in (passes, time_out, assert_barely, leave, hang, hang_on, tell_a_secret)
}


async def behave(_: pulumi.ResourceHookArgs) -> None:
    """Behave as told."""
    await BEHAVIOURS[BEHAVIOUR]()


def adapted(action: Action) -> pulumi.ResourceHookBinding:
    """The hook as the product binds it."""
    return before("record", action, deadline=DEADLINE, redact=Redactor({"PLANTED": PLANTED}))


def bare(action: Action) -> pulumi.ResourceHookBinding:
    """The same hook without the product's adapter."""

    async def hook(args: pulumi.ResourceHookArgs) -> None:
        await action(args)

    bound: list[pulumi.ResourceHook | pulumi.ResourceHookFunction] = [pulumi.ResourceHook("record", hook)]
    return pulumi.ResourceHookBinding(before_create=bound, before_update=bound)


bind = bare if os.environ.get("HOOKED_BARE") else adapted
record = pulumi.Stash("record", input=VALUE, opts=pulumi.ResourceOptions(hooks=bind(behave)))
pulumi.export("value", record.input)
