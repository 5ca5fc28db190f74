"""A hook that does not end well fails, with a text, whatever it raised."""

import asyncio

import pytest

from crane_infra.errors import MigrationError
from crane_infra.program.hooks.adapter import HookError, guarded
from crane_infra.redact import Redactor

NOTHING_SECRET = Redactor({})


async def run(error: BaseException | None, *, redact: Redactor = NOTHING_SECRET) -> None:
    async def work() -> None:
        if error is not None:
            raise error

    await guarded("step", work(), deadline=60, redact=redact)


async def test_success_passes() -> None:
    await run(None)


@pytest.mark.parametrize(
    "error", [TimeoutError(), AssertionError(), SystemExit(), KeyboardInterrupt(), asyncio.CancelledError(), GeneratorExit()]
)
async def test_an_exception_without_a_text_fails_with_one(error: BaseException) -> None:
    with pytest.raises(
        HookError,
        match=rf"^step: failed unexpectedly with {type(error).__name__}(: .+)?\. This is a bug in crane-infra; run the same command again\.$",
    ):
        await run(error)


async def test_an_error_of_ours_is_said_as_it_is() -> None:
    with pytest.raises(HookError, match=r"^0001_a\.sql: it was edited\. Restore it\.$"):
        await run(MigrationError("0001_a.sql", "it was edited", "Restore it"))


async def test_a_secret_in_the_text_is_not_shown() -> None:
    with pytest.raises(HookError) as caught:
        await run(RuntimeError("Bearer hunter2-canary"), redact=Redactor({"KEY": "hunter2-canary"}))
    assert "hunter2" not in str(caught.value)
    assert "[secret KEY]" in str(caught.value)
    assert caught.value.__cause__ is None


async def test_a_hook_that_never_ends_fails_at_its_deadline_even_if_it_ignores_being_cancelled() -> None:
    released = asyncio.Event()

    async def stubborn() -> None:
        while not released.is_set():
            try:
                await released.wait()
            except asyncio.CancelledError:
                continue

    with pytest.raises(HookError, match=r"^step: did not end within 0\.05 s\."):
        await guarded("step", stubborn(), deadline=0.05, redact=NOTHING_SECRET, grace=0.05)
    released.set()
    await asyncio.gather(*(task for task in asyncio.all_tasks() if task is not asyncio.current_task()))


async def test_an_exception_that_cannot_be_shown_fails_with_a_text_all_the_same() -> None:
    class MuteError(Exception):
        def __str__(self) -> str:
            raise ValueError

    with pytest.raises(HookError, match=r"^step: failed unexpectedly with MuteError: it cannot be shown\."):
        await run(MuteError())


async def test_being_cancelled_itself_is_a_failure_with_a_text() -> None:
    async def never() -> None:
        await asyncio.Event().wait()

    hook = asyncio.ensure_future(guarded("step", never(), deadline=60, redact=NOTHING_SECRET))
    await asyncio.sleep(0)
    hook.cancel()
    with pytest.raises(HookError, match=r"^step: was cancelled\. Run the same command again\.$"):
        await hook
