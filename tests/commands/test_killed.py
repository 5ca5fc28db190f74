"""Commands that move traffic or restore, ended at each step by kill -9 and by SIGTERM: a client asks production all the while, and the next run ends it.

Each command is a process of its own, which the local cloud holds at a call and a signal ends there.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from signal import SIGKILL, SIGTERM, Signals
from typing import TypeVar

import pytest

from crane_infra.commands import rollout
from crane_infra.commands.restore import Talk, restore
from crane_infra.commands.restore import Wish as RestoreWish
from crane_infra.commands.rollback import Stack, Wish, roll_back
from crane_infra.commands.verify import verify
from crane_infra.config.services import called_first
from crane_infra.live.mark import mark
from crane_infra.rehearsal.asking_client import Question, Traffic, asking
from crane_infra.release.outputs import StackOutputs
from crane_infra.release.restored import TAG, read_restored
from local_cloud.daemon import Running
from local_cloud.faults.client import Faults
from local_cloud.faults.model import CommitThenHold, Hold, Then
from tests.cloud import api_of
from tests.commands.production import Production
from tests.forked import forked
from tests.world.started import until

pytestmark = pytest.mark.cloud

T = TypeVar("T")
DEPLOY = "POST /accounts/{a}/workers/scripts/{name}/deployments"
LOOK = "GET /accounts/{a}/workers/scripts/{name}/deployments"
RESTORE = "POST /accounts/{a}/d1/database/{id}/time_travel/restore"
SIGNALS = (SIGKILL, SIGTERM)
FILES = {"0001_t.sql": "CREATE TABLE t (x TEXT);\n"}


@dataclass(frozen=True)
class Held:
    """The call that gives a worker the version of a release, and what becomes of it."""

    then: Then
    worker: str
    digest: str


@dataclass
class Place:
    """Production with two releases of two workers over one database, the newer of which serves, and a client that asks both workers."""

    production: Production
    faults: Faults
    old: str
    new: str
    traffic: Traffic

    def rolls_back(self, digest: str) -> None:
        """``crane rollback``."""
        stack = Stack(self.production.settings, self.production.catalog, self.production.outputs, StackOutputs)
        roll_back(stack, Wish(digest, reason="it is broken"), print, lambda: True)

    def findings(self) -> list[str]:
        """What ``crane verify`` finds."""
        production = self.production
        return [str(one) for one in asyncio.run(verify(production.settings, production.catalog, production.outputs)).findings]

    def ended(self, work: Callable[[], object], sent: Signals, *held: Held, then: Callable[[], T]) -> tuple[str, T]:
        """Run this work until all these calls are held, end it there, and do something; what the first said and the second gave.

        What was held before it reached the account arrives afterwards.
        """
        with ExitStack() as stack:
            faults = [stack.enter_context(self.faults.fault(DEPLOY, call.then, saying=self._version(call))) for call in held]
            with forked(work, self.production.folder) as process:
                process.reaches(*faults)
                until(lambda: all(self._has_moved(call) for call in held if isinstance(call.then, CommitThenHold)), "the deployment")
                said = process.ends_by(sent)
            return said, then()

    def _version(self, call: Held) -> str:
        return self.production.versions(call.digest)[call.worker]

    def _has_moved(self, call: Held) -> bool:
        script = self.production.workers[call.worker]["name"]
        active = self.production.api.result("GET", f"/workers/scripts/{script}/deployments")["deployments"][0]
        return bool(active["versions"][0]["version_id"] == self._version(call))

    def only_proven(self) -> bool:
        """Whether the client was answered since this was last asked, each time by a version that one of both releases proved."""
        assert self.traffic.asked_again(30)
        answers = self.traffic.phase()
        proven = {*self.production.versions(self.old).values(), *self.production.versions(self.new).values()}
        return answers.faults == [] and answers.count > 0 and all(any(one in body for one in proven) for body in answers.versions)


@pytest.fixture(scope="module")
def place(cloud: Running, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """The place; each test leaves it as it was."""
    api = api_of(cloud)
    with api.http:
        production = Production(api, tmp_path_factory.mktemp("killed"))
        old = production.release({"one": "a", "two": "a"}, {"db": FILES})
        new = production.release({"one": "b", "two": "b"}, {"db": FILES})
        urls = [f"{cloud.edge_url}/{worker['name']}/version" for worker in production.workers.values()]
        with asking(*(Question(url, steady=False) for url in urls)) as traffic:
            yield Place(production, Faults(cloud), old, new, traffic)
        for name in api.made:
            api.call("DELETE", f"/workers/scripts/{name}?force=true")


@pytest.mark.parametrize("sent", SIGNALS)
class TestARollback:
    def test_that_only_looked_has_changed_nothing(self, place: Place, sent: Signals) -> None:
        with place.faults.fault(LOOK, Hold()) as fault, forked(lambda: place.rolls_back(place.old), place.production.folder) as process:
            process.reaches(fault)
            assert "side by side" not in process.ends_by(sent)
        assert place.findings() == []
        assert place.production.answering == place.production.versions(place.new)
        assert place.only_proven()

    def test_that_moved_one_of_two_is_named_by_verify_and_ended_by_the_next_one(self, place: Place, sent: Signals) -> None:
        held = Held(CommitThenHold(), "one", place.old), Held(Hold(), "two", place.old)
        said, findings = place.ended(lambda: place.rolls_back(place.old), sent, *held, then=place.findings)
        assert [line for line in findings if f"crane rollback -s production {place.old[:12]}" in line]
        assert_said(place, said, sent)
        ends(place)

    def test_that_moved_all_and_checked_nothing_is_complete(self, place: Place, sent: Signals) -> None:
        held = Held(CommitThenHold(), "one", place.old), Held(CommitThenHold(), "two", place.old)
        said, findings = place.ended(lambda: place.rolls_back(place.old), sent, *held, then=place.findings)
        assert findings == []
        assert_said(place, said, sent)
        ends(place)


def assert_said(place: Place, said: str, sent: Signals) -> None:
    """A command that can still speak says that it may be half done; one that cannot leaves that to the next one."""
    line = f"error: rollback to {place.old[:12]}: was interrupted while its workers moved, so two releases may serve side by side."
    assert (line in said) is (sent is SIGTERM)


def ends(place: Place) -> None:
    """The next rollback goes on; its record is on both workers. Then all is as it was before."""
    place.rolls_back(place.old)
    assert place.production.answering == place.production.versions(place.old)
    assert place.findings() == []
    record = f"crane rollback {place.old[:12]} from {place.new[:12]}: it is broken"
    assert [place.production.messages(worker)[0] for worker in ("one", "two")] == [record, record]
    place.rolls_back(place.new)
    assert place.production.answering == place.production.versions(place.new)
    assert place.only_proven()


@pytest.mark.parametrize("sent", SIGNALS)
def test_an_abort_that_moved_one_of_two_is_ended_by_the_next_one(place: Place, sent: Signals) -> None:
    """Two workers hold in a rollout to the older release's versions."""
    production = place.production
    old, new = production.versions(place.new), production.versions(place.old)
    for name, worker in production.workers.items():
        shares = [{"version_id": old[name], "percentage": 90}, {"version_id": new[name], "percentage": 10}]
        body = {"strategy": "percentage", "versions": shares, "annotations": {"workers/message": mark("canary", place.old).message}}
        production.api.result("POST", f"/workers/scripts/{worker['name']}/deployments", body)
    scripts = {name: production.workers[name]["name"] for name in ("one", "two")}
    workers = {scripts[name]: worker for name, worker in production.settings.workers.items()}
    settings = production.settings.model_copy(update={"workers": workers})
    first, second = (next(name for name in scripts if scripts[name] == script) for script in called_first(settings, set(workers)))

    def next_one() -> list[str]:
        said: list[str] = []
        asyncio.run(rollout.abort(settings, said.append))
        return [*said, *asyncio.run(rollout.status(settings))]

    aborted, said = place.ended(lambda: asyncio.run(rollout.abort(settings, print)), sent, Held(Hold(), second, place.new), then=next_one)
    assert f"worker {scripts[first]}: {old[first]} serves everybody again, alone" in aborted
    assert ("rollout: was interrupted, so some workers may have moved and others not." in aborted) is (sent is SIGTERM)
    assert said == [f"worker {scripts[second]}: {old[second]} serves everybody again, alone", "no rollout is under way"]
    assert production.answering == old
    assert place.only_proven()


