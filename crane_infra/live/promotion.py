"""May production take this release? The gate's verdict, and for the newest release one more look at staging.

Knows no Pulumi: the program and ``crane migrations apply`` ask alike. Prevents a way into production that does not pass the gate.
"""

from crane_infra.config.settings import Settings
from crane_infra.errors import CraneError, GateError
from crane_infra.live.expected import look_at_proven
from crane_infra.release.gate import Verdict


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
