"""A run that is killed in each of its hooks, and the runs that continue from there.

The local cloud holds one of a hook's calls to D1, and then the engine and all its processes get ``kill -9``. The account shows where the run
was: in the schema step, the migration is applied and the new version has no traffic; before traffic, the same, and the schema step is not
repeated; in the release step, the new version serves. Only the last run proves the release.
"""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass

from crane_infra.config.environments import ENVIRONMENTS, Environment
from crane_infra.rehearsal.process import Child, happens
from crane_infra.rehearsal.stage import Stage
from crane_infra.rehearsal.step import StoryStep
from crane_infra.rehearsal.stories.moves import add_migration, database, proven, require_once, script
from local_cloud.faults.client import Fault
from local_cloud.faults.model import CommitThenHold, Hold, Then

QUERY = "POST /accounts/{a}/d1/database/{id}/query"
APPLIES = "INSERT INTO crane_migrations"
DEPLOY = "POST /accounts/{a}/workers/scripts/{name}/deployments"
_REACHED_SECONDS = 180.0


@dataclass(frozen=True)
class _Moment:
    """The first call of a route with this text, from the moment before on; it has come when ``when`` is true, too."""

    route: str
    then: Then
    saying: str = ""
    when: Callable[[], bool] = lambda: True


class Killed:
    """One release to staging, killed three times."""

    def __init__(self, stage: Stage) -> None:
        """Run on this stage."""
        self._stage = stage
        self._migration = self._served = ""
        self._digests: list[str] = []

    def steps(self) -> list[StoryStep]:
        """The steps, in order."""
        return [
            StoryStep("kill -9 in the schema hook, after a migration was applied but before the reply: nothing is proven", self.in_schema),
            StoryStep("kill -9 in the next run, before the new version gets traffic: nothing is proven", self.before_traffic),
            StoryStep("kill -9 in the next run, in the release hook before its checks: nothing is proven", self.in_release),
            StoryStep("the next run completes: every migration was applied once, the release is proven", self.converges),
            StoryStep("crane verify: both environments are as their stacks say", self.verified),
        ]

    def in_schema(self) -> str:
        """Kill the engine when D1 has applied the migration and has not replied yet."""
        stage = self._stage
        self._migration = add_migration(stage, "killed")
        stage.files.change_code("the release whose run is killed")
        self._digests = self._proven()
        self._served = stage.account.serving(script("staging"))
        name = database(stage, "staging")
        self._killed_at(_Moment(QUERY, CommitThenHold(), saying=APPLIES, when=lambda: self._migration in stage.account.ledger(name)))
        self._require_serving(self._served)
        return f"{self._migration} is in the ledger, the old version serves"

    def before_traffic(self) -> str:
        """Kill the engine when the schema is up to date and the version is a candidate, with no traffic yet."""
        self._killed_at(_Moment(DEPLOY, CommitThenHold()))
        self._require_serving(self._served)
        newest = self._stage.account.newest_version(script("staging"))
        self._stage.require(newest != self._served, "no new version was uploaded")
        return f"version {newest[:8]} is a candidate, the old one serves"

    def in_release(self) -> str:
        """Kill the engine when the version serves and its checks have not run: at the first query after the deployment.

        The candidate of the run before is there still, so that is the only one.
        """
        newest = self._stage.account.newest_version(script("staging"))
        moved = _Moment(DEPLOY, CommitThenHold(), when=lambda: self._stage.account.serving(script("staging")) == newest)
        self._killed_at(moved, _Moment(QUERY, Hold()))
        self._require_serving(newest)
        return f"version {newest[:8]} serves, and is not proven"

    def converges(self) -> str:
        """The next run repeats nothing that the killed runs did."""
        uploaded = self._stage.account.newest_version(script("staging"))
        summary = proven(self._stage)
        self._require_serving(uploaded)
        require_once(self._stage, "staging")
        ran = self._stage.account.rows(database(self._stage, "staging"), "SELECT migration FROM rehearsed")
        self._stage.require(ran[-1]["migration"] == self._migration, f"{self._migration} did not run")
        return f"{summary}; {self._migration} ran once"

    def verified(self) -> str:
        """Run ``crane verify`` for both stacks; production with the files of its own release."""
        with ThreadPoolExecutor() as threads:
            return "; ".join(threads.map(self._verified, ENVIRONMENTS))

    def _verified(self, environment: Environment) -> str:
        result = self._stage.crane("verify", "--stack", environment, "--json")
        self._stage.require(result.out.startswith("{"), f"crane verify failed in {environment}: {result.output.strip()}")
        report = json.loads(result.out)
        differences = ", ".join(f"{finding['where']}: {finding['what']}" for finding in report["findings"])
        self._stage.require(result.exit == 0 and report["as_expected"], f"crane verify finds differences in {environment}: {differences}")
        return f"{environment}: {len(report['seen'])} comparisons, no difference"

    def _killed_at(self, first: _Moment, *then: _Moment) -> None:
        """Update staging, hold it at each moment until the next one can be held, and kill it at the last."""
        stage = self._stage
        with ExitStack() as holds:
            held = holds.enter_context(self._held_at(first))
            child = stage.begin_up("staging")
            reached = self._reached(child, first, held)
            for moment in then:
                before, held = held, holds.enter_context(self._held_at(moment))
                before.end()
                reached = reached and self._reached(child, moment, held)
            alive = child.runs
            stage.killed(child)
        stage.require(reached and alive, "the run ended before it could be killed" if reached else "the run did not reach the hook")
        stage.require(self._proven() == self._digests, "a killed run has written a proof")

    def _held_at(self, moment: _Moment) -> AbstractContextManager[Fault]:
        return self._stage.faults.fault(moment.route, moment.then, saying=moment.saying)

    def _reached(self, child: Child, moment: _Moment, held: Fault) -> bool:
        return happens(lambda: not child.runs or (held.fired > 0 and moment.when()), _REACHED_SECONDS)

    def _proven(self) -> list[str]:
        return [proof["digest"] for environment in ENVIRONMENTS for proof in self._stage.proofs(environment)]

    def _require_serving(self, version: str) -> None:
        serving = self._stage.account.serving(script("staging"))
        self._stage.require(serving == version, f"{script('staging')} serves {serving}, not {version}")
