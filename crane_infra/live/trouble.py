"""Asks Cloudflare's API why a call of the provider may take long: one read, whose answer counts only where it fails for a passing reason."""

from typing import Literal

from cloudflare import APIConnectionError, APIError, APIStatusError

from crane_infra.config.settings import Settings
from crane_infra.live.account import open_account

Service = Literal["d1", "workers"]
_LISTS = {"d1": "d1/database", "workers": "workers/workers"}
_TOO_MANY, _SERVER_ERROR = 429, 500
_SECONDS = 10.0


async def trouble(settings: Settings, service: Service) -> str | None:
    """What a read of the account answers now, for example "HTTP 429"; None where it succeeds or is refused for good."""
    async with open_account(settings) as account:
        once = account.client.with_options(max_retries=0, timeout=_SECONDS)
        try:
            await once.get(f"/accounts/{account.id}/{_LISTS[service]}", cast_to=object)
        except APIStatusError as error:
            passing = error.status_code == _TOO_MANY or error.status_code >= _SERVER_ERROR
            return f"HTTP {error.status_code}" if passing else None
        except APIConnectionError:
            return "no answer"
        except APIError:
            return None
    return None
