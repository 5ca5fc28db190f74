"""Decides whether production may take a release: the gate's verdict, and another look at staging.

Knows no Pulumi: the program and ``crane migrations apply`` ask the same way. Where staging cannot be looked at, the gate is closed for that
reason alone: it says nothing of a change in staging that nobody has seen.
"""

from datetime import UTC, datetime

from crane_infra.config.settings import Settings
from crane_infra.d1.errors import NotFoundError
from crane_infra.errors import ApiError, CraneError, GateError
from crane_infra.live.account import open_account
from crane_infra.live.expected import require_still_proven, require_still_there
from crane_infra.release.clocks import with_culprit
from crane_infra.release.gate import Verdict


async def require_open(settings: Settings, verdict: Verdict) -> list[str]:
    """Raise GateError where the gate is closed, where staging has changed since its newest proof, or where it cannot be looked at.

    Of an older release only the versions and the migrations have to be there: staging has gone on since. Returns what is to be logged of an
    open gate: each worker of staging where the twin of the proven version serves, and each refresh of its rows that is not complete.
    """
    if verdict.proof is None:
        raise (await with_clocks(settings, verdict)).error()
    try:
        async with open_account(settings) as account:
            if verdict.newest:
                return await require_still_proven(account, verdict.proof, verdict.older)
            return await require_still_there(account, verdict.proof)
    except CraneError as error:
        raise closed_by(error) from None


async def with_clocks(settings: Settings, verdict: Verdict) -> Verdict:
    """The verdict; on a proof that is dated in the future, with the clock that is off, unless Cloudflare's cannot be asked."""
    if verdict.future is None:
        return verdict
    try:
        async with open_account(settings) as account:
            cloudflare = await account.now()
    except ApiError:
        return verdict
    return with_culprit(verdict, datetime.now(UTC), cloudflare)


def closed_by(error: CraneError) -> GateError:
    """The refusal where the look at staging ended in an error: staging has changed since its proof, or the API failed."""
    could_not_look = isinstance(error, ApiError) and not isinstance(error, NotFoundError)
    reason = "staging could not be looked at" if could_not_look else "staging has changed since its proof"
    return Verdict(None, f"{reason}: {error.where}: {error.what}", error.todo).error()
