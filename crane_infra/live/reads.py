"""Reads one thing of a Cloudflare account at a time, and takes each answer at its word: ``account`` confirms what it must not believe alone.

Only the API's own "there is no such worker" or "no such database" is None or empty; a 404 of any other kind is a failure of the API.
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar
from urllib.parse import quote, urlencode

from pydantic import TypeAdapter

from crane_infra.d1.answer import Call, Missing, read_result
from crane_infra.d1.api import Api
from crane_infra.d1.client import READ as D1_READ
from crane_infra.d1.errors import OUTAGE, NoAnswerError, NotFoundError
from crane_infra.d1.reply import missing_database
from crane_infra.live import answers

T = TypeVar("T")
Json = dict[str, Any]
READ = "Workers Scripts Read"
NO_SUCH_WORKER = frozenset({"10007", "10090", "10092"})
"""Cloudflare's codes for: no such script, no such service, no such environment of a service."""
NO_SUCH_VERSION = frozenset({"10071", "100146"})
_MOST_PAGES = 100
_ANYTHING: TypeAdapter[object] = TypeAdapter(object)


@dataclass(frozen=True)
class Reads:
    """The reads of one account, each sent once. All raise ApiError where the API fails or its answer cannot be read."""

    api: Api
    account_id: str

    async def deployments(self, script: str) -> list[answers.DeploymentAnswer]:
        """The last deployments of ``script``, newest first; empty where it has none or does not exist."""
        call = replace(self._call(f"deployments of {script}"), missing=_missing_worker(script))
        try:
            return (await self._read(call, answers.DEPLOYMENTS, "workers", "scripts", script, "deployments")).deployments
        except NotFoundError:
            return []

    async def worker(self, script: str) -> Json | None:
        """The worker of this name, with the settings of its script; None where there is none."""
        call = replace(self._call(f"worker {script}"), missing=_missing_worker(script))
        try:
            worker = await self._read(call, answers.WORKER, "workers", "workers", script)
        except NotFoundError:
            return None
        return _about(script, worker["name"], call, worker)

    async def version(self, script: str, version: str, *, with_modules: bool = False) -> Json:
        """A version of ``script``. Raises NotFoundError where the API says that it has none with this id."""
        missing = Missing(NO_SUCH_VERSION | NO_SUCH_WORKER, f"{script} has no version {version}", "Run the same command again")
        call = replace(self._call(f"version {version} of {script}"), missing=missing)
        query = {"include": "modules"} if with_modules else {}
        found = await self._read(call, answers.VERSION, "workers", "workers", script, "versions", version, **query)
        return _about(version, found["id"], call, found)

    async def class_tag(self, script: str) -> str | None:
        """The tag of the last Durable Object migration that ``script`` took; None where it took none. Raises NotFoundError as ``crons`` does.

        The route is the one by which wrangler works out what to send.
        """
        call = replace(self._call(f"Durable Object migrations of {script}"), missing=_missing_worker(script))
        service = await self._read(call, answers.SERVICE, "workers", "services", script)
        return _about(script, service.id, call, service.default_environment.script.migration_tag)

    async def newest_version(self, script: str) -> str | None:
        """The version of ``script`` that was uploaded last; None where it has none. Raises NotFoundError as ``crons`` does."""
        call = replace(self._call(f"versions of {script}"), missing=_missing_worker(script))
        listed = await self._read(call, answers.VERSIONS, "workers", "scripts", script, "versions")
        return max(listed.items, key=lambda version: version.number).id if listed.items else None

    async def crons(self, script: str) -> tuple[str, ...]:
        """The schedules of ``script``. Raises NotFoundError where the API says that there is no such worker, or none with a version."""
        call = replace(self._call(f"schedules of {script}"), missing=_missing_worker(script))
        listed = await self._read(call, answers.SCHEDULES, "workers", "scripts", script, "schedules")
        return tuple(schedule.cron for schedule in listed.schedules)

    async def database(self, database_id: str) -> answers.DatabaseAnswer | None:
        """The database with this id; None where there is none."""
        missing = missing_database(self.account_id, database_id)
        call = replace(self._call(f"database {database_id}"), permission=D1_READ, missing=missing)
        try:
            database = await self._read(call, answers.DATABASE, "d1", "database", database_id)
        except NotFoundError:
            return None
        return _about(database_id, database.uuid, call, database)

    async def id_of_database(self, name: str) -> str | None:
        """The id of the database of exactly this name; None where there is none. The API also lists databases with longer names."""
        call = replace(self._call(f"database {name}"), permission=D1_READ)
        for page in range(1, _MOST_PAGES + 1):
            listed = await self._read(call, answers.DATABASES, "d1", "database", name=name, page=str(page))
            if not listed:
                break
            if (found := next((database.uuid for database in listed if database.name == name), None)) is not None:
                return found
        return None

    async def now(self) -> datetime:
        """The time at which the API answers, by its own clock."""
        call = self._call("the time at Cloudflare")
        answer = await self.api.get(call, path_of(self.account_id, "workers", "workers", per_page="1"))
        read_result(call, answer, _ANYTHING)
        try:
            moment = parsedate_to_datetime(answer.headers.get("date", ""))
        except ValueError:
            raise call.unanswered("its answer has no date") from None
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)

    async def status(self, *path: str, seconds: float) -> int:
        """The HTTP status of one read, whatever it says. Raises NoAnswerError where none comes within ``seconds``."""
        return (await self.api.within(seconds).get(self._call("/".join(path)), path_of(self.account_id, *path))).status

    def _call(self, where: str) -> Call:
        return Call(where, READ, self.account_id, hidden=self.api.credentials)

    async def _read(self, call: Call, shape: TypeAdapter[T], *path: str, **query: str) -> T:
        return read_result(call, await self.api.get(call, path_of(self.account_id, *path, **query)), shape)


def path_of(account_id: str, *parts: str, **query: str) -> str:
    """The path of something in an account."""
    path = "/" + "/".join(quote(part, safe="") for part in ("accounts", account_id, *parts))
    return f"{path}?{urlencode(query)}" if query else path


def contradiction(where: str, what: str) -> NoAnswerError:
    """The error where answers of the API cannot all be true."""
    return NoAnswerError(where, f"Cloudflare's API contradicts itself: {what}", OUTAGE)


def _about(asked: str, answered: str, call: Call, found: T) -> T:
    if answered != asked:
        raise contradiction(call.where, call.clean(f"it was asked about {asked}, and its answer is about {answered}"))
    return found


def _missing_worker(script: str) -> Missing:
    return Missing(NO_SUCH_WORKER, f"the account has no worker {script}", "Check the account id in the settings")
