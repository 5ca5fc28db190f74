"""Cloudflare's clock is read off an answer of its API, and decides whose clock is off; where it cannot be asked, nobody is accused."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler
from threading import Thread

import pytest
from pydantic import SecretStr

from crane_infra.config.settings import Settings
from crane_infra.d1.errors import NoAnswerError
from crane_infra.errors import GateError
from crane_infra.live.account import open_account
from crane_infra.live.promotion import require_open, with_clocks
from crane_infra.release.gate import FutureProof, Verdict
from crane_infra.release.proof import CLOCK_SKEW
from local_cloud.daemon import Running
from local_cloud.faults.client import Faults
from local_cloud.faults.model import Error
from tests.d1.fixtures import no_waiting
from tests.http_server import Server

__all__ = ["no_waiting"]

LIST = "GET /accounts/{a}/workers/workers"
OK = b'{"success": true, "errors": [], "messages": [], "result": []}'
MakeSettings = Callable[..., Settings]


def closed() -> Verdict:
    """The verdict on a proof of tomorrow."""
    return Verdict(None, "both clocks", future=FutureProof("the proof", datetime.now(UTC) + timedelta(days=1)))


@contextmanager
def answering_at(moment: str | None) -> Iterator[str]:
    """The address of an API that answers with this date, or with none."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response_only(200)
            if moment is not None:
                self.send_header("Date", moment)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(OK)))
            self.end_headers()
            self.wfile.write(OK)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = Server(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def settings(cloud: Running, make_settings: MakeSettings) -> Settings:
    """Settings with the account of the local cloud."""
    account = {"account_id": cloud.account_id, "api_url": cloud.api_url, "api_token": SecretStr(cloud.token)}
    return make_settings().model_copy(update=account)


@pytest.mark.cloud
async def test_the_local_cloud_says_what_time_it_is(settings: Settings) -> None:
    async with open_account(settings) as account:
        assert abs(await account.now() - datetime.now(UTC)) < CLOCK_SKEW


@pytest.mark.cloud
async def test_the_gate_names_the_clock_that_is_off(settings: Settings) -> None:
    with pytest.raises(GateError, match=r"the clock of the machine that proved it was at least 2[34] h \d+ min ahead of Cloudflare's"):
        await require_open(settings, closed())


@pytest.mark.cloud
async def test_an_api_that_fails_accuses_nobody(settings: Settings, faults: Faults) -> None:
    with faults.fault(LIST, Error(500), times=9):
        assert (await with_clocks(settings, closed())).reason == "both clocks"


async def test_an_api_that_is_ahead_says_that_this_clock_is_behind(make_settings: MakeSettings) -> None:
    with answering_at("Fri, 01 Jan 2100 00:00:00 GMT") as url:
        verdict = await with_clocks(make_settings().model_copy(update={"api_url": url}), closed())
    assert "the proof is dated in the future" in verdict.reason
    assert "the clock here is" in verdict.reason
    assert "machine that proved" not in verdict.reason


@pytest.mark.parametrize("moment", [None, "", "yesterday", "Fri, 99 Jan 2100 00:00:00 GMT"])
async def test_an_answer_without_a_date_is_none(make_settings: MakeSettings, moment: str | None) -> None:
    with answering_at(moment) as url:
        settings = make_settings().model_copy(update={"api_url": url})
        async with open_account(settings) as account:
            with pytest.raises(NoAnswerError, match="its answer has no date"):
                await account.now()
        assert (await with_clocks(settings, closed())).reason == "both clocks"
