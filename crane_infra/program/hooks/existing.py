"""Before a database or worker is created: refuses where the account already has one of its name, in one line that says what to do.

The engine runs these hooks where it is about to create, and only there: not where the stack has the resource, nor where it adopts one.
"""

from collections.abc import Awaitable, Callable

import pulumi

from crane_infra.errors import WOULD_REFUSE, ApiError, LiveError
from crane_infra.live.account import Account, open_account
from crane_infra.live.existing import Wanted, existing_database, existing_worker
from crane_infra.program.hooks.adapter import around_creation
from crane_infra.program.preparation import Prepared


def refuse_existing_database(run: Prepared, name: str) -> pulumi.ResourceHookBinding:
    """Before a database of the catalog is created."""
    wanted = Wanted(run.settings.environment, name, run.settings.databases[name].name, replaces=name in run.last.databases)
    return _refuse(run, f"{name}-database", lambda account: existing_database(account, wanted))


def refuse_existing_worker(run: Prepared, name: str) -> pulumi.ResourceHookBinding:
    """Before a worker of the catalog is created."""
    wanted = Wanted(run.settings.environment, name, run.settings.script(name), replaces=name in run.last.workers)
    return _refuse(run, f"{name}-worker", lambda account: existing_worker(account, wanted))


def _refuse(run: Prepared, hook: str, look: Callable[[Account], Awaitable[LiveError | None]]) -> pulumi.ResourceHookBinding:
    async def refusal() -> LiveError | None:
        try:
            async with open_account(run.settings) as account:
                return await look(account)
        except ApiError:
            return None  # Cloudflare refuses a second one itself, and the provider tries longer than this look

    async def check() -> None:
        if error := await refusal():
            if not pulumi.runtime.is_dry_run():
                raise error
            pulumi.log.warn(f"{error} {WOULD_REFUSE}")

    async def explain() -> None:
        """One that is there now was created by this very run: the reply to the first request was lost, and the second was refused."""
        if error := await refusal():
            pulumi.log.error(str(error))

    return around_creation(hook, check, explain, deadline=run.settings.hook_deadline_minutes * 60.0, redact=run.redact)
