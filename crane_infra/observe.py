"""What is live: which version serves a script, what its tag is, where a ledger stands. Looks, never changes.

A deployment made by hand is invisible to the provider, which reads a deployment by its own id; so what is live is asked of
the API. Prevents a proof, or a promotion, of something that does not serve.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from cloudflare import APIError, AsyncCloudflare, NotFoundError
from cloudflare.types.workers.scripts import DeploymentListResponse

from crane_infra.d1.client import D1
from crane_infra.errors import ApiError, LiveError
from crane_infra.migrations.ledger import LedgerHead, read_ledger


@dataclass(frozen=True)
class Serving:
    """The active deployment of a script: share of traffic by version id, and the versions of the one before it."""

    shares: dict[str, float]
    before: tuple[str, ...] = ()


@dataclass(frozen=True)
class ExpectedVersion:
    """The version that should serve all traffic of a script in a stack; ``tag`` is its worker digest."""

    stack: str
    worker: str
    script: str
    version: str
    tag: str


@dataclass(frozen=True)
class ExpectedHead:
    """Where the ledger of a database should stand."""

    database: str
    id: str
    head: LedgerHead


async def serving(client: AsyncCloudflare, account: str, script: str) -> Serving | None:
    """The active deployment of ``script``, or None where there is none.

    Raises ApiError where the API does not answer.
    """
    try:
        # The API answers {"deployments": [...]}; the SDK's pager (5.9) looks for items and would find none.
        response = await client.workers.scripts.deployments.with_raw_response.list(script, account_id=account)
        answer: Any = await response.json()
        deployments = DeploymentListResponse.model_validate(answer["result"]).deployments
    except NotFoundError:
        return None
    except (APIError, ValueError, TypeError, KeyError) as error:
        raise _unanswered(f"deployments of {script}", error) from None
    if not deployments:
        return None
    newest, *older = deployments
    return Serving(
        {version.version_id: version.percentage for version in newest.versions},
        tuple(version.version_id for version in older[0].versions) if older else (),
    )


async def tag_of(client: AsyncCloudflare, account: str, script: str, version: str) -> str | None:
    """The tag of a version of ``script``.

    Raises ApiError where the API does not answer.
    """
    try:
        found = await client.workers.beta.workers.versions.get(version, account_id=account, worker_id=script)
    except APIError as error:
        raise _unanswered(f"version {version} of {script}", error) from None
    return found.annotations.workers_tag if found.annotations else None


async def require_live(client: AsyncCloudflare, account: str, versions: Iterable[ExpectedVersion], heads: Iterable[ExpectedHead]) -> None:
    """Look at every worker and ledger.

    Raises LiveError naming the first that is not as expected; ApiError where the API does not answer.
    """
    for expected in versions:
        await _require_version(client, account, expected)
    for head in heads:
        await _require_head(client, account, head)


async def _require_version(client: AsyncCloudflare, account: str, expected: ExpectedVersion) -> None:
    live = await serving(client, account, expected.script)
    todo = f"If somebody deployed by hand, put it back: pulumi up -s {expected.stack} --replace '**WorkersDeployment::{expected.worker}'"
    if live is None or live.shares != {expected.version: 100}:
        seen = "nothing" if live is None else ", ".join(f"{version} at {share:g}%" for version, share in live.shares.items())
        raise LiveError(f"worker {expected.script}", f"serves {seen} instead of {expected.version} at 100%", todo)
    tag = await tag_of(client, account, expected.script, expected.version)
    if tag != expected.tag:
        raise LiveError(f"worker {expected.script}", f"version {expected.version} carries the tag {tag}, not {expected.tag}", todo)


async def _require_head(client: AsyncCloudflare, account: str, expected: ExpectedHead) -> None:
    ledger = await read_ledger(D1(client, account, expected.id, expected.database))
    if ledger.head != expected.head:
        stands = f"its ledger stands at {ledger.head.name} ({ledger.head.count} migrations), the files at {expected.head.name} ({expected.head.count})"
        if (ledger.head.name, ledger.head.count) == (expected.head.name, expected.head.count):
            stands = (
                f"its ledger has the same names as the files up to {expected.head.name}, but recorded other contents or left one half done"
            )
        raise LiveError(
            f"database {expected.database}",
            stands,
            "Run pulumi up of its stack again; where it says unchanged, compare the table d1_migrations with the files",
        )


def _unanswered(what: str, error: Exception) -> ApiError:
    status = getattr(error, "status_code", None)
    said = f"HTTP {status}" if status else type(error).__name__
    return ApiError(what, f"Cloudflare's API did not tell ({said})", "Check the token's permissions (Workers Scripts Read) and try again")
