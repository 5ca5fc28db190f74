"""The SDK sends the engine no debug lines and no stacks of calls: the engine shows and needs neither."""

import pulumi
import pytest
from pulumi.runtime import resource
from pulumi.runtime.proto import engine_pb2, source_pb2

from crane_infra.program.unread import leave_out_unread


@pytest.fixture(autouse=True)
def sdk_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    """A debug line is a line like any other, and a stack of calls has one call; other tests of this process may have changed both."""
    monkeypatch.setattr(pulumi.log, "debug", pulumi.log.info)
    monkeypatch.setattr(resource, "_get_stack_trace", lambda: source_pb2.StackTrace(frames=[source_pb2.StackFrame()]))


class Engine:
    """An engine that keeps what it is sent."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def Log(self, request: engine_pb2.LogRequest) -> None:  # noqa: N802 - the engine's name
        self.lines.append(request.message)


def test_debug_lines_stay_in_the_program_and_all_others_reach_the_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Engine()
    monkeypatch.setattr(pulumi.log, "get_engine", lambda: engine)
    pulumi.log.debug("before")
    leave_out_unread()
    pulumi.log.debug("after")
    pulumi.log.info("for people")
    assert engine.lines == ["before", "for people"]


def test_a_resource_is_sent_without_the_calls_that_declared_it() -> None:
    leave_out_unread()
    trace = resource._get_stack_trace()
    assert list(trace.frames) == []
    assert resource._get_source_position(trace) is None
