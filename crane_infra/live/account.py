"""What is live in a Cloudflare account: deployments, versions, workers and databases.

Reads and never changes anything; ``expected.py`` decides whether what it reads is right. The provider cannot do this: it reads a
deployment by its own id, so a manual deployment is invisible to it.

"Nothing" is an answer that undoes decisions: an empty list or "there is no such thing" counts only where a second, different read agrees.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from crane_infra.at_once import both
from crane_infra.config.settings import Settings
from crane_infra.d1.api import Api, again, connect
from crane_infra.d1.client import D1
from crane_infra.d1.errors import NotFoundError
from crane_infra.live.answers import DatabaseAnswer, DeploymentAnswer
from crane_infra.live.mark import Mark, read_mark
from crane_infra.live.reads import Reads, contradiction
from crane_infra.live.version import Version, read_version

Json = Mapping[str, Any]


@dataclass(frozen=True)
class Deployment:
    """The share of traffic of each version id; ``by`` is who made the deployment, as far as the API knows, and ``message`` what they said."""

    id: str
    shares: dict[str, float]
    by: str = ""
    made_on: str = ""
    message: str = ""

    @property
    def mark(self) -> Mark | None:
        """What crane made the deployment for; None where crane did not make it, or the engine did."""
        return read_mark(self.message)

    @property
    def candidate(self) -> str | None:
        """The version that crane let join at 0 % to try it; None where there is none."""
        if self.mark is None or self.mark.purpose != "candidate":
            return None
        return next((version for version, share in self.shares.items() if share == 0), None)

    @property
    def is_step(self) -> bool:
        """Whether it is a step of a rollout of crane's, in which a new version has a share, and in the end everything."""
        return self.mark is not None and self.mark.purpose == "canary"

    @property
    def traffic(self) -> dict[str, float]:
        """The shares of the versions that serve: all, but for a candidate of crane's, which nobody meets."""
        return {version: share for version, share in self.shares.items() if version != self.candidate}

    @property
    def summary(self) -> str:
        """The versions and their shares, for a person."""
        return ", ".join(f"{version} at {share:g}%" for version, share in self.shares.items())


class LiveScript(NamedTuple):
    """What all versions of a worker share: its settings, as the API returns them, and its schedules."""

    settings: Json
    crons: tuple[str, ...]


class LiveDatabase(NamedTuple):
    """A database of the account; ``tables`` is None where the API does not say how many it has."""

    id: str
    tables: int | None


class LiveWorker(NamedTuple):
    """A worker as it is deployed: its script, and the version that serves, as the API returns it (empty where none serves)."""

    script: LiveScript
    version: Json


