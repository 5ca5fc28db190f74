"""The outputs of both stacks are asked for at once, before the program imports what it needs."""

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pulumi
import pytest
from pulumi.runtime import mocks

from crane_infra.errors import SettingsError
from crane_infra.program import last_outputs
from crane_infra.program.begin import begin
from crane_infra.program.last_outputs import Asked, Outputs
from tests.program.graph.conftest import Declared, Monitor, UnknownStack

LONGEST_SECONDS = 60.0
STAGING, PRODUCTION = (f"organization/crane-infra/{stack}" for stack in ("staging", "production"))


class UnreadableState(UnknownStack):
    """How the engine says that it cannot read a state."""

    def details(self) -> str:
        """Say it in words."""
        return "the state cannot be read"


class Engine(Declared):
    """Notes when it was asked for the outputs of both stacks, and cannot read those of one."""

    both_asked, unreadable, failed = threading.Event(), "", ""
    asked = 0

    def call(self, args: pulumi.runtime.MockCallArgs) -> Any:  # noqa: ANN401
        """Answer, or fail as an engine whose state cannot be read."""
        self.asked += 1
        if self.asked == 2:
            self.both_asked.set()
        if args.args["name"] == self.unreadable:
            raise UnreadableState(self.unreadable)
        if args.args["name"] == self.failed:
            return {}, [("name", "the backend is away")]
        return super().call(args)


def results(asked: Asked) -> dict[str, Outputs]:
    return {stack: outputs.result(LONGEST_SECONDS) for stack, outputs in asked.items()}


def inside(engine: Engine, loop: asyncio.AbstractEventLoop, program: Callable[[], None]) -> None:
    asyncio.set_event_loop(loop)
    mocks.set_mocks(engine, project="crane-infra", stack="staging", organization="organization", monitor=Monitor(engine))
    pulumi.runtime.test(program)()  # type: ignore[no-untyped-call]
    asyncio.set_event_loop(None)


def test_the_engine_is_asked_while_the_program_goes_on(loop: asyncio.AbstractEventLoop) -> None:
    engine = Engine({STAGING: {"of": "staging"}, PRODUCTION: {"of": "production"}})
    seen: list[object] = []

    def program() -> None:
        asked = begin()
        seen.append(engine.both_asked.wait(LONGEST_SECONDS))  # nothing runs the program's event loop meanwhile, as during imports
        seen.append(results(asked))

    inside(engine, loop, program)
    assert seen == [True, {"staging": {"of": "staging"}, "production": {"of": "production"}}]


def test_a_stack_that_does_not_exist_has_none(loop: asyncio.AbstractEventLoop) -> None:
    seen: list[object] = []
    inside(Engine({STAGING: {}}), loop, lambda: seen.append(results(begin())))
    assert seen == [{"staging": {}, "production": None}]


@pytest.mark.parametrize(
    ("how", "said"),
    [("unreadable", r".*the state cannot be read"), ("failed", r"the backend is away\)")],
    ids=["no answer", "an answer that names a failure"],
)
def test_outputs_that_cannot_be_read_are_refused_where_they_are_needed(
    loop: asyncio.AbstractEventLoop, monkeypatch: pytest.MonkeyPatch, how: str, said: str
) -> None:
    """Taken for those of a stack that never had an update, production would be declared anew."""
    monkeypatch.setattr(last_outputs, "_PAUSES", (0.0, 0.0, 0.0, None))
    engine = Engine({STAGING: {}, PRODUCTION: {}})
    setattr(engine, how, PRODUCTION)

    def program() -> None:
        asked = begin()
        with pytest.raises(SettingsError, match=rf"^stack {PRODUCTION}: its outputs cannot be read \({said}"):
            results(asked)

    inside(engine, loop, program)
