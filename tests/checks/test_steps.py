"""Several requests in one check: values go from answer to request, each try has ids of its own, and clean-up runs whatever happens."""

import asyncio
import json
import threading
from typing import Any
from urllib.parse import unquote

import httpx
import pytest
from pydantic import JsonValue, ValidationError

from crane_infra.checks.follow import follow
from crane_infra.checks.model import Expected, SecretHeader, Step, StepsCheck
from crane_infra.checks.request import OVERRIDES, Route
from crane_infra.checks.run import Passed, run_checks, select
from crane_infra.checks.send import REQUEST_SECONDS
from crane_infra.errors import CheckError
from tests.checks.server import LONG, ONE_TRY, Reply, Seen, Server

NOTE = StepsCheck(
    name="keeps a note",
    fresh=("title",),
    steps=(
        Step(method="POST", path="/notes", body={"title": "{{title}}"}, status=201, take={"note": "note.id", "token": "token"}),
        Step(path="/notes/{{note}}?full=1", headers={"X-Token": "t {{token}}"}, json_includes={"id": "{{note}}", "title": "{{title}}"}),
    ),
    cleanup=(Step(method="DELETE", path="/notes/{{note}}", status=(204, 404)),),
    deadline=ONE_TRY,
)
TOKEN = "issued-token-0123456789"


class Notes:
    """A worker that keeps notes."""

    def __init__(self, server: Server, number: JsonValue = 7) -> None:
        self.kept: dict[str, str] = {}
        self.made: list[str] = []
        self.number = number
        server.script("/notes", self.make)
        server.script(r"/notes/[^?]+(\?.*)?", self.one)

    def make(self, seen: Seen) -> Reply:
        """Keep a note."""
        self.made.append(json.loads(seen.body)["title"])
        self.kept[str(self.number)] = self.made[-1]
        return Reply(201, json.dumps({"note": {"id": self.number}, "token": TOKEN}).encode())

    def one(self, seen: Seen) -> Reply:
        """Show or delete a note."""
        key = unquote(seen.path.split("?")[0].removeprefix("/notes/"))
        if key not in self.kept:
            return Reply(404, b'{"error":"no such note"}')
        if seen.method == "DELETE":
            del self.kept[key]
            return Reply(204, b"")
        if seen.headers["x-token"] != f"t {TOKEN}":
            return Reply(403)
        return Reply(200, json.dumps({"id": self.number, "title": self.kept[key]}).encode())


def changed(check: StepsCheck, number: int, **fields: object) -> StepsCheck:
    """The check with other fields in one of its steps."""
    steps = list(check.steps)
    steps[number] = steps[number].model_copy(update=fields)
    return check.model_copy(update={"steps": tuple(steps)})


class TestValuesGoFromAnswerToRequest:
    @pytest.mark.parametrize("number", [7, "a/b?c#d é", "..x", 0.5], ids=repr)
    async def test_with_their_type_in_json_and_encoded_in_a_path(self, server: Server, number: JsonValue) -> None:
        notes = Notes(server, number)
        assert await run_checks(server.target(), [NOTE]) == (Passed("keeps a note", 1),)
        assert notes.kept == {}

    @pytest.mark.parametrize("number", [".", ".."])
    async def test_but_never_as_another_path(self, server: Server, number: str) -> None:
        Notes(server, number)
        with pytest.raises(CheckError, match=r"a part of its path is \. or \.\., which would be another path"):
            await run_checks(server.target(), [NOTE], pause=LONG)
        assert {seen.path for seen in server.seen} == {"/notes"}

    async def test_each_try_has_fresh_ids(self, server: Server) -> None:
        notes = Notes(server)
        for _ in range(2):
            await run_checks(server.target(), [NOTE])
        assert len(set(notes.made)) == 2

    async def test_the_steps_are_tried_again_from_the_first(self, server: Server) -> None:
        notes = Notes(server)
        server.script(r"/late", Reply(503), Reply(200))
        late = NOTE.model_copy(update={"steps": (*NOTE.steps, Step(path="/late")), "deadline": ONE_TRY})
        assert await run_checks(server.target(), [late], pause=0) == (Passed("keeps a note", 2),)
        assert len(set(notes.made)) == 2

    async def test_a_value_that_an_answer_lacks_is_said(self, server: Server) -> None:
        Notes(server)
        lacking = changed(NOTE, 0, take={"note": "note.number", "token": "token"})
        with pytest.raises(CheckError) as caught:
            await run_checks(server.target(), [lacking], pause=LONG)
        assert "expected 201 at step 1 (POST /notes) within 60 s" in str(caught.value)
        assert "(note.number is missing; with title crane-" in str(caught.value)

    async def test_a_value_that_no_header_can_carry_is_not_sent(self, server: Server) -> None:
        server.script("/token", Reply(200, b'{"token":"two\\nlines-of-it"}'))
        check = StepsCheck(
            name="x", steps=(Step(path="/token", take={"t": "token"}), Step(path="/x", headers={"X-T": "{{t}}"})), deadline=ONE_TRY
        )
        with pytest.raises(CheckError, match=r"a value cannot be sent in the header x-t") as caught:
            await run_checks(server.target(), [check], pause=LONG)
        assert "lines-of-it" not in str(caught.value)
        assert [seen.path for seen in server.seen] == ["/token"]


