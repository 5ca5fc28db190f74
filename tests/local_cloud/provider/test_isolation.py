"""A rehearsal cannot reach a real account, and what is secret stays secret."""

import json
import re
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import NoReturn

import grpc  # type: ignore[import-untyped]
import pytest
from google.protobuf import json_format, struct_pb2  # type: ignore[import-untyped]
from pulumi.provider.experimental import provider
from pulumi.provider.experimental.property_value import PropertyValue
from pulumi.provider.experimental.server import ProviderServicer
from pulumi.runtime.proto import provider_pb2, provider_pb2_grpc

from local_cloud.errors import LocalCloudError
from local_cloud.provider import start_provider
from local_cloud.provider.api import Api, RequestError, connected
from local_cloud.provider.standin import StandIn
from tests.local_cloud.provider.engine import SECRET, TOKEN, Stack, at_once
from tests.local_cloud.provider.replay import ANY_BODY, BROKEN_OFF, LOST, PAGE, Exchange, Replay, replaying, success
from tests.local_cloud.provider.scenarios import BY_NAME, exchanges

pytestmark = [pytest.mark.engine, pytest.mark.cloud]

Made = Callable[[], tuple[Stack, Replay]]
ELSEWHERE = (
    "https://api.cloudflare.com/client/v4",
    "http://10.0.0.1/client/v4",
    "http://0.0.0.0/client/v4",
    "http://localhost.example.com/client/v4",
    "http://127.0.0.1@api.cloudflare.com/client/v4",
    "file://127.0.0.1/client/v4",
    "",
)
CONFIGURED = f"canary-configured-{'c' * 22}"
# JSON, Python and a URL each write this text differently.
PLANTED = 'canary "ä/7f3a9c'


@pytest.fixture
async def api() -> AsyncIterator[tuple[Api, Replay]]:
    """Calls to a replay, hiding the planted secret."""
    with replaying() as replay:
        async with connected() as http:
            yield Api(replay.base_url, TOKEN, http, at_once, {"KEY": PLANTED}), replay


@pytest.mark.parametrize("base_url", ELSEWHERE)
async def test_a_provider_for_another_machine_does_not_start(base_url: str) -> None:
    with pytest.raises(LocalCloudError, match=r"^cloudflare:baseUrl: the stand-in provider refuses the host '.*', which is not a loopback"):
        await start_provider(base_url, TOKEN)


async def test_a_provider_does_not_listen_to_other_machines() -> None:
    with pytest.raises(LocalCloudError, match=r"^stand-in provider: it does not listen on '0\.0\.0\.0'\. Use a loopback address\.$"):
        await start_provider("http://127.0.0.1:1", TOKEN, host="0.0.0.0")  # noqa: S104 (the point)


async def test_two_never_share_a_port() -> None:
    """An engine would reach either of them, and with it another account."""
    server = await start_provider("http://127.0.0.1:1", TOKEN)
    try:
        with pytest.raises(LocalCloudError, match=f"port {server.port} is in use"):
            await start_provider("http://127.0.0.1:1", TOKEN, port=server.port)
    finally:
        await server.stop()


async def test_a_redirect_is_not_followed(api: tuple[Api, Replay]) -> None:
    calls, replay = api
    replay.expect([Exchange("GET", "/moved", None, 302, {"success": True, "result": {}})])
    with pytest.raises(RequestError, match="302 Found"):
        await calls.call("GET", "/moved")


async def test_a_proxy_of_the_environment_is_not_used(api: tuple[Api, Replay], monkeypatch: pytest.MonkeyPatch) -> None:
    calls, replay = api
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    replay.expect([Exchange("GET", "/here", None, 200, {"success": True, "result": {"id": "x"}})])
    async with connected() as http:
        assert await replace(calls, http=http).call("GET", "/here") == {"id": "x"}


def test_configuration_that_leads_elsewhere_stops_the_run(make_stack: Made) -> None:
    """No request is made, to either host."""
    stack, replay = make_stack()
    done = stack.run("up", BY_NAME["create"]["inputs"], baseUrl="https://api.cloudflare.com/client/v4", apiToken=CONFIGURED)
    assert done.exit != 0
    assert any("refuses the host 'api.cloudflare.com', which is not a loopback address" in error for error in done.errors), done.output
    assert (replay.served, replay.unexpected, CONFIGURED in done.output) == ([], [], False)


