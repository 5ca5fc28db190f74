"""A look at an environment asks all its questions at the same time: none waits for the answer to another that it does not need."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from crane_infra.errors import ApiError, LiveError
from crane_infra.live.account import Account, Deployment
from crane_infra.live.expected import expected_heads, expected_versions, require_live, require_still_proven, require_still_there
from crane_infra.live.version import Version
from crane_infra.migrations.ledger import head_of
from crane_infra.release.proof import PROOF_SCHEMA, Proof

PATIENCE = 60.0
WORKERS, DATABASES = ("one", "two"), ("first", "second")
HEAD = head_of(())
PROOF = Proof.model_validate(
    {
        "schema": PROOF_SCHEMA,
        "project": "p",
        "environment": "staging",
        "account": "a",
        "digest": "d" * 64,
        "manifest": {},
        "workers": {name: {"script": name, "version": f"{name}-v", "tag": "t", "secrets": {}, "crons": None} for name in WORKERS},
        "databases": {
            name: {"id": name, "name": name, "head": {"name": HEAD.name, "count": HEAD.count, "digest": HEAD.digest}} for name in DATABASES
        },
        "checks": {},
        "commit": None,
        "proven_at": datetime(2026, 1, 1, tzinfo=UTC),
        "versions": {},
    }
)
Look = Callable[[Account, Proof], Awaitable[object]]


class Meeting:
    """An account whose first answer about each worker and database comes once all of them were asked about."""

    id = "a"

    def __init__(self, tag: str = "t", error: Exception | None = None) -> None:
        self.tag, self.error = tag, error
        self.expected = {*WORKERS, *DATABASES}
        self.asked = set[str]()
        self.all_asked = asyncio.Event()

    async def meet(self, name: str) -> None:
        """Wait until everything was asked about."""
        self.asked.add(name)
        if self.asked == self.expected:
            self.all_asked.set()
        await self.all_asked.wait()

    async def deployments(self, script: str) -> tuple[Deployment, ...]:
        """The proven version serves."""
        await self.meet(script)
        return (Deployment("d", {f"{script}-v": 100.0}),)

    async def tag_of(self, _script: str, _version: str) -> str:
        """The tag of every version."""
        return self.tag

    async def version(self, script: str, version: str) -> Version:
        """Every version is there."""
        await self.meet(script)
        return Version(version, {"workers/tag": self.tag}, datetime(2026, 1, 1, tzinfo=UTC), "")

    def database(self, database_id: str, _name: str) -> Any:  # noqa: ANN401 - a client of D1
        """A database without tables."""
        return Empty(self, database_id)


class Empty:
    """A database without tables."""

    def __init__(self, account: Meeting, name: str) -> None:
        self.account, self.name = account, name

    async def read(self, _sql: str) -> list[object]:
        """Nothing is in it."""
        await self.account.meet(self.name)
        if self.account.error:
            raise self.account.error
        return []


def live(account: Account, proof: Proof) -> Awaitable[object]:
    return require_live(account, expected_versions(proof), expected_heads(proof))


LOOKS = pytest.mark.parametrize("look", [live, require_still_proven, require_still_there])


async def looked(look: Look, account: Meeting) -> None:
    await asyncio.wait_for(look(cast("Account", account), PROOF), PATIENCE)


@LOOKS
async def test_workers_and_ledgers_are_asked_about_at_the_same_time(look: Look) -> None:
    account = Meeting()
    await looked(look, account)
    assert account.asked == account.expected


@pytest.mark.parametrize("look", [live, require_still_there])  # for the third one, another tag is a later release
async def test_of_two_faults_that_of_a_worker_is_named(look: Look) -> None:
    with pytest.raises(LiveError, match="worker one"):
        await looked(look, Meeting("another", ApiError("database first", "Cloudflare's API failed (HTTP 500)", "Try again")))


@LOOKS
async def test_a_ledger_that_cannot_be_read_ends_it(look: Look) -> None:
    with pytest.raises(ApiError, match="HTTP 500"):
        await looked(look, Meeting(error=ApiError("database first", "Cloudflare's API failed (HTTP 500)", "Try again")))
