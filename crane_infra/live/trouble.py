"""Asks Cloudflare's API why a call of the provider may take long: one read, whose answer counts only where it fails for a passing reason."""

from http import HTTPStatus
from typing import Literal

from crane_infra.config.settings import Settings
from crane_infra.d1.errors import NoAnswerError
from crane_infra.live.account import open_account

Service = Literal["d1", "workers"]
_LISTS = {"d1": ("d1", "database"), "workers": ("workers", "workers")}
_SECONDS = 10.0


async def trouble(settings: Settings, service: Service) -> str | None:
    """What a read of the account answers now, for example "HTTP 429"; None where it succeeds or is refused for good."""
    async with open_account(settings) as account:
        try:
            status = await account.reads.status(*_LISTS[service], seconds=_SECONDS)
        except NoAnswerError:
            return "no answer"
    return f"HTTP {status}" if status == HTTPStatus.TOO_MANY_REQUESTS or status >= HTTPStatus.INTERNAL_SERVER_ERROR else None
