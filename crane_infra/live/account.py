"""What is live, as Cloudflare's API tells it: the deployments of a script, the tag of a version, the name of a database.

Looks, never changes, judges nothing (live.py does). A deployment made by hand is invisible to the provider, which reads a
deployment by its own id; so what is live is asked of the API. Of the official client it takes authentication and retries, not its models: those
of Workers take a quarter of a second to import, and its list of deployments finds none.
"""

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from cloudflare import APIError, AsyncCloudflare, DefaultAsyncHttpxClient, NotFoundError

from crane_infra.config.settings import Settings
from crane_infra.errors import ApiError
from crane_infra.tls import trusted


@dataclass(frozen=True)
class Deployment:
    """Share of traffic by version id; ``by`` says who made it, as far as the API knows."""

    id: str
    shares: dict[str, float]
    by: str = ""
    made_on: str = ""

    @property
    def told(self) -> str:
        """The versions and their shares, for a person."""
        return ", ".join(f"{version} at {share:g}%" for version, share in self.shares.items())


async def deployments(client: AsyncCloudflare, account: str, script: str) -> tuple[Deployment, ...]:
    """The last deployments of ``script``, the active one first; none where it has none or does not exist.

    Raises ApiError where the API does not answer.
    """
    try:
        found = await _ask(client, account, "workers", "scripts", script, "deployments")
        return tuple(map(_deployment, found["deployments"]))
    except NotFoundError:
        return ()
    except (APIError, ValueError, TypeError, KeyError) as error:
        raise _unanswered(f"deployments of {script}", error) from None


def _deployment(one: dict[str, Any]) -> Deployment:
    shares = {str(version["version_id"]): float(version["percentage"]) for version in one["versions"]}
    by = " ".join(filter(None, (one.get("source"), one.get("author_email"))))
    return Deployment(str(one["id"]), shares, by, str(one.get("created_on") or ""))


async def tag_of(client: AsyncCloudflare, account: str, script: str, version: str) -> str | None:
    """The tag of a version of ``script``.

    Raises ApiError where the API does not answer.
    """
    try:
        found = await _ask(client, account, "workers", "workers", script, "versions", version)
        return (found.get("annotations") or {}).get("workers/tag")
    except (APIError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise _unanswered(f"version {version} of {script}", error) from None


async def worker_exists(client: AsyncCloudflare, account: str, script: str) -> bool:
    """Whether the account has a worker of this name.

    Raises ApiError where the API does not answer.
    """
    try:
        await _ask(client, account, "workers", "workers", script)
    except NotFoundError:
        return False
    except (APIError, ValueError, TypeError, KeyError) as error:
        raise _unanswered(f"worker {script}", error) from None
    return True


@dataclass(frozen=True)
class LiveWorker:
    """A worker as it is deployed, in words that can be compared. ``bindings``: type and readable value (none of a secret) by name."""

    bindings: dict[str, tuple[str, str]]
    compatibility_date: str
    compatibility_flags: tuple[str, ...]
    workers_dev: bool
    previews: bool
    crons: tuple[str, ...]


async def live_worker(client: AsyncCloudflare, account: str, script: str) -> LiveWorker | None:
    """The worker of this name and its active version (the one with the most traffic); None where there is no such worker.

    Raises ApiError where the API does not answer.
    """
    try:
        worker = await _ask(client, account, "workers", "workers", script)
        active = await deployments(client, account, script)
        version: dict[str, Any] = {}
        if active:
            newest = max(active[0].shares, key=lambda one: active[0].shares[one])
            version = await _ask(client, account, "workers", "workers", script, "versions", newest)
        schedules = await _ask(client, account, "workers", "scripts", script, "schedules")
        return LiveWorker(
            {str(one.get("name")): _binding(one) for one in version.get("bindings") or []},
            str(version.get("compatibility_date") or ""),
            tuple(version.get("compatibility_flags") or ()),
            bool(worker["subdomain"]["enabled"]),
            bool(worker["subdomain"]["previews_enabled"]),
            tuple(str(one["cron"]) for one in schedules["schedules"]),
        )
    except NotFoundError:
        return None
    except (APIError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise _unanswered(f"worker {script}", error) from None


def _binding(one: dict[str, Any]) -> tuple[str, str]:
    values = [one.get(key) for key in ("text", "database_id", "id", "service", "namespace_id", "bucket_name", "json")]
    readable = next((str(value) for value in values if value is not None), "")
    return str(one.get("type")), "" if one.get("type") == "secret_text" else readable


async def database_name(client: AsyncCloudflare, account: str, database_id: str) -> str | None:
    """The name of the database with this id; None where there is none.

    Raises ApiError where the API does not answer.
    """
    try:
        found = await _ask(client, account, "d1", "database", database_id)
        return str(found["name"])
    except NotFoundError:
        return None
    except (APIError, ValueError, TypeError, KeyError) as error:
        raise _unanswered(f"database {database_id}", error, "D1 Read") from None


async def _ask(client: AsyncCloudflare, account: str, *path: str) -> Any:  # noqa: ANN401 (JSON)
    parts = "/".join(quote(part, safe="") for part in ("accounts", account, *path))
    answer: Any = await client.get(f"/{parts}", cast_to=object)
    return answer["result"]


def _unanswered(what: str, error: Exception, permission: str = "Workers Scripts Read") -> ApiError:
    status = getattr(error, "status_code", None)
    said = f"HTTP {status}" if status else type(error).__name__
    return ApiError(what, f"Cloudflare's API did not tell ({said})", f"Check the token's permissions ({permission}) and try again")


def connect(settings: Settings) -> AsyncCloudflare:
    """The official client, pointed at where the stack's provider points; an async context manager."""
    http = DefaultAsyncHttpxClient(verify=trusted())
    return AsyncCloudflare(api_token=settings.api_token.get_secret_value(), base_url=settings.api_url, http_client=http)
