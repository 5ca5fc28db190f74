"""Smoke checks against a real HTTP server that answers from a script."""

import hashlib
import hmac
import socket

import httpx
import pytest

from crane_infra.checks.expected import Environment
from crane_infra.checks.model import Check, SecretHeader, SignatureHeader
from crane_infra.checks.run import Passed, Target, run_checks, select
from crane_infra.errors import CheckError
from tests.checks.server import LONG, ONE_TRY, Reply, Server

KEY = "relay/key+0123456789"


HEALTH = Check(name="health", path="/health", json_includes={"status": "ok"})
VERSION = Check(name="version", path="/version", version_at="id")
OK = Reply(body=b'{"status":"ok","worker":"crane-context"}')


def reports(version: str) -> Reply:
    return Reply(body=b'{"id":"%s"}' % version.encode())


class TestPollsUntilTheDeclaredAnswerComes:
    @pytest.mark.parametrize(
        "first",
        [
            pytest.param([Reply(404), Reply(404)], id="404 while it propagates"),
            pytest.param([Reply(500, b"<html>")], id="500 once"),
            pytest.param([Reply(None)], id="the connection breaks"),
            pytest.param([Reply(302, b"", {"location": "/elsewhere"})], id="a redirect"),
            pytest.param([Reply(401)], id="a secret is not there yet"),
            pytest.param([Reply(200, b"<html>all well</html>")], id="HTML with status 200"),
            pytest.param([Reply(200, b'{"status":"starting"}')], id="another body"),
            pytest.param(
                [Reply(200, b"", {"content-encoding": "gzip", "content-length": "0"}), Reply(200, b"x", {"content-encoding": "gzip"})],
                id="broken gzip",
            ),
            pytest.param([Reply(200, b'{"status":"ok"', {"content-length": "100"})], id="the body ends early"),
        ],
    )
    async def test_what_comes_first_is_just_not_yet(self, server: Server, first: list[Reply]) -> None:
        server.script("/health", *first, OK)
        assert await run_checks(server.target(), [HEALTH], pause=0) == (Passed("health", len(first) + 1),)

    async def test_an_older_version_or_a_cached_old_body_does_not_pass(self, server: Server) -> None:
        cached = Reply(body=b'{"id":"v1"}', headers={"age": "300", "cf-cache-status": "HIT"})
        server.script("/version", reports("v1"), cached, Reply(body=b"{}"), reports("v2"))
        assert await run_checks(server.target("v2"), [VERSION], pause=0) == (Passed("version", 4, "v2"),)
        assert {seen.headers["cache-control"] for seen in server.seen} == {"no-cache"}

    async def test_the_version_comes_first_whatever_the_order(self, server: Server) -> None:
        """Else the other checks would pass on the version that is about to be replaced."""
        server.script("/health", OK)
        server.script("/version", reports("v1"), reports("v2"))
        passed = await run_checks(server.target("v2"), [HEALTH, VERSION], pause=0)
        assert passed == (Passed("version", 2, "v2"), Passed("health", 1))
        assert [seen.path for seen in server.seen] == ["/version", "/version", "/health"]

    async def test_a_redirect_is_never_followed(self, server: Server) -> None:
        server.script("/health", Reply(301, b"", {"location": "/good"}), OK)
        server.script("/good", OK)
        async with httpx.AsyncClient(follow_redirects=True) as client:
            await run_checks(server.target(), [HEALTH], pause=0, client=client)
            assert not client.is_closed
        assert {seen.path for seen in server.seen} == {"/health"}

    async def test_a_refusal_can_be_what_is_declared(self, server: Server) -> None:
        server.script("/active", Reply(401, b'{"error":"unauthorized"}'))
        refused = Check(name="refuses", path="/active", status=401, json_includes={"error": "unauthorized"})
        assert await run_checks(server.target(), [refused]) == (Passed("refuses", 1),)


