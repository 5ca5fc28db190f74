"""A command of the user's own: what it is given, how it is judged, and that it ends with all its children."""

import asyncio
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
from pydantic import ValidationError

from crane_infra.checks.execute import execute
from crane_infra.checks.model import CommandCheck
from crane_infra.checks.request import Route, Target
from crane_infra.checks.run import Passed, run_checks, select
from crane_infra.errors import CheckError
from tests.checks.server import LONG, ONE_TRY, Reply, Seen, Server

SECRET = "planted-value-0123456789"
LONGER_AND_LONGER = (5, 20, 60)
"""The seconds after which a command is to be killed that writes a line and goes on: a slow machine may not have begun it within the first ones."""


def target(folder: Path = Path(), **secrets: str) -> Target:
    return Target("crane-context", "http://127.0.0.1:9", "v2", secrets, folder)


def python(code: str, **more: object) -> CommandCheck:
    """A command that runs some Python."""
    return CommandCheck.model_validate({"name": "mine", "run": (sys.executable, "-c", code), "deadline": ONE_TRY, **more})


async def refusal(check: CommandCheck, **secrets: str) -> str:
    """The line with which a check failed."""
    with pytest.raises(CheckError) as caught:
        await run_checks(target(Path(), **secrets), [check.model_copy(update={"deadline": ONE_TRY})], pause=LONG)
    assert "\n" not in str(caught.value)
    return str(caught.value)


