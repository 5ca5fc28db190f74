"""Infisical as a source: only what a stack wants is read, all as it was at one moment, and nothing of it or of the login is ever shown."""

import logging
import threading
import traceback
from collections.abc import Iterator
from dataclasses import replace

import pytest

from crane_infra.errors import SecretError
from crane_infra.secrets.infisical import BusyError, GithubOidc, Login, Patience, UniversalAuth, backoff, list_secrets, read_secrets
from crane_infra.secrets.infisical_answers import Value
from tests.secrets.infisical_server import (
    BEARER,
    CLIENT,
    CLIENT_SECRET,
    DRIP,
    DROP,
    HANG,
    HURRIED,
    IDENTITY,
    JWT,
    QUICK,
    TOKEN,
    UNIVERSAL,
    Answer,
    Infisical,
    Scripted,
    failure,
    running,
)

PLANTED = {"RELAY_KEY": "canary-relay", "HOOK_SECRET": "canary-hook\nof two lines"}
WANTED = [*PLANTED, "ABSENT_KEY"]


@pytest.fixture
def infisical() -> Iterator[Infisical]:
    with running() as server:
        server.put(**PLANTED, ANOTHER="canary-of-another-stack")
        yield server


def read(infisical: Infisical, login: Login = UNIVERSAL, patience: Patience = QUICK, **changes: object) -> dict[str, str]:
    return read_secrets(infisical.settings(**changes), login, WANTED, patience)


def refusal(infisical: Infisical, login: Login = UNIVERSAL, patience: Patience = QUICK, **changes: object) -> str:
    """The text of the refusal; neither it nor its traceback shows anything planted."""
    with pytest.raises(SecretError) as caught:
        read(infisical, login, patience, **changes)
    whole = "".join(traceback.format_exception(caught.value)) + repr(caught.value)
    assert "canary" not in whole
    text = str(caught.value)
    assert "\n" not in text
    host = infisical.url.removeprefix("http://")
    assert text.startswith(f"Infisical {host} ")
    return text.removeprefix(f"Infisical {host} ")


class TestReading:
    @pytest.mark.parametrize("api", ["v4", "v3"])
    def test_returns_the_wanted_values_that_are_there(self, infisical: Infisical, api: str) -> None:
        infisical.api = api
        assert read(infisical) == PLANTED

    def test_asks_for_no_value_that_the_stack_does_not_want(self, infisical: Infisical) -> None:
        read(infisical)
        assert infisical.asked("secret") == sorted(PLANTED)
        (listing,) = [request for request in infisical.requests if request.kind == "list"]
        assert listing.query["viewSecretValue"] == "false"

    def test_logs_in_once(self, infisical: Infisical) -> None:
        read(infisical)
        assert len(infisical.asked("login")) == 1

    def test_asks_side_by_side(self, infisical: Infisical) -> None:
        """Neither of two answers comes before both questions are there."""
        barrier = threading.Barrier(2)

        def together() -> None:
            barrier.wait(timeout=60)

        infisical.script("secret", together, together)
        assert read(infisical, patience=Patience(call=60, whole=60)) == PLANTED

    @pytest.mark.parametrize("audience", [None, "https://infisical.example.org"])
    def test_can_log_in_with_the_token_of_a_job_on_github(self, infisical: Infisical, audience: str | None) -> None:
        assert read(infisical, infisical.github(audience)) == PLANTED
        (asked,) = [request.query for request in infisical.requests if request.kind == "github"]
        assert asked == {"api-version": "2.0"} | ({"audience": audience} if audience else {})

    def test_takes_another_environment_and_path(self, infisical: Infisical) -> None:
        infisical.put("prod:/vc", RELAY_KEY="canary-production")
        assert read(infisical, environment="prod", path="/vc") == {"RELAY_KEY": "canary-production"}

    def test_lets_the_folders_own_secrets_win_over_imports_and_later_imports_over_earlier_ones(self, infisical: Infisical) -> None:
        infisical.put("dev:/first", ABSENT_KEY="canary-first", RELAY_KEY="canary-imported")
        infisical.put("dev:/second", ABSENT_KEY="canary-second")
        infisical.imports["dev:/vc/staging"] = ["dev:/first", "dev:/second"]
        assert read(infisical) == {**PLANTED, "ABSENT_KEY": "canary-second"}

    def test_lists_names_with_their_versions_and_dates_and_no_values(self, infisical: Infisical) -> None:
        infisical.put(RELAY_KEY="canary-new")
        listed = list_secrets(infisical.settings(), UNIVERSAL, QUICK)
        assert listed["RELAY_KEY"].version == 2
        assert listed["HOOK_SECRET"].changed_on == "2026-09-01T10:00:00.000Z"
        assert "canary" not in repr(listed)
        assert infisical.asked("secret") == []


