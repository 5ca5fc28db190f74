"""A worker or a command repeats a secret, in each way in which a text may be written: no error shows a part of it."""

import base64
import html
import json
import sys
from collections.abc import Callable
from urllib.parse import quote

import pytest

from crane_infra.checks.model import AnyCheck, Check, CommandCheck, SecretHeader, Step, StepsCheck
from crane_infra.checks.run import run_checks
from crane_infra.errors import CheckError
from tests.checks.server import LONG, ONE_TRY, Reply, Server

SECRET = 'Pl4nted/"S3cret"+with&signs=0123456789'
SHORTEST = 12
"""Characters of a written secret that give it away."""


def in_base64(before: int) -> Callable[[str], str]:
    """The text inside a longer one in base64, after so many bytes."""
    return lambda text: base64.b64encode(b"b" * before + text.encode() + b" after").decode()


def on_lines(length: int) -> Callable[[str], str]:
    """The text on lines of this length."""
    return lambda text: "\n".join(text[start : start + length] for start in range(0, len(text), length))


WAYS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "backwards": lambda text: text[::-1],
    "its halves changed over": lambda text: text[len(text) // 2 :] + text[: len(text) // 2],
    "its halves backwards": lambda text: text[: len(text) // 2][::-1] + text[len(text) // 2 :][::-1],
    "in upper case": str.upper,
    "in lower case": str.lower,
    "in JSON": json.dumps,
    "in JSON within JSON": lambda text: json.dumps(json.dumps(text)),
    "in Python": repr,
    "in HTML": html.escape,
    "in a URL": lambda text: quote(text, safe=""),
    "in a URL, lower case": lambda text: quote(text, safe="").lower(),
    "in hex": lambda text: text.encode().hex(),
    "in hex, upper case": lambda text: text.encode().hex().upper(),
    "in hex, in pairs": lambda text: text.encode().hex(" "),
    "in hex, with colons": lambda text: text.encode().hex(":"),
    "in base64": in_base64(0),
    "in base64, after one byte": in_base64(1),
    "in base64, after two bytes": in_base64(2),
    "in URL-safe base64": lambda text: base64.urlsafe_b64encode(text.encode()).decode(),
    "on lines of eight": on_lines(8),
    "on lines of one": on_lines(1),
    "in base64 on lines": lambda text: on_lines(16)(in_base64(1)(text)),
    "cut after 20": lambda text: text[:20],
    "cut after 9": lambda text: text[:9],
    "without its beginning": lambda text: text[10:],
}
KEY = {"X-Key": SecretHeader(secret="KEY")}
KINDS: dict[str, Callable[[str], AnyCheck]] = {
    "a request": lambda _: Check(name="x", path="/says", headers=KEY, deadline=ONE_TRY),
    "a redirect": lambda _: Check(name="x", path="/leads", headers=KEY, deadline=ONE_TRY),
    "a step": lambda _: StepsCheck(name="x", steps=(Step(path="/"), Step(path="/says", headers=KEY)), deadline=ONE_TRY),
    "clean-up": lambda _: StepsCheck(name="x", steps=(Step(path="/"),), cleanup=(Step(path="/says", headers=KEY),), deadline=ONE_TRY),
    "a value in a path": lambda _: StepsCheck(
        name="x", steps=(Step(path="/gives", take={"v": "v"}), Step(path="/says?{{v}}", headers=KEY)), deadline=ONE_TRY
    ),
    "a command": lambda text: CommandCheck(
        name="x", run=(sys.executable, "-c", "import os, sys; sys.exit(bytes.fromhex(os.environ['TEXT']).decode())"), deadline=ONE_TRY
    ).model_copy(update={"environment": {"TEXT": text.encode().hex()}, "secrets_in": {"K": "KEY"}}),
}


def flat(text: str) -> str:
    """The text in one case and without white space."""
    return "".join(text.casefold().split())


def pieces(written: str) -> set[str]:
    """Whatever of a written secret gives it away."""
    text = flat(written)
    return {text[start : start + SHORTEST] for start in range(max(1, len(text) - SHORTEST + 1))}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("way", WAYS)
async def test_it_is_not_shown(server: Server, way: str, kind: str) -> None:
    written = WAYS[way](SECRET)
    around = f"x {written}" if "cut" in way else f"before {written} after"
    server.script("/", Reply())
    server.script("/gives", Reply(200, json.dumps({"v": "issued-value-0123456789"}).encode()))
    server.script(r"/says.*", Reply(500, around.encode()))
    server.script("/leads", Reply(302, b"", {"location": f"/?{quote(around)}"}))
    with pytest.raises(CheckError) as caught:
        await run_checks(server.target(KEY=SECRET), [KINDS[kind](around)], pause=LONG)
    shown = flat(str(caught.value))
    assert "[secretkey]" in shown
    assert sorted(piece for piece in pieces(written) if piece in shown) == []
