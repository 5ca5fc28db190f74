"""Where Cloudflare refuses a call of the provider, the cause is said as for any other call, whatever the provider wraps around it."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crane_infra.live.provider_error import refusal_in

URL = 'POST "https://api.cloudflare.com/client/v4/accounts/0123/workers/workers/abc/versions"'
WHERE = "new version of worker crane-context"


def answer(*errors: tuple[int, str]) -> str:
    """What the API sends, spread over lines as it does."""
    listed = [{"code": code, "message": message} for code, message in errors]
    return json.dumps({"success": False, "errors": listed, "messages": [], "result": None}, indent=2)


def cause(text: str) -> str:
    return str(refusal_in(text, WHERE, "workers", "0123"))


def test_a_refused_upload_is_one_sentence() -> None:
    page = answer((10021, "Uncaught SyntaxError: Unexpected token ';'\n  at index.js:12"))
    text = f"failed to make http request: {URL}: 400 Bad Request {page}"
    assert cause(text) == (
        f"{WHERE}: Cloudflare's API refused it: Uncaught SyntaxError: Unexpected token ';' at index.js:12 (code 10021). Fix what the message names."
    )


def test_the_provider_says_it_in_several_ways() -> None:
    page = answer((10000, "Authentication error"))
    ways = [
        f"failed to make http request: {URL}: 403 Forbidden {page}",
        f"failed to upload assets: {URL}: 403 Forbidden {page}",
        f"[ERROR] {URL}: 403 Forbidden {page}: failed to make http request",
    ]
    said = "the API token may not do this (403), Authentication error (code 10000). Give it the permission Workers Scripts Write on account 0123."
    assert {cause(way) for way in ways} == {f"{WHERE}: {said}"}


@pytest.mark.parametrize(
    ("status", "said"),
    [
        ("401 Unauthorized", "Cloudflare's API failed: status 401 with no content type, which is not an answer of the API"),
        ("429 Too Many Requests", "Cloudflare limits the calls of this token (429)"),
        ("503 Service Unavailable", "Cloudflare's API failed: status 503"),
        ("403 Forbidden", "Cloudflare's API failed: status 403 with no content type, which is not an answer of the API"),
    ],
)
def test_an_answer_without_a_reason_names_its_status(status: str, said: str) -> None:
    assert said in cause(f"failed to make http request: {URL}: {status}")


@pytest.mark.parametrize("text", ["", "connection refused", 'missing required property "name"', f"{URL}: ConnectError"])
def test_other_texts_are_left_to_the_provider(text: str) -> None:
    assert refusal_in(text, WHERE, "d1", "0123") is None


@given(text=st.text() | st.text().map(lambda rest: f"{URL}: 400 Bad Request {{{rest}"))
def test_any_text_is_a_line_or_none(text: str) -> None:
    said = refusal_in(text, WHERE, "d1", "0123")
    assert said is None or len(str(said).splitlines()) == 1
