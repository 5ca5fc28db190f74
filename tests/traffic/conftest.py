"""An account on the local cloud, as the product opens it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from crane_infra.config.settings import Settings
from crane_infra.live.account import Account, open_account
from tests.cloud import Api
from tests.traffic.releases import Clock


@pytest.fixture
def settings(api: Api, tmp_path: Path) -> Settings:
    return Settings.model_validate(
        {
            "environment": "production",
            "project": "crane-infra",
            "organization": "organization",
            "root": tmp_path,
            "account_id": api.running.account_id,
            "api_token": api.running.token,
            "api_url": api.running.api_url,
            "workers_dir": tmp_path,
            "workers_subdomain": "s",
            "databases": {},
            "workers": {},
        }
    )


@pytest.fixture
async def account(settings: Settings) -> AsyncIterator[Account]:
    async with open_account(settings) as opened:
        yield opened


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trials end after so many looks at their clock, not after so many seconds."""
    monkeypatch.setattr("crane_infra.traffic.trial.monotonic", Clock())
