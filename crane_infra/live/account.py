"""What is live in a Cloudflare account: deployments, version tags, workers and database names.

Reads and never changes anything; ``expected.py`` decides whether what it reads is right. The provider cannot do this: it reads a
deployment by its own id, so a manual deployment is invisible to it. Of the official client this uses authentication and retries. It does
not use the client's models of Workers, which take a quarter of a second to import and whose list of deployments is empty.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from cloudflare import APIError, AsyncCloudflare, DefaultAsyncHttpxClient, NotFoundError

from crane_infra.config.settings import Settings
from crane_infra.d1.client import D1
from crane_infra.errors import ApiError
from crane_infra.live.script_settings import require_readable
from crane_infra.live.version import Version, read_version
from crane_infra.tls import trusted

Json = Mapping[str, Any]
_NOT_ALLOWED = (401, 403)
_MOST_PAGES = 100


@dataclass(frozen=True)
class Deployment:
    """The share of traffic of each version id; ``by`` is who made the deployment, as far as the API knows."""

    id: str
    shares: dict[str, float]
    by: str = ""
    made_on: str = ""

    @property
    def summary(self) -> str:
        """The versions and their shares, for a person."""
        return ", ".join(f"{version} at {share:g}%" for version, share in self.shares.items())


@dataclass(frozen=True)
class LiveScript:
    """What all versions of a worker share: its settings, as the API returns them, and its schedules."""

    settings: Json
    crons: tuple[str, ...]


@dataclass(frozen=True)
class LiveDatabase:
    """A database of the account; ``tables`` is None where the API does not say how many it has."""

    id: str
    tables: int | None


@dataclass(frozen=True)
class LiveWorker:
    """A worker as it is deployed: its script, and the version that serves, as the API returns it (empty where none serves)."""

    script: LiveScript
    version: Json


@dataclass(frozen=True)
class Account:
    """One account, through one connection. Every method raises ApiError where the API fails or its answer cannot be read."""

    client: AsyncCloudflare
    id: str

    def database(self, database_id: str, name: str) -> D1:
        """The D1 database with this id; ``name`` is what errors and logs call it."""
        return D1(self.client, self.id, database_id, name)

    async def deployments(self, script: str) -> tuple[Deployment, ...]:
        """The last deployments of ``script``, the active one first; empty where it has none or does not exist."""
        try:
            result = await self._read("workers", "scripts", script, "deployments")
            return tuple(map(_deployment, result["deployments"]))
        except NotFoundError:
            return ()
        except (APIError, ValueError, TypeError, KeyError) as error:
            raise failed(f"deployments of {script}", error) from None

    async def tag_of(self, script: str, version: str) -> str | None:
        """The tag of a version of ``script``."""
        try:
            result = await self._read("workers", "workers", script, "versions", version)
            return (result.get("annotations") or {}).get("workers/tag")
        except (APIError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise failed(f"version {version} of {script}", error) from None

    async def version(self, script: str, version: str, *, with_modules: bool = False) -> Version | None:
        """A version of ``script``; None where it has none with this id. Modules, which may have megabytes, are read only on request."""
        try:
            query = {"include": "modules"} if with_modules else {}
            return read_version(await self._read("workers", "workers", script, "versions", version, **query))
        except NotFoundError:
            return None
        except (APIError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise failed(f"version {version} of {script}", error) from None

    async def has_worker(self, script: str) -> bool:
        """Whether the account has a worker of this name."""
        try:
            await self._read("workers", "workers", script)
        except NotFoundError:
            return False
        except (APIError, ValueError, TypeError, KeyError) as error:
            raise failed(f"worker {script}", error) from None
        return True

    async def script(self, script: str) -> LiveScript | None:
        """The settings and schedules of the worker of this name; None where there is no such worker."""
        try:
            settings = await self._read("workers", "workers", script)
            require_readable(settings)
            return LiveScript(dict(settings), await self._crons(script))
        except NotFoundError:
            return None
        except (APIError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise failed(f"worker {script}", error) from None

    async def worker(self, script: str) -> LiveWorker | None:
        """The worker of this name with its active version (the one with the most traffic); None where there is no such worker."""
        live = await self.script(script)
        if live is None:
            return None
        try:
            return LiveWorker(live, await self._active_version(script))
        except (APIError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise failed(f"worker {script}", error) from None

    async def database_name(self, database_id: str) -> str | None:
        """The name of the database with this id; None where there is none."""
        database = await self._database(database_id)
        return None if database is None else str(database["name"])

    async def read_replication(self, database_id: str) -> str | None:
        """The mode of the database's read replication; None where there is no such database."""
        database = await self._database(database_id)
        return None if database is None else str((database.get("read_replication") or {}).get("mode") or "disabled")

    async def _database(self, database_id: str) -> Json | None:
        try:
            result = await self._read("d1", "database", database_id)
            return {"name": str(result["name"]), "read_replication": dict(result.get("read_replication") or {})}
        except NotFoundError:
            return None
        except (APIError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise failed(f"database {database_id}", error, "D1 Read") from None

    async def _crons(self, script: str) -> tuple[str, ...]:
        """The schedules of a worker that exists; it has none as long as it has no version."""
        try:
            schedules = await self._read("workers", "scripts", script, "schedules")
        except NotFoundError:
            return ()
        return tuple(str(schedule["cron"]) for schedule in schedules["schedules"])

    async def database_named(self, name: str) -> LiveDatabase | None:
        """The database of exactly this name; None where there is none."""
        try:
            database_id = await self._id_of_database(name)
            if database_id is None:
                return None
            tables = (await self._read("d1", "database", database_id)).get("num_tables")
            return LiveDatabase(database_id, None if tables is None else int(tables))
        except NotFoundError:
            return None
        except (APIError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise failed(f"database {name}", error, "D1 Read") from None

    async def _id_of_database(self, name: str) -> str | None:
        """The API also lists databases with longer names."""
        for page in range(1, _MOST_PAGES + 1):
            listed = await self._read("d1", "database", name=name, page=str(page))
            if not listed:
                break
            if (found := next((database["uuid"] for database in listed if database["name"] == name), None)) is not None:
                return str(found)
        return None

    async def _active_version(self, script: str) -> dict[str, Any]:
        deployments = await self.deployments(script)
        if not deployments:
            return {}
        shares = deployments[0].shares
        return dict(await self._read("workers", "workers", script, "versions", max(shares, key=lambda version: shares[version])))

    async def _read(self, *path: str, **query: str) -> Any:  # noqa: ANN401 (JSON)
        answer: Any = await self.client.get(path_of(self.id, *path), cast_to=object, options={"params": query})
        return answer["result"]


@asynccontextmanager
async def open_account(settings: Settings) -> AsyncIterator[Account]:
    """Connect to the account of a stack, at the address that its provider uses."""
    http = DefaultAsyncHttpxClient(verify=trusted())
    token = settings.api_token.get_secret_value()
    async with AsyncCloudflare(api_token=token, base_url=settings.api_url, http_client=http) as client:
        yield Account(client, settings.account_id)


def _deployment(answer: Mapping[str, Any]) -> Deployment:
    shares = {str(version["version_id"]): float(version["percentage"]) for version in answer["versions"]}
    by = " ".join(filter(None, (answer.get("source"), answer.get("author_email"))))
    return Deployment(str(answer["id"]), shares, by, str(answer.get("created_on") or ""))


def path_of(account_id: str, *parts: str) -> str:
    """The path of something in an account."""
    return "/" + "/".join(quote(part, safe="") for part in ("accounts", account_id, *parts))


def failed(what: str, error: Exception, permission: str = "Workers Scripts Read") -> ApiError:
    """The error for a call that failed."""
    status = getattr(error, "status_code", None)
    cause = f"HTTP {status}" if status else type(error).__name__
    todo = f"Check the token's permissions ({permission}), then try again" if status in _NOT_ALLOWED else "Try again"
    return ApiError(what, f"Cloudflare's API failed ({cause})", todo)
