"""Turns a tested function into a Pulumi hook that cannot pass by accident.

Every hook has a deadline, and whatever it raises reaches the engine as a plain exception with a text. The engine takes an exception
without a text (``TimeoutError()``, a bare ``assert``) for success, and ``SystemExit`` in a hook hangs it for good (both
measured on the pinned engine). Without this adapter a release could look proven because a check died.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import NoReturn

import pulumi

from crane_infra.errors import CraneError
from crane_infra.redact import Redactor

Action = Callable[[pulumi.ResourceHookArgs], Awaitable[None]]
Look = Callable[[], Awaitable[None]]
_GRACE_SECONDS = 12.0


class HookError(Exception):
    """What the engine sees of a failed hook: always a text, never a secret."""


def before(name: str, action: Action, *, deadline: float, redact: Redactor) -> pulumi.ResourceHookBinding:
    """Bind ``action`` to run before a resource is created or updated (a replacement creates), within ``deadline`` seconds.

    Where it fails, the resource's state stays as it was, so the next run tries again. A preview binds nothing, since the engine would not run it.
    """
    if pulumi.runtime.is_dry_run():
        return pulumi.ResourceHookBinding()

    async def hook(args: pulumi.ResourceHookArgs) -> None:
        await guarded(name, action(args), deadline=deadline, redact=redact)

    hooks: list[pulumi.ResourceHook | pulumi.ResourceHookFunction] = [pulumi.ResourceHook(name, hook)]
    return pulumi.ResourceHookBinding(before_create=hooks, before_update=hooks)


def around_creation(name: str, check: Look, explain: Look, *, deadline: float, redact: Redactor) -> pulumi.ResourceHookBinding:
    """Bind ``check`` to run before a resource is created, in previews too, and ``explain`` once its creation has failed.

    Where ``check`` fails, nothing is created. ``explain`` cannot change the failure, whatever becomes of it.
    """

    async def hook(_: pulumi.ResourceHookArgs) -> None:
        await guarded(name, check(), deadline=deadline, redact=redact)

    async def failed(_: pulumi.ErrorHookArgs) -> bool:
        with contextlib.suppress(HookError):
            await guarded(name, explain(), deadline=deadline, redact=redact)
        return False  # the provider has tried often enough

    binding = pulumi.ResourceHookBinding(before_create=[pulumi.ResourceHook(name, hook, pulumi.ResourceHookOptions(on_dry_run=True))])
    if not pulumi.runtime.is_dry_run():
        binding.on_error = [pulumi.ErrorHook(f"{name}-failed", failed)]
    return binding


def around(name: str, first: Action, then: Action, *, deadline: float, redact: Redactor) -> pulumi.ResourceHookBinding:
    """Bind ``first`` to run before a resource is updated, in previews too, and ``then`` to run after an update.

    Where ``first`` fails, the resource stays as it was. Where ``then`` fails, the run fails, but the update is done and is not repeated.
    """

    def hook(action: Action) -> pulumi.ResourceHookFunction:
        async def run(args: pulumi.ResourceHookArgs) -> None:
            await guarded(name, action(args), deadline=deadline, redact=redact)

        return run

    in_previews = pulumi.ResourceHookOptions(on_dry_run=True)
    binding = pulumi.ResourceHookBinding(before_update=[pulumi.ResourceHook(f"{name}-before", hook(first), opts=in_previews)])
    if not pulumi.runtime.is_dry_run():
        binding.after_update = [pulumi.ResourceHook(f"{name}-after", hook(then))]
    return binding


async def guarded(name: str, work: Awaitable[None], *, deadline: float, redact: Redactor, grace: float = _GRACE_SECONDS) -> None:
    """Await ``work`` for at most ``deadline`` seconds; raises HookError with a redacted text for anything but success.

    Work that is cut short has ``grace`` seconds more to clean up behind itself.
    """
    task = asyncio.ensure_future(_error_of(work))
    try:
        done, _ = await asyncio.wait({task}, timeout=deadline)
    except asyncio.CancelledError:
        task.cancel()
        await asyncio.wait({task}, timeout=grace)
        _fail(f"{name}: was cancelled. Run the same command again.")
    if not done:
        task.cancel()
        await asyncio.wait({task}, timeout=grace)
        _fail(f"{name}: did not end within {deadline:g} s. Find out what it waits for, then run the same command again.")
    if (error := task.result()) is not None:
        _fail(redact(_text(name, error)))


async def _error_of(work: Awaitable[None]) -> BaseException | None:
    """The exception is returned as a value: asyncio would let SystemExit and KeyboardInterrupt out of the loop."""
    try:
        await work
    except BaseException as error:  # noqa: BLE001 - whatever it is, the engine must hear of it
        return error
    return None


def _text(name: str, error: BaseException) -> str:
    if isinstance(error, CraneError):
        return str(error)
    kind = type(error).__name__
    try:
        text = str(error)
    except Exception:  # noqa: BLE001 - an exception that cannot be shown is still a failure
        text = "it cannot be shown"
    return f"{name}: failed unexpectedly with {kind}{': ' if text else ''}{text}. This is a bug in crane-infra; run the same command again."


def _fail(text: str) -> NoReturn:
    raise HookError(text) from None
