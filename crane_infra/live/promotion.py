"""Decides whether production may take a release: the gate's verdict and, for the newest release, another look at staging.

Knows no Pulumi: the program and ``crane migrations apply`` ask the same way.
"""

from crane_infra.config.settings import Settings
from crane_infra.errors import CraneError, GateError
from crane_infra.live.account import open_account
from crane_infra.live.expected import require_still_proven
from crane_infra.release.gate import Verdict


async def require_open(settings: Settings, verdict: Verdict) -> list[str]:
    """Raise GateError where the gate is closed or, for the newest release, where staging has changed since its proof.

    Returns what is to be logged of an open gate: each worker of staging where the twin of the proven version serves.
    """
    if verdict.proof is None:
        raise verdict.error()
    if not verdict.newest:
        return []
    try:
        async with open_account(settings) as account:
            served = await require_still_proven(account, verdict.proof, verdict.older)
    except CraneError as error:
        raise no_longer_proven(error) from None
    return [worker.summary for worker in served if worker.is_twin]


def no_longer_proven(error: CraneError) -> GateError:
    """The refusal where staging was proven once and has changed since."""
    return Verdict(None, f"staging has changed since its proof: {error.where}: {error.what}", error.todo).error()