class TestItIsGiven:
    async def test_the_address_the_version_and_its_secrets_but_no_token_of_the_run(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("CLOUDFLARE_API_TOKEN", "a-token")
        code = "import os; open('seen', 'w').write('\\n'.join(f'{k}={v}' for k, v in os.environ.items()))"
        check = python(code, environment={"MINE": "1"}, secrets_in={"KEY": "RELAY"}, by_environment={"staging": {"MINE": "2"}})
        (staging,) = select([check], "staging")
        assert await run_checks(target(tmp_path, RELAY=SECRET), [staging]) == (Passed("mine", 1),)
        seen = dict(line.split("=", 1) for line in (tmp_path / "seen").read_text(encoding="utf-8").splitlines())
        ours = {name: value for name, value in seen.items() if name not in os.environ and name != "LC_CTYPE"}
        assert ours.pop("CRANE_CHECK")
        assert ours == {
            "MINE": "2",
            "KEY": SECRET,
            "CRANE_URL": "http://127.0.0.1:9",
            "CRANE_WORKER": "crane-context",
            "CRANE_VERSION": "v2",
            "CRANE_OVERRIDE": "",
        }
        assert "CLOUDFLARE_API_TOKEN" not in seen
        assert "PYTEST_CURRENT_TEST" not in seen

    async def test_the_header_that_reaches_a_candidate(self) -> None:
        check = python(
            "import os; print(os.environ['CRANE_OVERRIDE'], os.environ['CRANE_VERSION'])", output_matches=r'^crane-context="v9" v9\s*$'
        )
        passed = await execute(
            Route(Target("crane-context", "http://h", "v9", {}), "v9"), check.model_copy(update={"output_matches": None}), ONE_TRY
        )
        assert passed.passed

    @pytest.mark.parametrize(
        ("fields", "runs"), [({}, False), ({"sends_override": True}, False), ({"mutating": False, "sends_override": True}, True)]
    )
    def test_a_candidate_only_if_it_says_that_it_can_reach_one(self, fields: dict[str, Any], *, runs: bool) -> None:
        assert python("", **fields).is_for_candidates is runs

    async def test_no_shell_unless_one_is_asked_for(self, tmp_path: Path) -> None:
        marker = tmp_path / "made"
        plain = CommandCheck(name="x", run=("echo", f"; touch {marker}"))
        assert (await execute(Route(target()), plain, ONE_TRY)).passed
        assert not marker.exists()
        assert (
            await execute(Route(target()), CommandCheck.model_validate({"name": "x", "shell": f"true && touch {marker}"}), ONE_TRY)
        ).passed
        assert marker.exists()


class TestItIsJudged:
    async def test_by_its_exit_code_and_the_end_of_its_output(self) -> None:
        line = await refusal(python("import sys; print('x' * 300); print('the last line'); sys.exit(3)"))
        assert "to end with 0 within" in line
        assert "the last answer was exit code 3 and the output: …" in line
        assert "x the last line. Look at the logs of crane-context" in line

    async def test_by_what_it_wrote(self) -> None:
        check = python("print('rows: 12')", output_matches=r"(?m)^rows: \d+$")
        assert (await execute(Route(target()), check, ONE_TRY)).passed
        assert "(the output does not match)" in await refusal(python("print('rows: none')", output_matches=r"rows: \d+"))

    async def test_as_failed_where_a_signal_ends_it(self) -> None:
        assert "was signal SIGKILL and no output" in await refusal(python("import os, signal; os.kill(os.getpid(), signal.SIGKILL)"))

    async def test_again_until_it_passes(self, tmp_path: Path) -> None:
        code = "import pathlib, sys; p = pathlib.Path('tries'); p.write_text(p.read_text() + 'x' if p.exists() else 'x'); sys.exit(p.read_text() != 'xx')"
        assert await run_checks(target(tmp_path), [python(code)], pause=0) == (Passed("mine", 2),)

    async def test_with_no_more_output_than_memory_has_room_for(self) -> None:
        attempt = await execute(Route(target()), python("print('y' * 5_000_000); print('end')"), ONE_TRY)
        assert attempt.passed
        assert attempt.came.endswith("y end")


class TestItIsKilledAtItsDeadline:
    async def test_which_hides_no_answer_before_it(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """The first try has a minute, the second one the last second of it."""
        code = "import os, sys, time; os.path.exists('tried') and time.sleep(3600); open('tried', 'w'); sys.exit('the answer')"
        monkeypatch.setattr("crane_infra.checks.run.monotonic", iter([0, 0, 1, 59, 60]).__next__)
        with pytest.raises(CheckError, match="after 2 tries the last answer was exit code 1 and the output: the answer"):
            await run_checks(target(tmp_path), [python(code, deadline=60)], pause=0)

    async def test_and_the_first_try_tells_what_it_wrote(self, monkeypatch: pytest.MonkeyPatch) -> None:
        code, wrote = "import time; print('begun', flush=True); time.sleep(3600)", " and the output: begun"
        for left in LONGER_AND_LONGER:
            monkeypatch.setattr("crane_infra.checks.run.monotonic", iter([0, 60 - left, 60]).__next__)
            with pytest.raises(CheckError) as caught:
                await run_checks(target(), [python(code, deadline=60)], pause=0)
            if wrote in str(caught.value):
                break
        assert f"after 1 try the last answer was none in {left}.0 s, it was killed{wrote}" in str(caught.value)


ENDLESS = "import time\nwhile True: time.sleep(60)"
CHILDREN = {
    "children": "import subprocess, sys; {start}; print(p.pid, flush=True); {endless}",
    "children that leave the session": "import subprocess, sys; {start_alone}; print(p.pid, flush=True); {endless}",
    "children that outlive it": "import subprocess, sys; {start}; print(p.pid, flush=True)",
    "children that outlive it and leave the session": "import subprocess, sys; {start_alone}; print(p.pid, flush=True)",
}


@pytest.mark.parametrize("kind", CHILDREN)
async def test_at_the_end_nothing_of_it_is_left(kind: str, tmp_path: Path) -> None:
    start = f"p = subprocess.Popen([sys.executable, '-c', {ENDLESS!r}]{{}}); open('pid', 'w').write(str(p.pid))"
    code = CHILDREN[kind].format(start=start.format(""), start_alone=start.format(", start_new_session=True"), endless="p.wait()")
    outlived = "outlive" in kind

    for seconds in [ONE_TRY] if outlived else LONGER_AND_LONGER:
        attempt = await execute(Route(target(tmp_path)), python(code), seconds)
        if "the output: " in attempt.came:
            break
    assert attempt.passed is outlived
    if not outlived:
        assert attempt.came.startswith(f"none in {seconds}.0 s, it was killed and the output: ")
    assert await is_gone(int((tmp_path / "pid").read_text(encoding="utf-8")))


async def test_it_is_killed_where_the_run_is_cancelled(server: Server) -> None:
    reached: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    call = "import os, sys, urllib.request as r; r.urlopen(f'{sys.argv[1]}/{os.getpid()}')"

    def called(seen: Seen) -> Reply:
        reached.get_loop().call_soon_threadsafe(reached.set_result, int(seen.path[1:]))
        return Reply()

    server.script(r"/\d+", called)
    command = CommandCheck(name="x", run=(sys.executable, "-c", f"{call}\n{ENDLESS}", server.url))
    run = asyncio.ensure_future(execute(Route(target()), command, 60))
    async with asyncio.timeout(60):
        child = await reached
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    assert await is_gone(child)


async def is_gone(process: int, within: float = 60) -> bool:
    """Whether a killed process has ended or does so soon: a kill is on its way for a moment, and the parent may not have noticed yet."""
    for _ in range(int(within / 0.02)):
        try:
            if psutil.Process(process).status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        await asyncio.sleep(0.02)
    return False


class TestItIsRefusedBeforeAnythingIsSent:
    async def test_every_reason_in_a_line_of_its_own(self) -> None:
        checks = [
            CommandCheck(name="a", run=("no-such-program-here",), secrets_in={"K": "MISSING"}),
            CommandCheck(name="b", run=("./no/such/file",)),
            python("open('ran', 'w')", secrets_in={"K": "NUL"}),
        ]
        with pytest.raises(CheckError) as caught:
            await run_checks(target(NUL="a\0b"), checks)
        lines = str(caught.value).split("\n")
        assert [line.split(": ")[0] for line in lines] == ["crane-context (check a)"] * 2 + [
            "crane-context (check b)",
            "crane-context (check mine)",
        ]
        assert "the secret MISSING has no value" in lines[0]
        assert "there is no program no-such-program-here on PATH. Install it, or correct the command" in lines[1]
        assert "there is no program ./no/such/file in " in lines[2]
        assert "the value of the secret NUL cannot be in an environment variable" in lines[3]

    @pytest.mark.parametrize(
        ("fields", "text"),
        [
            ({}, "set one of run and shell"),
            ({"run": ("a",), "shell": "b"}, "set one of run and shell"),
            ({"run": (" ",)}, "run begins with the name of a program"),
            ({"run": ("a",), "environment": {"CRANE_URL": "x"}}, "variables that begin with CRANE_ are set by the run"),
            ({"run": ("a",), "environment": {"K": "x"}, "secrets_in": {"K": "B"}}, "the variable K is set twice"),
            ({"run": ("a",), "by_environment": {"staging": {"K": "x"}}, "secrets_in": {"K": "B"}}, "the variable K is set twice"),
            ({"run": ("a\0",)}, "should match pattern"),
            ({"run": ("a",), "output_matches": "("}, "'(' is not a regular expression that a check can use"),
            ({"run": ("a",), "by_environment": {"test": {}}}, "'staging' or 'production'"),
        ],
        ids=repr,
    )
    def test_a_mistake_in_the_catalog(self, fields: dict[str, Any], text: str) -> None:
        with pytest.raises(ValidationError) as caught:
            CommandCheck.model_validate({"name": "x", **fields})
        assert text in str(caught.value)


HIDING: dict[str, Callable[[str], str]] = {
    "as it is": lambda text: text,
    "in hex": lambda text: text.encode().hex(),
    "on lines of four": lambda text: "\n".join(text[place : place + 4] for place in range(0, len(text), 4)),
}


@pytest.mark.parametrize("hiding", HIDING)
async def test_its_output_shows_no_secret(hiding: str) -> None:
    shown = HIDING[hiding](SECRET)
    line = await refusal(python(f"import sys; sys.exit({'x' * 150 + shown!r})", secrets_in={"K": "KEY"}), KEY=SECRET)
    assert "[secret KEY]" in line
    assert " ".join(shown.split()) not in line
