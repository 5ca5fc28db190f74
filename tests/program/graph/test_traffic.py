"""What the registered hooks refuse when the engine calls them, and what they never say."""

import asyncio
from types import SimpleNamespace
from typing import Any, NoReturn

import pulumi
import pytest

from crane_infra.d1.api import connect
from crane_infra.program.hooks.adapter import HookError
from tests.program.graph.account import Account
from tests.program.graph.conftest import PLANTED, Declare, Declared

Hooks = dict[str, pulumi.ResourceHook]


@pytest.fixture
def hooks(monkeypatch: pytest.MonkeyPatch) -> Hooks:
    """Every hook that is registered, by name."""
    found: Hooks = {}
    monkeypatch.setattr(Declared, "register_resource_hook", lambda _, hook: found.update({hook.name: hook}))
    return found


def output(hook: pulumi.ResourceHook, inputs: dict[str, Any], loop: asyncio.AbstractEventLoop) -> str:
    """What the engine gets to hear of a hook that fails."""
    callback: Any = hook.callback
    with pytest.raises(HookError) as caught:
        loop.run_until_complete(callback(SimpleNamespace(new_inputs=inputs)))
    return str(caught.value)


class Unreadable:
    """An input that tells every secret when it is read."""

    def __getitem__(self, key: str) -> NoReturn:
        """Fail, and say too much."""
        raise ValueError(" ".join((*(f"{value}-staging" for value in PLANTED.values()), "canary-fingerprint-key", "canary-token")))


@pytest.mark.parametrize("name", ["release", "crane-context-db-schema"])
def test_a_hook_that_fails_tells_no_secret_and_no_token(declare: Declare, hooks: Hooks, loop: asyncio.AbstractEventLoop, name: str) -> None:
    declare("staging")
    text = output(hooks[name], {"input": Unreadable()}, loop)
    assert text.startswith(f"{name}: failed unexpectedly with ValueError")
    assert "canary" not in text


@pytest.mark.parametrize("name", ["crane-context", "crane-classifier"])
def test_a_version_gets_no_traffic_where_a_ledger_cannot_be_seen(
    declare: Declare, hooks: Hooks, loop: asyncio.AbstractEventLoop, account: Account, name: str
) -> None:
    declare("staging")
    account.answers_queries = False
    assert "crane-context-db-staging" in output(hooks[f"{name}-traffic"], {}, loop)


def test_the_steps_of_a_run_share_their_connections(declare: Declare, loop: asyncio.AbstractEventLoop, account: Account) -> None:
    declare("staging")
    kept: list[object] = []

    async def step() -> None:
        async with connect(account.url, "canary-token") as api:
            kept.append(api.http)

    for _ in range(2):
        loop.run_until_complete(step())
    assert kept[0] is kept[1]