class TestWhatIsNoValue:
    def test_refuses_hidden_ones_and_references_that_were_not_resolved_all_at_once(self, infisical: Infisical) -> None:
        infisical.folders["dev:/vc/staging"]["RELAY_KEY"].hidden = True
        infisical.put(HOOK_SECRET="canary-${prod.deep.KEY}")
        assert refusal(infisical) == (
            "dev:/vc/staging: has no usable value for RELAY_KEY (hidden from this identity), "
            "HOOK_SECRET (contains a reference that was not resolved). "
            "Let the identity of this stack read the values, also of what they refer to, and correct the references."
        )

    def test_reads_again_what_changes_between_two_reads(self, infisical: Infisical) -> None:
        infisical.script("secret", lambda: infisical.put(RELAY_KEY="canary-rotated", HOOK_SECRET="canary-rotated-too"))
        assert read(infisical) == {"RELAY_KEY": "canary-rotated", "HOOK_SECRET": "canary-rotated-too"}

    def test_reads_again_where_one_goes_between_two_reads(self, infisical: Infisical) -> None:
        def remove() -> None:
            del infisical.folders["dev:/vc/staging"]["HOOK_SECRET"]

        infisical.script("secret", remove)
        assert read(infisical) == {"RELAY_KEY": "canary-relay"}

    def test_refuses_what_changes_all_the_time(self, infisical: Infisical) -> None:
        def rotate() -> None:
            infisical.put(RELAY_KEY="canary-rotated", HOOK_SECRET="canary-rotated-too")

        infisical.script("secret", *[rotate] * 20)
        assert "changed while it was read, each of 3 times: " in refusal(infisical)


BAD = {"reqId": "r", "statusCode": 400, "error": "BadRequest", "message": "canary"}


class TestAServerThatRefuses:
    @pytest.mark.parametrize(
        ("kind", "answer", "text"),
        [
            ("login", failure(401, "UnauthorizedError", "Invalid credentials"), "it refused the login of the machine identity (HTTP 401)."),
            ("login", failure(403, "ForbiddenError", "IP not allowed"), "it refused the login of the machine identity (HTTP 403)."),
            (
                "login",
                failure(404, "NotFound", "no"),
                "it has no such project, environment or path, or not this version of the API (HTTP 404).",
            ),
            ("list", failure(401, "TokenError", "expired"), "the machine identity may not list the secrets (HTTP 401)."),
            ("list", failure(403, "PermissionDenied", "no"), "the machine identity may not list the secrets (HTTP 403)."),
            (
                "list",
                failure(404, "NotFound", "no"),
                "it has no such project, environment or path, or not this version of the API (HTTP 404).",
            ),
            ("list", Answer(400, BAD), "it answered HTTP 400."),
            ("list", Answer(302, "", {"location": "https://canary.example.org/"}), "it answered HTTP 302."),
            ("list", Answer(200, "<html>canary</html>"), "it answered with something that cannot be read (not JSON)."),
            (
                "list",
                Answer(200, {"secrets": [{"secretKey": ["canary"]}]}),
                "it answered with something that cannot be read (secrets.0.secretKey: Input should be a valid string).",
            ),
            (
                "secret",
                failure(403, "PermissionDenied", "no"),
                "(HTTP 403). Give it the permissions Describe Secret and Read Value on dev:",
            ),
            ("secret", Answer(200, {"secret": {"secretKey": "OTHER", "secretValue": "canary"}}), "(the answer is about another secret)."),
        ],
    )
    def test_is_refused_in_one_line_at_once(self, infisical: Infisical, kind: str, answer: Answer, text: str) -> None:
        infisical.script(kind, answer)
        assert text in refusal(infisical)
        assert len(infisical.asked(kind)) <= (2 if kind == "secret" else 1)

    def test_one_value_is_told_once_the_others_have_ended(self, infisical: Infisical) -> None:
        """A call that is cut off while it connects leaves its connection to the collector."""
        infisical.script("secret", failure(403, "PermissionDenied", "no"), Answer(500, "{}"))
        assert "(HTTP 403)" in refusal(infisical)
        assert len(infisical.asked("secret")) == len(PLANTED) + 1

    def test_says_that_a_job_may_not_have_a_token(self, infisical: Infisical) -> None:
        login = replace(infisical.github(), bearer="canary-of-nobody")
        assert "GitHub gave this job no token (HTTP 401). Give the job the permission id-token: write." in refusal(infisical, login)

    def test_names_a_login_that_is_wrong_without_showing_it(self, infisical: Infisical) -> None:
        assert "it refused the login" in refusal(infisical, UniversalAuth(CLIENT, "canary-wrong"))

    def test_names_a_project_that_is_not_there(self, infisical: Infisical) -> None:
        assert "it has no such project" in refusal(infisical, project="another-project")


