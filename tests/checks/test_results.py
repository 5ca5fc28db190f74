"""The results of checks that ran over rows of production: every check has one, and none holds anything that a worker or a command wrote."""

import json
import sys

import httpx
import pytest

from crane_infra.checks.model import AnyCheck, Check, CommandCheck, SecretHeader, Step, StepsCheck
from crane_infra.checks.once import try_each
from crane_infra.checks.results import Checked, CheckResult, checked_as_json, checked_lines
from tests.checks.server import Reply, Server

ROW = "canary-row-of-production-0123456789"
PRINTS = """
import os, sys, urllib.request
print(urllib.request.build_opener(urllib.request.ProxyHandler({})).open(os.environ["CRANE_URL"] + "/ok").read())
sys.exit(3)
"""
SAYS = Check(name="says", path="/says")
SHOWN: dict[str, tuple[AnyCheck, str, str]] = {
    "a status": (SAYS, "200", "status 500"),
    "a body": (Check(name="says", path="/ok", json_includes={"a": 1}), '200, JSON with {"a": 1}', "status 200 with another body"),
    "a redirect": (Check(name="says", path="/leads"), "200", "status 302"),
    "a value of an answer in a path": (
        StepsCheck(name="says", steps=(Step(path="/ok", take={"v": "v"}), Step(path="/says/{{v}}"))),
        "200 at step 2 (GET /says/{{v}})",
        "status 500",
    ),
    "a value of an answer that is expected": (
        StepsCheck(name="says", steps=(Step(path="/ok", take={"v": "v"}), Step(path="/ok", json_includes={"w": "{{v}}"}))),
        '200, JSON with {"w": "{{v}}"} at step 2 (GET /ok)',
        "status 200 with another body",
    ),
    "clean-up": (
        StepsCheck(name="says", steps=(Step(path="/ok", take={"v": "v"}),), cleanup=(Step(path="/says/{{v}}"),)),
        "200 at clean-up 1 (GET /says/{{v}})",
        "status 500",
    ),
    "steps and clean-up": (
        StepsCheck(name="says", steps=(Step(path="/ok", take={"v": "v"}), Step(path="/says/1")), cleanup=(Step(path="/says/{{v}}"),)),
        "200 at step 2 (GET /says/1)",
        "status 500",
    ),
    "a value that is missing": (
        StepsCheck(name="says", steps=(Step(path="/ok", take={"w": "w"}),)),
        "200 at step 1 (GET /ok)",
        "status 200 with another body",
    ),
    "the output of a command": (
        CommandCheck(name="says", run=(sys.executable, "-c", PRINTS)),
        "to end with 0",
        "exit code 3",
    ),
    "no answer": (Check(name="says", path="/hangs-up"), "200", "no answer"),
}


async def results(server: Server, *checks: AnyCheck, **secrets: str) -> tuple[CheckResult, ...]:
    """The results of these checks on a worker that shows a row in all that it answers."""
    server.script(r"/says.*", Reply(500, ROW.encode()))
    server.script("/ok", Reply(200, json.dumps({"v": ROW, ROW: ROW}).encode()))
    server.script("/leads", Reply(302, b"", {"location": f"/{ROW}"}))
    server.script("/hangs-up", Reply(None))
    async with httpx.AsyncClient(trust_env=False, timeout=60) as http:
        return await try_each(http, "crane-context", server.target(**secrets), checks, pause=0)


@pytest.mark.parametrize("case", SHOWN)
async def test_a_failure_is_told_in_the_words_of_the_catalog_and_a_number(server: Server, case: str) -> None:
    check, expected, came = SHOWN[case]
    (result,) = await results(server, check)
    assert (result.passed, result.came) == (False, came)
    assert result.expected.endswith(expected)
    shown = "\n".join([*checked_lines(Checked((result,))), json.dumps(checked_as_json(Checked((result,))))])
    assert ROW not in shown


async def test_one_that_fails_hides_no_other_and_is_tried_three_times(server: Server) -> None:
    lacks = Check(name="lacks", path="/ok", headers={"X-Key": SecretHeader(secret="KEY")})
    found = await results(server, SAYS, lacks, Check(name="well", path="/ok"))
    assert [(result.check, result.passed) for result in found] == [("says", False), ("lacks", False), ("well", True)]
    assert found[1].came == "the secret KEY has no value"
    assert [seen.path for seen in server.seen] == ["/says", "/says", "/says", "/ok"]
    assert checked_lines(Checked(found, ("a note",))) == [
        "checks of the release on the local cloud: 1 of 3 passed",
        "  crane-context: check says: failed: expected 200; came: status 500",
        "  crane-context: check lacks: failed: expected a check that can run; came: the secret KEY has no value",
        "  crane-context: check well: passed",
        "  a note",
    ]


async def test_one_that_passes_at_the_second_try_has_passed(server: Server) -> None:
    server.script("/late", Reply(503), Reply(200))
    async with httpx.AsyncClient(trust_env=False, timeout=60) as http:
        (result,) = await try_each(http, "w", server.target(), [Check(name="late", path="/late")], pause=0)
    assert result.passed
