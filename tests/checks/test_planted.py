"""A worker or a command repeats a secret, in each way in which a text may be written: no error shows a part of it."""

import json
import sys
from collections.abc import Callable
from urllib.parse import quote

import pytest

from crane_infra.checks.model import AnyCheck, Check, CommandCheck, SecretHeader, Step, StepsCheck
from crane_infra.checks.run import run_checks
from crane_infra.errors import CheckError
from tests.checks.server import LONG, ONE_TRY, Reply, Server
from tests.written import WAYS, flat, pieces

SECRET = 'Pl4nted/"S3cret"+with&signs=0123456789'


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