class TestCleansUp:
    async def test_after_a_wrong_answer(self, server: Server) -> None:
        notes = Notes(server)
        with pytest.raises(CheckError, match=r"expected 418 at step 2 \(GET /notes/\{\{note\}\}\?full=1\) within") as caught:
            await run_checks(server.target(), [changed(NOTE, 1, status=418, json_includes=None)], pause=LONG)
        assert (notes.kept, len(notes.made)) == ({}, 1)
        assert f"with title {notes.made[0]}" in str(caught.value)

    async def test_after_the_deadline(self, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
        notes, never = Notes(server), threading.Event()

        def hang(_: Seen) -> Reply:
            never.wait(60)
            return Reply()

        server.script("/hangs", hang)
        slow = NOTE.model_copy(update={"steps": (NOTE.steps[0], Step(path="/hangs"))})
        left = REQUEST_SECONDS - 0.1
        monkeypatch.setattr("crane_infra.checks.run.monotonic", iter([0, ONE_TRY - left, ONE_TRY]).__next__)
        monkeypatch.setattr("crane_infra.checks.follow.monotonic", iter([0, 0, left - 0.1, left, left]).__next__)
        try:
            with pytest.raises(CheckError, match="no try ended in time"):
                await run_checks(server.target(), [slow])
            assert (notes.kept, len(notes.made)) == ({}, 1)
        finally:
            never.set()

    async def test_that_gets_no_answer_was_cut_by_no_deadline(self, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
        """Its time is its own: the candidate is at fault, and its deadline is not near."""
        notes, never = Notes(server), threading.Event()

        def hang(_: Seen) -> Reply:
            never.wait(60)
            return Reply()

        server.script("/hangs", hang)
        monkeypatch.setattr("crane_infra.checks.follow.monotonic", iter([0, 0, 0, 0, REQUEST_SECONDS - 0.1]).__next__)
        slow = NOTE.model_copy(update={"cleanup": (Step(path="/hangs"),)})
        try:
            async with httpx.AsyncClient() as http:
                attempt = await follow(Route(server.target()), slow, http, 60)
            assert (attempt.passed, attempt.ran_out, len(notes.made)) == (False, False, 1)
            assert attempt.came.startswith("none, ")
        finally:
            never.set()

    async def test_where_the_run_is_cancelled(self, server: Server) -> None:
        notes, never, reached = Notes(server), threading.Event(), asyncio.Event()
        loop = asyncio.get_running_loop()

        def hang(_: Seen) -> Reply:
            loop.call_soon_threadsafe(reached.set)
            never.wait(60)
            return Reply()

        server.script("/hangs", hang)
        slow = NOTE.model_copy(update={"steps": (NOTE.steps[0], Step(path="/hangs")), "deadline": 60})
        run = asyncio.ensure_future(run_checks(server.target(), [slow]))
        try:
            await reached.wait()
            run.cancel()
            with pytest.raises(asyncio.CancelledError):
                await run
            assert (notes.kept, len(notes.made)) == ({}, 1)
        finally:
            never.set()

    async def test_leaves_out_what_needs_a_value_that_never_came(self, server: Server) -> None:
        server.script("/notes", Reply(503))
        with pytest.raises(CheckError, match=r"was 503 \{\} \(status 503; with title crane-\w+\)"):
            await run_checks(server.target(), [NOTE], pause=LONG)
        assert {seen.method for seen in server.seen} == {"POST"}

    async def test_and_fails_where_that_fails(self, server: Server) -> None:
        Notes(server)
        server.script(r"/notes/7", Reply(500, b"locked"))
        left = NOTE.model_copy(update={"cleanup": (*NOTE.cleanup, Step(method="POST", path="/last"))})
        server.script("/last", Reply(200))
        with pytest.raises(CheckError, match=r"expected 204 or 404 at clean-up 1 \(DELETE /notes/\{\{note\}\}\) within .* was 500 locked"):
            await run_checks(
                server.target(),
                [changed(left, 1, path="/notes", method="POST", body={"title": "x"}, status=201, json_includes=None)],
                pause=LONG,
            )
        assert server.seen[-1].path == "/last"

    async def test_and_says_so_beside_the_step_that_failed(self, server: Server) -> None:
        Notes(server)
        server.script(r"/notes/7.*", Reply(500, b"locked"))
        with pytest.raises(CheckError, match=r"clean-up failed too, so what it made may be left: 500 locked \(status 500\)"):
            await run_checks(server.target(), [NOTE], pause=LONG)


class TestShowsNoSecret:
    @pytest.mark.parametrize("where", ["body", "location"])
    async def test_nor_a_value_that_an_answer_gave(self, server: Server, where: str) -> None:
        Notes(server)
        told = TOKEN.encode().hex()
        server.script(r"/notes/7\?full=1", Reply(400, told.encode() if where == "body" else b"", {"location": f"/?{told}"}))
        with pytest.raises(CheckError) as caught:
            await run_checks(server.target(), [NOTE], pause=LONG)
        assert "[secret token]" in str(caught.value)
        assert told not in str(caught.value)

    async def test_of_the_worker(self, server: Server) -> None:
        server.script("/echo", Reply(500, b"key planted-value-0123"))
        check = StepsCheck(name="x", steps=(Step(path="/echo", headers={"X": SecretHeader(secret="KEY")}),), deadline=ONE_TRY)
        with pytest.raises(CheckError, match=r"500 key \[secret KEY\]"):
            await run_checks(server.target(KEY="planted-value-0123"), [check], pause=LONG)


class TestACandidate:
    async def test_gets_every_step_with_the_header_that_reaches_it(self, server: Server) -> None:
        Notes(server)
        async with httpx.AsyncClient() as http:
            attempt = await follow(Route(server.target(), "v9"), NOTE, http, 5)
        assert attempt.passed
        assert [seen.headers[OVERRIDES] for seen in server.seen] == ['crane-context-staging="v9"'] * 3
        assert "crane-probe=" in server.seen[1].path

    async def test_is_told_from_another_version_in_each_answer(self, server: Server) -> None:
        server.script("/a", Reply(200, b'{"id":"v9"}'))
        server.script("/b", Reply(200, b'{"id":"v8"}'))
        check = StepsCheck(name="x", steps=tuple(Step(path=path, version_at="id", exact_url=True) for path in ("/a", "/b")))
        async with httpx.AsyncClient() as http:
            attempt = await follow(Route(server.target("v9"), "v9"), check, http, 5)
        assert (attempt.passed, attempt.is_other_version, attempt.is_down) == (False, True, False)
        assert attempt.expected == "200, id = v9 at step 2 (GET /b)"


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "an unknown value": ({"steps": [{"path": "/{{x}}"}]}, "step 1 uses {{x}}, which is not in fresh and which no step before it takes"),
    "a value before it is taken": ({"steps": [{"path": "/{{x}}", "take": {"x": "a"}}]}, "step 1 uses {{x}}"),
    "in a header": ({"steps": [{"path": "/", "headers": {"X": "{{x}}"}}]}, "step 1 uses {{x}}"),
    "deep in a body": ({"steps": [{"path": "/", "body": {"a": [{"b": "{{x}}"}]}}]}, "step 1 uses {{x}}"),
    "in expected JSON": ({"steps": [{"path": "/", "json_includes": {"a": "{{x}}"}}]}, "step 1 uses {{x}}"),
    "in clean-up": ({"steps": [{"path": "/"}], "cleanup": [{"path": "/{{x}}"}]}, "clean-up 1 uses {{x}}"),
    "a value taken twice": ({"fresh": ["x"], "steps": [{"path": "/", "take": {"x": "a"}}]}, "step 1 takes x, which has a value already"),
    "a fresh name twice": ({"fresh": ["x", "x"], "steps": [{"path": "/"}]}, "a name in fresh stands there twice"),
    "no steps": ({"steps": []}, "at least 1"),
    "no place": ({"steps": [{"path": "/", "take": {"x": "a..b"}}]}, "'a..b' is not a place in JSON, write it as data.items[0].id"),
    "no name": ({"steps": [{"path": "/", "take": {"X": "a"}}]}, "should match pattern"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_mistake_is_refused_where_it_is_made(wrong: str) -> None:
    fields, text = WRONG[wrong]
    with pytest.raises(ValidationError) as caught:
        StepsCheck.model_validate({"name": "x", **fields})
    assert text in str(caught.value)


def test_steps_write_unless_the_catalog_says_that_they_do_not() -> None:
    assert NOTE.mutating
    assert not NOTE.is_for_candidates
    assert [check.name for check in select([NOTE], "production")] == []
    assert NOTE.model_copy(update={"mutating": False}).is_for_candidates


def test_each_environment_has_what_it_expects_and_the_digest_has_both() -> None:
    step = Step(path="/", status=201, json_has=("a",), by_environment={"production": Expected(status=200)})
    check = StepsCheck(name="x", steps=(step,), cleanup=(step,), mutating=False)
    (staging,), (production,) = select([check], "staging"), select([check], "production")
    assert isinstance(staging, StepsCheck)
    assert isinstance(production, StepsCheck)
    assert [(one.status, one.json_has) for one in (*staging.steps, *production.steps)] == [(201, ("a",)), (200, ("a",))]
    assert production.cleanup[0].status == 200
    definition = json.loads(json.dumps(check.definition()))
    assert definition["steps"][0]["by_environment"] == {"production": {"status": 200}}
    assert definition["kind"] == "steps"