def test_configuration_wins_for_the_run_that_has_it_and_no_other(make_stack: Made) -> None:
    stack, started_with = make_stack()
    inputs = {"worker": BY_NAME["create"]["inputs"]["worker"]}
    refused = {"success": False, "errors": [], "messages": [], "result": None}
    with replaying() as configured:
        for replay in (started_with, configured):
            replay.expect([Exchange("POST", f"/accounts/{'0' * 32}/workers/workers", ANY_BODY, 403, refused)])
        assert stack.run("up", inputs, baseUrl=configured.base_url, apiToken=CONFIGURED).exit != 0
        assert (len(configured.served), len(started_with.served)) == (1, 0)
    stack.forget("baseUrl", "apiToken")
    assert stack.run("up", inputs).exit != 0
    assert (configured.tokens, started_with.tokens) == ({f"Bearer {CONFIGURED}"}, {f"Bearer {TOKEN}"})


@pytest.mark.parametrize("token", ["c" * 39, "c" * 81, "c" * 39 + ".", ""])
async def test_a_configured_token_without_the_form_of_one_is_refused(token: str) -> None:
    failures = await _check_token(token)
    assert len(failures) == 1
    assert re.fullmatch(r"cloudflare:apiToken is not an API token: .* 40 to 80 letters, digits, hyphens and underscores", failures[0])


@pytest.mark.parametrize("token", ["c" * 40, "A0-_" * 20])
async def test_a_configured_token_with_the_form_of_one_is_accepted(token: str) -> None:
    assert await _check_token(token) == []


async def _check_token(token: str) -> list[str]:
    async with connected() as http:
        request = provider.CheckRequest(
            "urn:pulumi:s::p::pulumi:providers:cloudflare::default", {}, {"apiToken": PropertyValue(token)}, b""
        )
        checked = await StandIn("http://127.0.0.1:1", TOKEN, http).check_config(request)
    return [failure.reason for failure in checked.failures or []]


def test_a_token_without_the_form_of_one_stops_the_run_and_is_not_printed(make_stack: Made) -> None:
    stack, replay = make_stack()
    done = stack.run("up", BY_NAME["create"]["inputs"], apiToken="canary-malformed")
    assert done.exit != 0
    assert any("cloudflare:apiToken is not an API token" in error for error in done.errors), done.output
    assert (replay.served, replay.unexpected, "canary-malformed" in done.output) == ([], [], False)


def test_a_planted_secret_is_in_no_state_and_in_no_error_that_echoes_it(make_stack: Made) -> None:
    """The API refuses the second version with a body that contains the secret in several forms, and the token."""
    stack, replay = make_stack()
    scenario = BY_NAME["create"]
    inputs = json.loads(json.dumps(scenario["inputs"]))
    inputs["version"]["bindings"][2]["text"] = PLANTED
    replay.expect(exchange if not exchange.path.endswith("/versions") else _any_body(exchange) for exchange in exchanges(scenario))
    assert stack.run("up", inputs).exit == 0

    inputs["version"]["code"] = "export default {}"
    echo = {
        "success": False,
        "errors": [{"code": 10000, "message": f"KEY={PLANTED} for {TOKEN}, {PLANTED!r}"}],
        "result": {"text": PLANTED},
    }
    version = next(request for request in replay.served if request.path.endswith("/versions"))
    replay.expect([Exchange("POST", version.path, ANY_BODY, 403, echo)])
    refused = stack.run("up", inputs)

    assert refused.exit != 0
    assert any("[secret KEY]" in error and "403 Forbidden" in error for error in refused.errors), refused.errors
    state = stack.export()
    assert SECRET in state
    for text in (PLANTED, json.dumps(PLANTED)[1:-1], "7f3a9c", TOKEN):
        assert text not in refused.output
        assert text not in state


