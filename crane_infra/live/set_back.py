"""Sets settings of a script back. The only module of this room that changes anything at Cloudflare.

It sends only what is to change: everything else stays as it is, also what changes at the same moment.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from cloudflare import APIError

from crane_infra.live.account import Account, failed, path_of


async def change_settings(account: Account, script: str, settings: Mapping[str, Any]) -> None:
    """Set these settings of a script, which have the names of Cloudflare's API. Raises ApiError."""
    try:
        await account.client.patch(path_of(account.id, "workers", "workers", script), body=dict(settings), cast_to=object)
    except APIError as error:
        raise failed(f"settings of worker {script}", error, "Workers Scripts Write") from None


async def set_schedules(account: Account, script: str, crons: Sequence[str]) -> None:
    """Give a script these schedules and no others. Raises ApiError."""
    try:
        schedules = [{"cron": cron} for cron in crons]
        await account.client.put(path_of(account.id, "workers", "scripts", script, "schedules"), body=schedules, cast_to=object)
    except APIError as error:
        raise failed(f"schedules of worker {script}", error, "Workers Scripts Write") from None
