"""Decides whether production may take a release: the gate's verdict and, for the newest release, another look at staging.

Knows no Pulumi: the program and ``crane migrations apply`` ask the same way.
"""

from crane_infra.config.settings import Settings
from crane_infra.errors import CraneError, GateError
from crane_infra.live.account import open_account
from crane_infra.live.expected import require_still_proven
from crane_infra.release.gate import Verdict


async def require_open(settings: Settings, verdict: Verdict) -> None:
    """Raise GateError where the gate is closed or, for the newest release, where staging has changed since its proof."""
    if verdict.proof is None:
        raise verdict.error()
    if not verdict.newest:
        return
    try:
        async with open_account(settings) as account:
            await require_still_proven(account, verdict.proof)
    except CraneError as error:
        raise no_longer_proven(error) from None


def no_longer_proven(error: CraneError) -> GateError:
    """The refusal where staging was proven once and has changed since."""
    return Verdict(None, f"staging has changed since its proof: {error.where}: {error.what}", error.todo).error()
