"""What the hooks around a creation do when the engine calls them: refuse what exists in an update, warn of it in a preview, and never stop anything else."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pulumi
import pytest

from crane_infra.program.hooks.adapter import HookError
from tests.program.graph.conftest import Declare, Declared

WORKER, DATABASE = "crane-context-worker", "crane-context-db-database"
EXISTS = "worker crane-context-staging: already exists and was never deployed, and this stack neither created nor adopted it."
Hooks = dict[str, Any]


@pytest.fixture
def hooks(monkeypatch: pytest.MonkeyPatch) -> Hooks:
    """Every hook that is registered, by name."""
    found: Hooks = {}
    for kind in ("resource", "error"):
        monkeypatch.setattr(Declared, f"register_{kind}_hook", lambda _, hook: found.update({hook.name: hook}))
    return found


@pytest.fixture
def logged(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The warnings and errors of the program."""
    lines: list[str] = []
    for level in ("warn", "error"):
        monkeypatch.setattr(pulumi.log, level, lambda text, level=level: lines.append(f"{level}: {text}"))
    return lines


def call(hooks: Hooks, name: str, loop: asyncio.AbstractEventLoop) -> object:
    """Call a hook as the engine does."""
    return loop.run_until_complete(hooks[name].callback(SimpleNamespace(new_inputs={})))


def test_an_update_is_refused_where_it_would_create_what_exists(
    declare: Declare, hooks: Hooks, logged: list[str], loop: asyncio.AbstractEventLoop
) -> None:
    declare("staging")
    with pytest.raises(HookError, match=f"^{EXISTS}"):
        call(hooks, WORKER, loop)
    assert logged == []


def test_a_preview_warns_and_goes_on(declare: Declare, hooks: Hooks, logged: list[str], loop: asyncio.AbstractEventLoop) -> None:
    declare("staging", preview=True)
    call(hooks, WORKER, loop)
    (line,) = logged
    assert line.startswith(f"warn: {EXISTS}")
    assert line.endswith("An update would be refused.")


def test_a_creation_that_failed_is_explained_and_not_tried_again(
    declare: Declare, hooks: Hooks, logged: list[str], loop: asyncio.AbstractEventLoop
) -> None:
    declare("staging")
    assert call(hooks, f"{WORKER}-failed", loop) is False
    assert [line.partition(" If it belongs")[0] for line in logged] == [f"error: {EXISTS}"]


def test_an_account_whose_answer_cannot_be_read_stops_nothing(
    declare: Declare, hooks: Hooks, logged: list[str], loop: asyncio.AbstractEventLoop
) -> None:
    """This account answers a search for databases with one database and no list."""
    declare("staging")
    call(hooks, DATABASE, loop)
    assert call(hooks, f"{DATABASE}-failed", loop) is False
    assert logged == []


def test_only_an_update_says_what_it_waits_for(declare: Declare) -> None:
    previewed, updated = declare("staging", preview=True), declare("staging")
    assert [request.name for request in previewed.requests if "call-begins" in request.hooks.before_create] == []
    registered = {(request.type, request.name) for request in updated.requests if request.type.startswith("cloudflare:")}
    watched = [request for request in updated.requests if list(request.hooks.before_create)[-1:] == ["call-begins"]]
    assert {(request.type, request.name) for request in watched} == registered != set()
    assert all(list(request.hooks.before_update)[-1:] == ["call-begins"] for request in watched)
    assert all(list(request.hooks.on_error)[-1:] == ["call-failed"] for request in watched)


def test_all_resources_share_the_hooks_around_the_calls_of_the_provider(declare: Declare, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each hook is a call to the engine, for which the first resource that has it waits. Those of a step have names of their own."""
    registered: list[str] = []
    for kind in ("resource", "error"):
        monkeypatch.setattr(Declared, f"register_{kind}_hook", lambda _, hook: registered.append(hook.name))
    declared = declare("staging")
    assert len(declared.of("WorkerVersion")) > 1
    assert len(registered) == len(set(registered))
    assert [name for name in registered if name.startswith("call-")] == ["call-begins", "call-failed"]


def test_a_preview_registers_the_hooks_that_it_runs_and_an_update_all(declare: Declare, hooks: Hooks) -> None:
    """The engine asks the program for nothing in a preview that is not registered for it, and each registration costs a call."""
    declare("staging", preview=True)
    in_preview = dict(hooks)
    assert [name for name, hook in in_preview.items() if not (hook.opts and hook.opts.on_dry_run)] == []
    hooks.clear()
    declare("staging")
    assert {name for name, hook in hooks.items() if getattr(hook, "opts", None) and hook.opts.on_dry_run} == set(in_preview)
    assert {WORKER, f"{WORKER}-failed", "crane-context-db-schema", "crane-context-traffic", "release"} <= set(hooks)