@pytest.fixture(params=["as this SDK does", "as newer SDKs do"])
def sdk(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pulumi's servicer hands an exception on, or raises one of its own, whose text has that of the first one and a traceback."""
    if request.param == "as this SDK does":
        return
    configure = ProviderServicer.Configure

    async def wrapper(self: ProviderServicer, request: provider_pb2.ConfigureRequest, context: object) -> object:
        try:
            return await configure(self, request, context)
        except Exception as error:  # noqa: BLE001
            raise Exception(f"{error}:\n  File ...")  # noqa: B904, TRY002 (as the SDK has it)

    monkeypatch.setattr(ProviderServicer, "Configure", wrapper)


async def refusal(base_url: str) -> str:
    """What a provider answers to a configuration that it refuses."""
    server = await start_provider("http://127.0.0.1:1", TOKEN)
    async with grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        stub = provider_pb2_grpc.ResourceProviderStub(channel)
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await stub.Configure(provider_pb2.ConfigureRequest(args=json_format.ParseDict({"baseUrl": base_url}, struct_pb2.Struct())))
    await server.stop()
    return str(refused.value.details())


@pytest.mark.usefixtures("sdk")
async def test_a_refusal_is_one_line_with_what_to_do() -> None:
    assert await refusal(ELSEWHERE[0]) == (
        "cloudflare:baseUrl: the stand-in provider refuses the host 'api.cloudflare.com', which is not a loopback address. "
        "Point it at the local cloud, or install the official provider and leave PULUMI_DEBUG_PROVIDERS unset."
    )


@pytest.mark.usefixtures("sdk")
async def test_an_error_in_the_stand_in_is_named_by_its_kind_and_place_without_its_text(monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: object) -> NoReturn:
        raise KeyError(PLANTED)

    monkeypatch.setattr(StandIn, "configure", broken)
    assert re.fullmatch(r"stand-in provider: KeyError in broken, line \d+", await refusal(ELSEWHERE[0]))


async def test_a_failure_that_does_not_pass_is_an_error_after_eleven_attempts(api: tuple[Api, Replay]) -> None:
    calls, replay = api
    broken = {"success": False, "errors": [{"code": 10000, "message": f"no {PLANTED}"}]}
    replay.expect([Exchange("POST", "/broken", {"a": 1}, 500, broken)] * 12)
    with pytest.raises(RequestError) as refused:
        await calls.call("POST", "/broken", {"a": 1})
    shown = json.dumps(broken).replace(json.dumps(PLANTED)[1:-1], "[secret KEY]")
    what = f'failed to make http request: POST "{replay.base_url}/broken": 500 Internal Server Error {shown}'
    assert (str(refused.value), len(replay.served)) == (what, 11)


@pytest.mark.parametrize("method", ["POST", "PUT", "GET", "DELETE"])
async def test_a_call_whose_reply_is_lost_is_sent_again(api: tuple[Api, Replay], method: str) -> None:
    """The same call with the same body: whether the API has carried it out is not looked at."""
    calls, replay = api
    sent = Exchange(method, "/lost", {"a": 1}, LOST)
    replay.expect([sent, sent, Exchange(method, "/lost", {"a": 1}, 200, success({"id": "x"}))])
    assert await calls.call(method, "/lost", {"a": 1}) == {"id": "x"}
    assert (replay.expected, replay.unexpected) == ([], [])


async def test_a_reply_that_breaks_off_counts_as_lost(api: tuple[Api, Replay]) -> None:
    calls, replay = api
    replay.expect([Exchange("POST", "/half", {"a": 1}, status, success({"id": "x"})) for status in (BROKEN_OFF, 200)])
    assert await calls.call("POST", "/half", {"a": 1}) == {"id": "x"}
    assert (replay.expected, replay.unexpected) == ([], [])


async def test_a_page_stays_out_of_the_error(api: tuple[Api, Replay]) -> None:
    calls, replay = api
    replay.expect([Exchange("GET", "/page", None, PAGE, "<html>canary-page</html>")])
    with pytest.raises(RequestError, match=r"403 Forbidden$"):
        await calls.call("GET", "/page")


async def test_a_status_200_without_success_is_an_error(api: tuple[Api, Replay]) -> None:
    """Status 200 alone proves nothing."""
    calls, replay = api
    replay.expect([Exchange("GET", "/odd", None, 200, {"success": False, "errors": [], "result": None})])
    with pytest.raises(RequestError, match="200 OK"):
        await calls.call("GET", "/odd")


async def test_an_unreachable_api_is_an_error_that_names_its_url() -> None:
    with replaying() as replay:
        gone = replay.base_url
    async with connected() as http:
        with pytest.raises(RequestError, match=f'^failed to make http request: GET "{gone}/x": ConnectError'):
            await Api(gone, TOKEN, http, at_once).call("GET", "/x")


def _any_body(exchange: Exchange) -> Exchange:
    return Exchange(exchange.method, exchange.path, ANY_BODY, exchange.status, exchange.reply)