@pytest.mark.parametrize("sent", SIGNALS)
def test_a_restore_whose_end_nobody_saw_is_on_record_with_the_way_back(place: Place, sent: Signals, tmp_path: Path) -> None:
    """D1 has restored the database when the command ends, and no ledger shows it: rows alone went back."""
    production, tag = place.production, tmp_path / "tag"
    database = production.databases["db"]
    early = str(production.api.result("GET", f"/d1/database/{database}/time_travel/bookmark")["bookmark"])
    production.api.query(database, "INSERT INTO t VALUES ('later')")
    talk = Talk(print, lambda: True, lambda record: None if record is None else _write(tag, record.tag))

    def work() -> object:
        wish = RestoreWish("db", early, "ann", lose_writes=True)
        return restore(production.settings, production.catalog, production.outputs, wish, talk)

    with place.faults.fault(RESTORE, CommitThenHold()) as fault, forked(work, production.folder) as process:
        process.reaches(fault)
        until(lambda: not production.api.query(database, "SELECT x FROM t")[0], "the restore")
        said = process.ends_by(sent)
    record = read_restored({TAG: tag.read_text(encoding="utf-8")})
    assert record is not None
    assert "began on" in record.summary
    assert "did not say how it ended" in record.summary
    assert f"To return to the state that it has now: crane restore -s production -d db --bookmark {record.before} --lose-writes" in said
    again = Talk(print, lambda: True, lambda _: None)
    assert restore(production.settings, production.catalog, production.outputs, RestoreWish("db", record.before, lose_writes=True), again)
    assert production.api.query(database, "SELECT x FROM t") == [[{"x": "later"}]]
    production.api.query(database, "DELETE FROM t")
    assert place.findings() == []


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