class TestAServerThatFails:
    @pytest.mark.parametrize(
        ("kind", "action"),
        [
            ("login", Answer(429, {"message": "Rate limit exceeded"}, {"retry-after": "0"})),
            ("list", Answer(429, {"message": "Rate limit exceeded"}, {"retry-after": "0"})),
            ("list", Answer(429, {"message": "Rate limit exceeded"})),
            ("list", Answer(503, "<html>")),
            ("list", HANG),
            ("secret", Answer(500, "{}")),
            ("secret", DROP),
        ],
    )
    def test_is_asked_again(self, infisical: Infisical, kind: str, action: Scripted) -> None:
        infisical.script(kind, action)
        assert read(infisical, patience=HURRIED if action == HANG else QUICK) == PLANTED

    @pytest.mark.parametrize("action", [Answer(500, "{}"), HANG, DROP])
    def test_gets_a_login_once_that_may_have_arrived(self, infisical: Infisical, action: Scripted) -> None:
        infisical.script("login", action)
        refusal(infisical, patience=HURRIED if action == HANG else QUICK)
        assert len(infisical.asked("login")) == 1

    @pytest.mark.parametrize(
        ("action", "text"),
        [
            (Answer(500, "{}"), "dev:/vc/staging: it failed (HTTP 500). Run the same command again."),
            (DROP, "dev:/vc/staging: it did not answer (RemoteProtocolError). Run the same command again."),
        ],
    )
    def test_is_given_up_after_four_times(self, infisical: Infisical, action: Scripted, text: str) -> None:
        infisical.script("list", *[action] * 4)
        assert refusal(infisical) == text
        assert len(infisical.asked("list")) == 4

    def test_that_sends_byte_by_byte_is_given_up_when_the_time_is_over(self, infisical: Infisical) -> None:
        infisical.script("list", DRIP)
        # Long enough for a slow machine to have connected: a client that is stopped while it connects leaves its socket to the collector.
        patience = Patience(call=60, whole=3, pause=0.001)
        assert refusal(infisical, patience=patience) == "dev:/vc/staging: did not answer everything within 3 s. Run the same command again."

    def test_that_asks_for_a_long_wait_is_not_waited_for(self, infisical: Infisical) -> None:
        infisical.script("list", Answer(429, {"message": "Rate limit exceeded"}, {"retry-after": "3600"}))
        assert refusal(infisical) == (
            "dev:/vc/staging: it takes no more calls for 3600 s (HTTP 429). Wait, and run the same command again."
        )

    def test_that_nobody_runs_is_named(self, infisical: Infisical) -> None:
        with pytest.raises(SecretError, match=r"it did not answer \(ConnectError\)"):
            read(infisical, site="http://127.0.0.1:1")

    @pytest.mark.parametrize(
        ("after", "is_login", "refused", "expected"),
        [
            (None, False, False, True),
            (7.0, False, False, 7.0),
            (31.0, False, False, False),
            (None, True, False, False),
            (7.0, True, True, 7.0),
        ],
    )
    def test_is_waited_for_as_long_as_it_asks(self, after: float | None, is_login: bool, refused: bool, expected: bool | float) -> None:  # noqa: FBT001
        error = BusyError("where", "what", "todo")
        error.after, error.refused = after, refused
        assert backoff(error, is_login=is_login) == expected

    def test_any_other_error_is_not_tried_again(self) -> None:
        assert backoff(SecretError("where", "what", "todo")) is False


def test_no_log_shows_a_value_or_the_login(infisical: Infisical, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    infisical.script("list", Answer(500, "canary"))
    read(infisical, infisical.github())
    assert caplog.records
    shown = "".join(f"{record.getMessage()}{record.__dict__}" for record in caplog.records)
    assert [one for one in (*PLANTED.values(), CLIENT_SECRET, TOKEN, JWT, BEARER) if one in shown] == []


def test_no_representation_shows_a_value_or_the_login() -> None:
    shown = repr((UNIVERSAL, GithubOidc(IDENTITY, "https://canary-url/", BEARER), Value("NAME", 1, "canary", None)))
    assert "canary" not in shown
