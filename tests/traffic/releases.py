"""A worker whose new version is tried, while a client asks which one serves; and a clock for deadlines that no slow machine moves."""

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import httpx

from crane_infra.checks.model import AnyCheck, Check
from crane_infra.checks.request import Target
from crane_infra.errors import CraneError
from crane_infra.live.account import Account, Deployment
from crane_infra.rehearsal.asking_client import Question, Traffic
from crane_infra.traffic.candidate import try_candidates
from crane_infra.traffic.outcome import Candidate, Outcome
from crane_infra.traffic.series import IN_A_ROW
from tests.cloud import Api, Body

ROUTE = "POST /accounts/{a}/workers/scripts/{name}/deployments"
DIGEST = "0123456789abcdef" * 4
HOUR, SOON, PATIENT = 3600.0, 20.0, 120.0
SECRET = "planted-canary-value"
GOOD = "Response.json({ ok: true, path: url.pathname })"
CHECKS = (
    Check(name="version", path="/version", version_at="id", deadline=PATIENT),
    Check(name="health", path="/health?deep=1", json_includes={"ok": True}, deadline=PATIENT),
)


def code(health: str = GOOD, version: str = "Response.json({ id: env.CF_VERSION_METADATA.id })") -> str:
    """A worker with an answer of its own about its health."""
    return f"""let asked = 0;
    export default {{ fetch(request, env) {{
      const url = new URL(request.url);
      asked += 1;
      return url.pathname === "/version" ? {version} : {health};
    }} }};"""


@dataclass
class Release:
    """A worker, the version that serves, and a new one; and what was logged."""

    api: Api
    worker: Body
    old: str
    new: str
    candidate: Candidate
    logged: list[str] = field(default_factory=list)
    at_log: Callable[[str], object] = lambda _: None

    @property
    def script(self) -> str:
        """The name of the worker."""
        return str(self.worker["name"])

    def log(self, text: str) -> None:
        """What a run would log; something may happen at that moment."""
        self.logged.append(text)
        self.at_log(text)

    def at(self, words: str, then: Callable[[], object]) -> None:
        """Let something happen when a line with these words is logged."""
        self.at_log = lambda text: then() if words in text else None

    async def tried(self, account: Account, **changes: object) -> Outcome:
        """Try the new version."""
        candidate = replace(self.candidate, **changes)  # type: ignore[arg-type]
        return (await try_candidates(account, [candidate], DIGEST, self.log))[candidate.worker]

    async def failed(self, account: Account, **changes: object) -> str:
        """The line with which a trial ended."""
        error = (await self.tried(account, **changes)).error
        assert isinstance(error, CraneError)
        assert "\n" not in str(error)
        return str(error)


def release(api: Api, new: str = "", *, old: str = "", checks: tuple[AnyCheck, ...] = CHECKS, **more: object) -> Release:
    """A worker whose old version serves. Its trial is as short as it can be; that of a release has more rounds."""
    worker = api.worker()
    bindings = [{"name": "CF_VERSION_METADATA", "type": "version_metadata"}]
    first = api.upload(worker, old or code(), bindings=bindings)
    second = api.upload(worker, new or code(), **{"bindings": bindings, **more})
    api.deploy(worker, (first, 100))
    target = Target(worker["name"], f"{api.running.edge_url}/{worker['name']}", second["id"], {"KEY": SECRET})
    candidate = Candidate("w", second["id"], target, checks, "production", "0123456789ab", rounds=IN_A_ROW)
    return Release(api, worker, first["id"], second["id"], candidate)


class Clock:
    """A clock that goes on by a second with each look at it: a deadline passes after so many looks, however fast the machine is."""

    def __init__(self) -> None:
        self._seconds = itertools.count(1.0)

    def __call__(self) -> float:
        """The time."""
        return next(self._seconds)


def soon(checks: tuple[Check, ...] = CHECKS) -> tuple[Check, ...]:
    """The checks with a deadline that is soon over by the ``clock`` that goes on with each look at it."""
    return tuple(check.model_copy(update={"deadline": SOON}) for check in checks)


@contextmanager
def asked_all_the_while(made: Release) -> Iterator[None]:
    """A client asks which version serves. It never meets the new one."""
    traffic = Traffic([Question(f"{made.api.running.edge_url}/{made.script}/version", steady=False)])
    traffic.begin()
    try:
        yield
        assert traffic.asked_again(120) > 0
    finally:
        traffic.end()
    answers = traffic.phase()
    assert (answers.faults, answers.versions) == ([], {httpx.Response(200, json={"id": made.old}).text})


async def active(account: Account, made: Release) -> Deployment:
    """The deployment that serves."""
    return (await account.deployments(made.script))[0]


BROKEN = {
    "answers 500": (code("new Response('broken', { status: 500 })"), ": expected 200, JSON"),
    "answers another body": (code("Response.json({ ok: 1 })"), "(ok is different)"),
    "fails once in five requests": (code(f"asked % 5 ? {GOOD} : new Response('oops', {{ status: 500 }})"), "was 500 oops"),
    "throws": (code("nothing.at.all"), "(status 500)"),
    "names no version": (code(version="Response.json({})"), "No answer ever named it: the header"),
    "fails where it names its version": (code(version="new Response('', { status: 500 })"), "500 with an empty body"),
    "repeats a secret": (code("new Response(request.headers.get('x-key'), { status: 500 })"), "[secret KEY]"),
}
