"""What a resource waits for is sent as Pulumi's SDK would send it."""

import asyncio

import pulumi
import pytest
from pulumi.runtime import _depends_on, mocks, resource
from pulumi.runtime._depends_on import _resolve_depends_on_urns

from crane_infra.program import environment
from crane_infra.program.dependencies import read_dependencies_directly
from tests.program.graph.conftest import Declare, Declared, Monitor


@pytest.fixture(autouse=True)
def sdk_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other tests of this process may have declared an environment."""
    monkeypatch.setattr(resource, "_resolve_depends_on_urns", _resolve_depends_on_urns)


def dependencies(declared: Declared) -> dict[tuple[str, str], list[str]]:
    return {
        (request.type, request.name): sorted(request.dependencies) for request in declared.requests if request.type != "pulumi:pulumi:Stack"
    }


def test_every_resource_has_the_dependencies_that_the_sdk_finds(declare: Declare, monkeypatch: pytest.MonkeyPatch) -> None:
    directly = dependencies(declare("staging"))
    monkeypatch.setattr(resource, "_resolve_depends_on_urns", _resolve_depends_on_urns)
    monkeypatch.setattr(environment, "read_dependencies_directly", lambda: None)
    assert directly == dependencies(declare("staging"))
    assert max(map(len, directly.values())) > 1


def test_the_sdk_calls_what_takes_its_place(declare: Declare, monkeypatch: pytest.MonkeyPatch) -> None:
    by_sdk: list[object] = []
    monkeypatch.setattr(_depends_on, "_resolve_depends_on", by_sdk.append)
    declare("staging")
    assert by_sdk == []


def test_a_component_stands_for_what_it_contains(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    declared = Declared()
    mocks.set_mocks(declared, monitor=Monitor(declared))
    read_dependencies_directly()

    @pulumi.runtime.test  # type: ignore[untyped-decorator]
    def declaring() -> None:
        component = pulumi.ComponentResource("crane:test:Component", "whole")
        pulumi.Stash("part", input=1, opts=pulumi.ResourceOptions(parent=component))
        pulumi.Stash("after", input=1, opts=pulumi.ResourceOptions(depends_on=[component]))

    declaring()
    asyncio.set_event_loop(None)
    (urn,) = dependencies(declared)["pulumi:index:Stash", "after"]
    assert urn.endswith("::part")