class TestFailsAtTheDeadlineAndSaysWhatCame:
    async def test_a_status_that_never_comes(self, server: Server) -> None:
        server.script("/health", Reply(503, b"upstream\n  down"))
        check = HEALTH.model_copy(update={"deadline": ONE_TRY})
        with pytest.raises(CheckError) as caught:
            await run_checks(server.target(), [check], pause=LONG)
        assert str(caught.value) == (
            'crane-context-staging GET /health (check health): expected 200, JSON with {"status": "ok"} within 60 s; after 1 try the last '
            "answer was 503 upstream down (status 503). Look at the logs of crane-context-staging, fix it, and deploy again."
        )

    async def test_it_asks_until_then(self, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
        server.script("/health", Reply(503))
        monkeypatch.setattr("crane_infra.checks.run.monotonic", lambda: 0 if len(server.seen) < 3 else ONE_TRY)
        with pytest.raises(CheckError, match=r"after 3 tries"):
            await run_checks(server.target(), [HEALTH.model_copy(update={"deadline": ONE_TRY})], pause=0)

    async def test_the_old_version_keeps_answering(self, server: Server) -> None:
        server.script("/version", reports("v1"))
        with pytest.raises(CheckError, match=r'expected 200, id = v2 within .* was 200 \{"id":"v1"\} \(id names another version\)\.'):
            await run_checks(server.target("v2"), [VERSION.model_copy(update={"deadline": ONE_TRY})], pause=LONG)

    async def test_nothing_after_the_failed_check_is_asked(self, server: Server) -> None:
        server.script("/version", reports("v1"))
        with pytest.raises(CheckError):
            await run_checks(server.target("v2"), [HEALTH, VERSION.model_copy(update={"deadline": ONE_TRY})], pause=LONG)
        assert {seen.path for seen in server.seen} == {"/version"}

    async def test_a_redirect_is_shown_with_its_target(self, server: Server) -> None:
        server.script("/health", Reply(302, b"", {"location": "https://login.example/?next=1"}))
        with pytest.raises(CheckError, match=r"was 302 to https://login\.example/\?next=1 with an empty body \(status 302\)"):
            await run_checks(server.target(), [HEALTH.model_copy(update={"deadline": ONE_TRY})], pause=LONG)

    async def test_a_long_or_binary_reply_is_cut(self, server: Server) -> None:
        server.script("/health", Reply(500, b"\x1b[31m\0" + b"x" * 2_000_000))
        with pytest.raises(CheckError) as caught:
            await run_checks(server.target(), [HEALTH.model_copy(update={"deadline": ONE_TRY})], pause=LONG)
        assert len(str(caught.value)) < 600
        assert str(caught.value).isprintable()

    async def test_nobody_listens(self) -> None:
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            target = Target("crane-context", f"http://127.0.0.1:{unused.getsockname()[1]}", None, {})
            with pytest.raises(CheckError, match="the last answer was none, ConnectError: "):
                await run_checks(target, [HEALTH.model_copy(update={"deadline": ONE_TRY})], pause=LONG)

    async def test_a_worker_that_accepts_and_never_answers(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as silent:
            target = Target("crane-context", f"http://127.0.0.1:{silent.getsockname()[1]}", None, {})
            with pytest.raises(CheckError, match="the last answer was none: no try ended in time"):
                await run_checks(target, [HEALTH.model_copy(update={"deadline": 0.2})])


class TestCarriesSecretsAndNeverShowsThem:
    async def test_a_header_carries_the_bound_value_after_its_prefix(self, server: Server) -> None:
        server.script("/active", OK)
        headers = {"X-Relay-Key": SecretHeader(secret="RELAY"), "Authorization": SecretHeader(secret="RELAY", prefix="Bearer ")}
        await run_checks(server.target(RELAY=KEY), [Check(name="keyed", path="/active", headers=headers)])
        assert server.seen[0].headers["x-relay-key"] == KEY
        assert server.seen[0].headers["authorization"] == f"Bearer {KEY}"

    async def test_a_signature_is_that_of_the_bytes_that_are_sent(self, server: Server) -> None:
        server.script("/webhook", Reply(202))
        check = Check(
            name="signed",
            method="POST",
            path="/webhook",
            headers={"X-Hub-Signature-256": SignatureHeader(hmac_sha256="HOOK"), "X-GitHub-Event": "ping"},
            body={"zen": "größer", "n": [1, None]},
            status=202,
        )
        await run_checks(server.target(HOOK=KEY), [check])
        (seen,) = server.seen
        assert seen.body == '{"zen":"größer","n":[1,null]}'.encode()
        assert seen.headers["x-hub-signature-256"] == "sha256=" + hmac.new(KEY.encode(), seen.body, hashlib.sha256).hexdigest()
        assert (seen.method, seen.headers["content-type"], seen.headers["x-github-event"]) == ("POST", "application/json", "ping")

    async def test_an_echoed_secret_is_redacted_in_body_and_location(self, server: Server) -> None:
        """Near the end of what is shown as well: shortened first, half a key would slip through."""
        body = b"a" * 185 + f" key {KEY} and relay%2Fkey%2B0123456789".encode()
        server.script("/active", Reply(302, body, {"location": f"/login?key={KEY}"}))
        check = Check(name="keyed", path="/active", headers={"X-Relay-Key": SecretHeader(secret="RELAY")}, deadline=ONE_TRY)
        with pytest.raises(CheckError) as caught:
            await run_checks(server.target(RELAY=KEY), [check], pause=LONG)
        assert "to /login?key=[secret RELAY]" in str(caught.value)
        assert "relay" not in str(caught.value)

    async def test_an_absent_secret_stops_before_any_request(self, server: Server) -> None:
        keyed = Check(name="keyed", path="/active", headers={"X-Relay-Key": SecretHeader(secret="RELAY")})
        with pytest.raises(CheckError) as caught:
            await run_checks(server.target(OTHER=KEY), [HEALTH, keyed])
        assert str(caught.value) == (
            "crane-context-staging GET /active (check keyed): the secret RELAY has no value. Set the secret RELAY, or remove the check."
        )
        assert server.seen == []

    @pytest.mark.parametrize("value", ["two\nlines-of-a-key", "ends-with-a-blank ", "schlüssel-mit-ü"])
    async def test_a_secret_that_no_header_can_carry_stops_before_any_request(self, server: Server, value: str) -> None:
        """The HTTP library would refuse it with the value in its text."""
        keyed = Check(name="keyed", path="/active", headers={"X-Relay-Key": SecretHeader(secret="RELAY")})
        with pytest.raises(CheckError, match="the value of the secret RELAY cannot be sent in a header") as caught:
            await run_checks(server.target(RELAY=value), [keyed])
        assert value.split(maxsplit=1)[0] not in str(caught.value)
        assert server.seen == []

    async def test_a_target_does_not_print_its_secrets(self, server: Server) -> None:
        assert KEY not in repr(server.target(RELAY=KEY))


class TestRefusesWhatItCannotJudge:
    async def test_a_version_check_without_an_expected_version(self, server: Server) -> None:
        with pytest.raises(CheckError, match=r"looks for a version, but none is expected"):
            await run_checks(server.target(None), [VERSION])
        assert server.seen == []

    @pytest.mark.parametrize("url", ["http://127.0.0.1:99999", "http://h:port", "http://", "127.0.0.1", "ftp://h"])
    async def test_an_address_that_is_not_valid(self, url: str) -> None:
        with pytest.raises(CheckError, match=f"{url} is not a valid address"):
            await run_checks(Target("w", url, None, {}), [HEALTH])


@pytest.mark.parametrize(("environment", "names"), [("staging", ["health", "writes"]), ("production", ["health"])])
def test_only_staging_runs_checks_that_write(environment: Environment, names: list[str]) -> None:
    checks = [HEALTH, Check(name="writes", method="POST", path="/smoke", mutating=True)]
    assert [check.name for check in select(checks, environment)] == names
