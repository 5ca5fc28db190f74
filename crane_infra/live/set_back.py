"""Sets settings of a script back. The only module of this room that changes anything at Cloudflare.

It sends only what is to change: everything else stays as it is, also what changes at the same moment.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import TypeAdapter

from crane_infra.d1.answer import Call, read_result
from crane_infra.d1.api import Method
from crane_infra.live.account import Account
from crane_infra.live.reads import path_of

WRITE = "Workers Scripts Write"
_ANYTHING: TypeAdapter[object] = TypeAdapter(object)


async def change_settings(account: Account, script: str, settings: Mapping[str, Any]) -> None:
    """Set these settings of a script, which have the names of Cloudflare's API. Raises ApiError."""
    await _send(account, f"settings of worker {script}", "PATCH", dict(settings), "workers", "workers", script)


async def set_schedules(account: Account, script: str, crons: Sequence[str]) -> None:
    """Give a script these schedules and no others. Raises ApiError."""
    schedules = [{"cron": cron} for cron in crons]
    await _send(account, f"schedules of worker {script}", "PUT", schedules, "workers", "scripts", script, "schedules")


async def _send(account: Account, where: str, method: Method, body: object, *path: str) -> None:
    call = Call(where, WRITE, account.id, is_write=True, hidden=account.api.credentials)
    read_result(call, await account.api.send(call, method, path_of(account.id, *path), body), _ANYTHING)
