"""A run that is killed or interrupted proves nothing, and the next run goes on: no statement is executed twice, the release is proven.

Cases 21 and 22. One story on one local cloud for an environment that serves: each release brings a migration that SQLite would take a second
time.
"""

# ruff: noqa: S608 - SQL of the tests themselves

import signal
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from local_cloud.faults.client import Fault
from local_cloud.faults.model import CommitThenHold, Hold
from tests.world.copies import fresh_world
from tests.world.engine import Json, Result
from tests.world.started import PROGRAM, Started, started, until
from tests.world.world import World, edit

pytestmark = [pytest.mark.engine, pytest.mark.cloud]

SCRIPT, DATABASE, CHECKED = "crane-context-staging", "crane-context-db-staging", "crane-classifier-db-staging"
QUERY = "POST /accounts/{a}/d1/database/{id}/query"
BOOKMARK = "GET /accounts/{a}/d1/database/{id}/time_travel/bookmark"
DEPLOYMENTS = "GET /accounts/{a}/workers/scripts/{name}/deployments"
APPLIES = "INSERT INTO crane_migrations"
# Each run looks at both workers' deployments at its start, and three times around a candidate; the sixth look is that of the release step.
PROVES = 6
LOCKED = (
    "the stack is currently locked by 1 lock(s). Either wait for the other process(es) to end or delete the lock file with `pulumi cancel`."
)
# The last check of a release step waits for leave: the only way to know when it is under way.
STORES = "  await store(env.DB, delivery, "
WAITS = (
    "  while (!(await env.DB.prepare(\"SELECT 1 FROM deliveries WHERE id = 'leave'\").first())) await new Promise((done) => setTimeout(done, 50));\n"
    f"{STORES}"
)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Staging has proven a release; there is a table that tells how often each migration ran."""
    with fresh_world(tmp_path_factory) as made:
        (made.workers / "crane-context" / "migrations" / "0100_tally.sql").write_text("CREATE TABLE tally (ran TEXT NOT NULL);\n")
        well(made.up("staging"))
        yield made


def well(run: Result) -> Result:
    """A run that has to succeed."""
    assert run.exit == 0, run.output
    return run


@dataclass(frozen=True)
class Seen:
    """What there is of a release: how often its migration was executed and left its mark, the proofs, and which version answers."""

    executed: int
    ran: int
    proofs: list[Json]
    answering: str


@dataclass(frozen=True)
class Release:
    """A new release: one changed worker and one migration."""

    world: World
    sql: str
    proofs: list[Json]
    answering: str

    def seen(self) -> Seen:
        """Look at it."""
        ran = sum(f"'{row['ran']}'" in self.sql for row in self.world.rows(DATABASE, "SELECT ran FROM tally"))
        return Seen(self.world.faults.executed(self.sql), ran, self.world.proofs("staging"), self.world.answering(SCRIPT))

    def untouched(self, *, applied: bool) -> Seen:
        """What is to be seen where nothing is proven and the version before still serves."""
        return Seen(int(applied), int(applied), self.proofs, self.answering)

    def converged(self) -> None:
        """The release is proven and serves, and nothing of it was executed twice."""
        now = self.seen()
        newest, *older = now.proofs
        assert (now.executed, now.ran, older) == (1, 1, self.proofs)
        assert newest["workers"]["crane-context"]["version"] == now.answering != self.answering


def next_release(world: World) -> Release:
    """The next release, not deployed anywhere yet."""
    folder = world.workers / "crane-context"
    number = f"{max(int(file.name[:4]) for file in (folder / 'migrations').iterdir()) + 1:04}"
    sql = f"INSERT INTO tally VALUES ('{number}');"
    (folder / "migrations" / f"{number}_tally.sql").write_text(f"{sql}\n")
    edit(folder / "dist" / "index.js", "export default {", f"// {number}\nexport default {{")
    world.faults.reset()
    return Release(world, sql, world.proofs("staging"), world.answering(SCRIPT))


def cancel(world: World) -> None:
    """Take the lock of a dead run away."""
    well(world.engine.run("cancel", "--yes", "--stack", "staging"))


@dataclass(frozen=True)
class Killed:
    """One release, whose run was killed again and again, later each time: what was seen after each, and how the last one ended."""

    release: Release
    before_send: Seen
    locked: Result
    after_send: Seen
    after_commit: Seen
    late: Json
    production: Result
    checked: Seen
    last: Result


@pytest.fixture(scope="module")
def killed(world: World) -> Killed:
    """The story. The request of the second run is late: D1 gets to it when the third run has applied the file."""
    edit(world.workers / "crane-classifier" / "dist" / "index.js", STORES, WAITS)
    world.rows(CHECKED, "DELETE FROM deliveries")
    release = next_release(world)
    before_send = killed_before_send(release)
    locked = world.up("staging")
    cancel(world)
    with world.faults.fault(QUERY, Hold(), saying=APPLIES) as fault:
        after_send, sent = killed_after_send(release, fault)
        cancel(world)
        after_commit = killed_after_commit(release)
        production = world.up("production")
        cancel(world)
    until(lambda: world.faults.calls()[sent]["status"], "the reply to the late request")
    checked = killed_before_saving(release)
    cancel(world)
    late = world.faults.calls()[sent]
    return Killed(release, before_send, locked, after_send, after_commit, late, production, checked, world.up("staging"))


def killed_before_send(release: Release) -> Seen:
    """Killed while it asks for the bookmark."""
    world = release.world
    with world.faults.fault(BOOKMARK, Hold()) as fault, started(world, "staging") as run:
        run.reaches(fault)
        run.kill()
    return release.seen()


def killed_after_send(release: Release, fault: Fault) -> tuple[Seen, int]:
    """Killed when the migration has reached D1, which is held; with the place of that call in the log."""
    world = release.world
    with started(world, "staging") as run:
        run.reaches(fault)
        run.kill()
    calls = world.faults.calls()
    (sent,) = [place for place, call in enumerate(calls) if call["route"].endswith("/query") and call["status"] is None]
    return release.seen(), sent


def killed_after_commit(release: Release) -> Seen:
    """Killed when D1 has applied the migration and the reply is still to come."""
    world = release.world
    with world.faults.fault(QUERY, CommitThenHold(), saying=APPLIES) as fault, started(world, "staging") as run:
        run.reaches(fault)
        until(lambda: world.faults.executed(release.sql), "the commit")
        run.kill()
    return release.seen()


def killed_before_saving(release: Release) -> Seen:
    """Killed when the last check has had its answer; the engine is stopped before, so that it cannot have saved anything."""
    world = release.world
    written = "SELECT written_at FROM smoke_writes"
    before = world.rows(DATABASE, written)
    with started(world, "staging") as run:
        until(lambda: world.rows(DATABASE, written) != before, "the checks of the first worker")
        run.freeze_engine()
        world.rows(CHECKED, "INSERT INTO deliveries (id, event, received_at) VALUES ('leave', 'test', '')")
        until(lambda: len(world.rows(CHECKED, "SELECT id FROM deliveries")) > 1, "the last check")
        run.kill()
    return release.seen()


class TestAKilledRun:
    def test_leaves_a_lock_and_the_next_run_names_the_command_that_takes_it_away(self, killed: Killed) -> None:
        assert killed.locked.exit != 0
        assert killed.locked.errors == [LOCKED]

    def test_before_the_migration_is_sent_has_applied_and_proven_nothing(self, killed: Killed) -> None:
        assert killed.before_send == killed.release.untouched(applied=False)

    def test_after_the_migration_was_sent_has_proven_nothing(self, killed: Killed) -> None:
        assert killed.after_send == killed.release.untouched(applied=False)

    def test_after_the_migration_was_committed_has_proven_nothing(self, killed: Killed) -> None:
        assert killed.after_commit == killed.release.untouched(applied=True)

    def test_leaves_production_closed(self, killed: Killed) -> None:
        assert killed.production.exit != 0
        assert killed.production.errors[0].startswith("production gate closed: ")

    def test_whose_request_comes_late_applies_nothing_a_second_time(self, killed: Killed) -> None:
        assert killed.late["status"] == 400
        assert killed.checked.executed == killed.checked.ran == 1

    def test_before_the_proof_is_saved_has_proven_nothing_although_every_check_passed(self, killed: Killed) -> None:
        assert killed.checked.proofs == killed.release.proofs
        assert killed.checked.answering != killed.release.answering

    def test_is_followed_by_one_that_converges(self, killed: Killed) -> None:
        well(killed.last)
        killed.release.converged()

    def test_whose_engine_alone_was_killed_ends_and_holds_nothing_up(self, world: World, killed: Killed) -> None:  # noqa: ARG002
        """The program outlives its engine only by what it was doing; that is in the ledger or it is not."""
        release = next_release(world)
        with world.faults.fault(BOOKMARK, Hold()) as fault, started(world, "staging", own_program=True) as run:
            run.reaches(fault)
            run.kill_engine()
            fault.end()
            until(lambda: not run.processes(PROGRAM), "the end of the program")
            assert release.seen() in (release.untouched(applied=True), release.untouched(applied=False))
            cancel(world)
            well(world.up("staging"))
        release.converged()


class TestTwoRunsAtOnce:
    def test_the_second_is_refused_a_preview_is_not_and_the_first_goes_on(self, world: World) -> None:
        release = next_release(world)
        with world.faults.fault(BOOKMARK, Hold()) as fault, started(world, "staging") as run:
            run.reaches(fault)
            second = world.up("staging")
            preview = world.engine.run("preview", "--stack", "staging")
            assert release.seen() == release.untouched(applied=False)
            fault.end()
            first = run.end()
        assert second.exit != 0
        assert second.errors == [LOCKED]
        well(preview)
        well(first)
        release.converged()


def cut_off(run: Started, fault: Fault, *signals: signal.Signals) -> None:
    """Interrupt a run that is held; it ends, and so does the program, and it says that it was not done."""
    run.interrupt(*signals)
    if len(signals) == 1:  # it waits for the step that is under way
        run.hears(*signals)
        fault.end()
    ended = run.end()
    assert ended.exit != 0
    assert "update cancel" in ended.output
    until(lambda: not run.processes(PROGRAM), "the end of the program")


@pytest.mark.parametrize("signals", [(signal.SIGINT,), (signal.SIGINT, signal.SIGINT), (signal.SIGTERM,)], ids=["once", "twice", "term"])
class TestAnInterruptedRun:
    """Once, the engine waits for the step that is under way; twice, it ends at once."""

    def test_proves_nothing_and_the_next_one_converges(self, world: World, killed: Killed, signals: tuple[signal.Signals, ...]) -> None:
        """First in the migration, then the next run in the release step, before its checks."""
        assert killed.last.exit == 0
        release = next_release(world)
        interrupted = started(world, "staging", own_program=True)
        with world.faults.fault(QUERY, CommitThenHold(), saying=APPLIES) as fault, interrupted as run:
            run.reaches(fault)
            until(lambda: world.faults.executed(release.sql), "the commit")
            cut_off(run, fault, *signals)
        assert release.seen() == release.untouched(applied=True)
        with world.faults.fault(DEPLOYMENTS, Hold(), nth=PROVES) as fault, started(world, "staging", own_program=True) as run:
            run.reaches(fault)
            cut_off(run, fault, *signals)
        assert release.seen().proofs == release.proofs
        well(world.up("staging"))
        release.converged()
