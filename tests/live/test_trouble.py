"""The reason for a call that takes long is what a read of the account answers, if that passes by itself; it is asked for once and never guessed."""

from collections.abc import Callable

import pytest
from pydantic import SecretStr

from crane_infra.config.settings import Settings
from crane_infra.live.trouble import Service, trouble
from local_cloud.daemon import Running
from local_cloud.faults.client import Faults
from local_cloud.faults.model import Drop, Error, Then

pytestmark = pytest.mark.cloud

LISTS: dict[Service, str] = {"d1": "GET /accounts/{a}/d1/database", "workers": "GET /accounts/{a}/workers/workers"}


@pytest.fixture
def settings(cloud: Running, make_settings: Callable[..., Settings]) -> Settings:
    """Settings with the account of the local cloud."""
    account = {"account_id": cloud.account_id, "api_url": cloud.api_url, "api_token": SecretStr(cloud.token)}
    return make_settings().model_copy(update=account)


@pytest.mark.parametrize("service", LISTS)
@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (Error(429), "HTTP 429"),
        (Error(500), "HTTP 500"),
        (Error(503), "HTTP 503"),
        (Drop("after-read"), "no answer"),
        (Error(403), None),
        (Error(404), None),
    ],
)
async def test_a_failure_that_passes_by_itself_is_a_reason(
    settings: Settings, faults: Faults, service: Service, answer: Then, reason: str | None
) -> None:
    with faults.fault(LISTS[service], answer) as fault:
        assert await trouble(settings, service) == reason
    assert fault.fired == 1
    assert [call["route"] for call in faults.calls()] == [LISTS[service]]


@pytest.mark.parametrize("service", LISTS)
async def test_an_account_that_answers_is_none(settings: Settings, service: Service) -> None:
    assert await trouble(settings, service) is None
