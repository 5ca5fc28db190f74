"""May production take this release? The gate's verdict, and for the newest release one more look at staging.

Knows no Pulumi: the program and ``crane migrations apply`` ask alike. Prevents a way into production that does not pass the gate.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from crane_infra.errors import CraneError, GateError
from crane_infra.gate import Verdict, Wanted, judge
from crane_infra.release import Release
from crane_infra.settings import Settings
from crane_infra.steps import look_at_proven


def verdict_for(settings: Settings, release: Release, staging: Mapping[str, Any] | None, now: datetime | None = None) -> Verdict:
    """What the gate says of a release ``now``, from the outputs of the staging stack (None: there is no such stack)."""
    days = settings.proof_max_age_days
    wanted = Wanted(
        digest=release.digest,
        project=settings.project,
        account=settings.account_id,
        proven_in="staging",
        manifest=release.manifest,
        max_age=timedelta(days=days) if days else None,
    )
    return judge(staging, wanted, now or datetime.now(UTC))


async def require_open(settings: Settings, verdict: Verdict) -> None:
    """Raise GateError where the gate is closed or, for the newest release, where staging is not what its proof says any more."""
    if verdict.proof is None:
        raise verdict.error()
    if not verdict.newest:
        return
    try:
        await look_at_proven(settings, verdict.proof)
    except CraneError as error:
        raise no_longer_proven(error) from None


def no_longer_proven(error: CraneError) -> GateError:
    """The refusal where staging was proven once and is something else now."""
    return Verdict(None, f"staging is no longer what its proof says: {error.where}: {error.what}", error.todo).error()