@dataclass(frozen=True)
class Account:
    """One account, through one client. Every method raises ApiError where the API fails, or its answers cannot be read or be true."""

    api: Api
    id: str

    def database(self, database_id: str, name: str) -> D1:
        """The D1 database with this id; ``name`` is what errors and logs call it."""
        return D1(self.api, self.id, database_id, name)

    async def deployments(self, script: str) -> tuple[Deployment, ...]:
        """The last deployments of ``script``, the active one first; empty where it serves nothing or does not exist."""

        async def once() -> tuple[Deployment, ...]:
            listed = await self.reads.deployments(script)
            worker = None if listed else await self.reads.worker(script)
            if worker and (deployed_on := worker.get("deployed_on")):
                raise contradiction(f"worker {script}", f"it lists no deployment, but says that one was made on {deployed_on}")
            return tuple(map(deployment_of, listed))

        return await again(once)

    async def tag_of(self, script: str, version: str) -> str | None:
        """The tag of a version of ``script`` that serves."""
        answer = await self._serving(script, version)
        return (answer.get("annotations") or {}).get("workers/tag")

    async def version(self, script: str, version: str, *, with_modules: bool = False) -> Version | None:
        """A version of ``script``; None where it has none with this id. Modules, which may have megabytes, are read only on request."""
        try:
            return read_version(await again(lambda: self.reads.version(script, version, with_modules=with_modules)))
        except NotFoundError:
            return None

    async def databases_in_traffic(self, script: str) -> frozenset[str]:
        """The ids of the databases that the versions of ``script`` with traffic bind; empty where it serves nothing or does not exist."""
        deployments = await self.deployments(script)
        shares = deployments[0].shares if deployments else {}
        versions = [await self._serving(script, version) for version in shares]
        bindings = [binding for version in versions for binding in version.get("bindings") or () if binding.get("type") == "d1"]
        return frozenset(str(binding.get("id") or binding.get("database_id")) for binding in bindings)

    async def has_worker(self, script: str) -> bool:
        """Whether the account has a worker of this name."""
        return await self._worker(script) is not None

    async def script(self, script: str, *, with_crons: bool = True) -> LiveScript | None:
        """The settings and schedules of the worker of this name; None where there is no such worker. ``with_crons`` False: nobody asks for schedules."""
        if not with_crons:
            found = await self._worker(script)
            return None if found is None else LiveScript(found, ())
        settings, crons = await both(self._worker(script), again(lambda: self._listed_crons(script)))
        if settings is None:
            return None
        return LiveScript(settings, await again(lambda: self._crons(script, settings)) if crons is None else crons)

    async def class_tag(self, script: str) -> str | None:
        """The tag of the last Durable Object migration that ``script`` took; None where it took none, or there is no such worker."""

        async def once() -> str | None:
            try:
                return await self.reads.class_tag(script)
            except NotFoundError:
                if (worker := await self._worker(script)) and worker.get("deployed_on"):
                    what = "it says that there is no such worker, and shows its settings"
                    raise contradiction(f"Durable Object migrations of {script}", what) from None
            return None

        return await again(once)

    async def newest_version(self, script: str) -> str | None:
        """The version of ``script`` that was uploaded last, deployed or not; None where it has none, or there is no such worker."""
        try:
            return await again(lambda: self.reads.newest_version(script))
        except NotFoundError:
            return None

    async def worker(self, script: str) -> LiveWorker | None:
        """The worker of this name with its active version (the one with the most traffic); None where there is no such worker."""
        live = await self.script(script)
        if live is None:
            return None
        if not (deployments := await self.deployments(script)):
            return LiveWorker(live, {})
        shares = deployments[0].shares
        active = max(shares, key=lambda version: shares[version])
        return LiveWorker(live, await again(lambda: self.reads.version(script, active)))

    async def database_name(self, database_id: str) -> str | None:
        """The name of the database with this id; None where there is none."""
        database = await self._database(database_id)
        return database.name if database else None

    async def read_replication(self, database_id: str) -> str | None:
        """The mode of the database's read replication; None where there is no such database."""
        database = await self._database(database_id)
        return database.replication if database else None

    async def database_named(self, name: str) -> LiveDatabase | None:
        """The database of exactly this name; None where there is none."""
        database_id = await again(lambda: self.reads.id_of_database(name))
        database = await self._database(database_id) if database_id else None
        return LiveDatabase(database.uuid, database.num_tables) if database else None

    async def now(self) -> datetime:
        """What time it is by Cloudflare's clock."""
        return await again(self.reads.now)

    @property
    def reads(self) -> Reads:
        """The single reads, each taken at its word."""
        return Reads(self.api, self.id)

    async def _serving(self, script: str, version: str) -> Json:
        """A version that serves, so that it is there even where the API does not find it yet."""
        return await again(lambda: self.reads.version(script, version), must_exist=True)

    async def _worker(self, script: str) -> Json | None:
        async def once() -> Json | None:
            worker = await self.reads.worker(script)
            if worker is None and await self.reads.deployments(script):
                raise contradiction(f"worker {script}", "it says that there is no such worker, but lists its deployments")
            return worker

        return await again(once)

    async def _listed_crons(self, script: str) -> tuple[str, ...] | None:
        """The schedules of a worker; None where the API says that there is no such worker, or none with a version."""
        try:
            return await self.reads.crons(script)
        except NotFoundError:
            return None

    async def _crons(self, script: str, worker: Json) -> tuple[str, ...]:
        """The schedules of a worker that exists; it has none as long as it has no version."""
        try:
            return await self.reads.crons(script)
        except NotFoundError:
            if worker.get("deployed_on"):
                raise contradiction(f"schedules of {script}", "it says that there is no such worker, and shows its settings") from None
        return ()

    async def _database(self, database_id: str) -> DatabaseAnswer | None:
        for _ in range(2):
            database = await again(lambda: self.reads.database(database_id))
            if database or not await self._answers_queries(database_id):
                return database
        raise contradiction(f"database {database_id}", "it says that there is no such database, but the database answers")

    async def _answers_queries(self, database_id: str) -> bool:
        try:
            await self.database(database_id, database_id).read("SELECT 1 AS one")
        except NotFoundError:
            return False
        return True


@asynccontextmanager
async def open_account(settings: Settings) -> AsyncIterator[Account]:
    """Connect to the account of a stack, at the address that its provider uses."""
    async with connect(settings.api_url, settings.api_token.get_secret_value()) as api:
        yield Account(api, settings.account_id)


def deployment_of(answer: DeploymentAnswer) -> Deployment:
    """The deployment in an answer of the API."""
    shares = {share.version_id: share.percentage for share in answer.versions}
    by = " ".join(filter(None, (answer.source, answer.author_email)))
    message = (answer.annotations or {}).get("workers/message")
    return Deployment(answer.id, shares, by, answer.created_on or "", message if isinstance(message, str) else "")
