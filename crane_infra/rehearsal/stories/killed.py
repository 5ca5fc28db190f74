"""A run that dies in each of its hooks, and the runs that go on from there.

A hook is held at one of its calls to D1; then the engine and all that it started get ``kill -9``. Where the run died is seen in the cloud: in the
schema step the migration is applied and the version has no traffic; before traffic the same, and the step is not repeated; in the release step the
version serves. Nothing is proven before the last run.
"""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from crane_infra.config.settings import ENVIRONMENTS, Environment
from crane_infra.rehearsal.process import happens
from crane_infra.rehearsal.stage import Stage
from crane_infra.rehearsal.step import Step
from crane_infra.rehearsal.stories.moves import add_migration, database, proven, require_once, script
from local_cloud.faults.model import CommitThenHold, Hold, Then

QUERY = "POST /accounts/{a}/d1/database/{id}/query"
APPLIES = "INSERT INTO crane_migrations"
# Two reads are a look at a ledger. A run looks at both databases at its start, its schema step at one (at none where it is done), and the hooks
# before traffic and in the release step at both.
BEFORE_TRAFFIC, IN_RELEASE = 4 + 2 + 1, 4 + 4 + 1
_REACHED_SECONDS = 180.0


class Killed:
    """One release to staging, killed three times."""

    def __init__(self, stage: Stage) -> None:
        """Play on this stage."""
        self._stage = stage
        self._migration = self._served = ""
        self._digests: list[str] = []

    def steps(self) -> list[Step]:
        """The steps, in order."""
        return [
            Step("kill -9 in the schema hook, with a migration applied and not acknowledged: nothing is proven", self.in_schema),
            Step("the next run, kill -9 before the new version gets traffic: nothing is proven", self.before_traffic),
            Step("the next run, kill -9 in the release hook, before its checks: nothing is proven", self.in_release),
            Step("the next run converges: every migration was applied once, the release is proven", self.converges),
            Step("crane verify: all is as the stacks say", self.verified),
        ]

    def in_schema(self) -> str:
        """The engine dies while D1 has the migration and nobody knows."""
        stage = self._stage
        self._migration = add_migration(stage, "killed")
        stage.files.change_code("the release that is killed")
        self._digests = self._proven()
        self._served = stage.account.serving(script("staging"))
        name = database(stage, "staging")
        self._killed_at(CommitThenHold(), 1, APPLIES, lambda: self._migration in stage.account.ledger(name))
        self._require_serving(self._served)
        return f"{self._migration} is in the ledger, the old version serves"

    def before_traffic(self) -> str:
        """The engine dies with the schema done and the version uploaded."""
        self._killed_at(Hold(), BEFORE_TRAFFIC)
        self._require_serving(self._served)
        newest = self._stage.account.newest_version(script("staging"))
        self._stage.require(newest != self._served, "no new version was uploaded")
        return f"version {newest[:8]} is uploaded, the old one serves"

    def in_release(self) -> str:
        """The engine dies when the version serves and nobody has checked it."""
        self._killed_at(Hold(), IN_RELEASE)
        newest = self._stage.account.newest_version(script("staging"))
        self._require_serving(newest)
        return f"version {newest[:8]} serves, unproven"

    def converges(self) -> str:
        """What the killed runs did is not done again."""
        uploaded = self._stage.account.newest_version(script("staging"))
        seen = proven(self._stage)
        self._require_serving(uploaded)
        require_once(self._stage, "staging")
        ran = self._stage.account.rows(database(self._stage, "staging"), "SELECT migration FROM rehearsed")
        self._stage.require(ran[-1]["migration"] == self._migration, f"{self._migration} did not run")
        return f"{seen}; {self._migration} ran once"

    def verified(self) -> str:
        """Both stacks against what is live: production from the files of its own release."""
        with ThreadPoolExecutor() as threads:
            return "; ".join(threads.map(self._verified, ENVIRONMENTS))

    def _verified(self, environment: Environment) -> str:
        ended = self._stage.crane("verify", "--stack", environment, "--json")
        self._stage.require(ended.out.startswith("{"), f"crane verify could not look at {environment}: {ended.said.strip()}")
        report = json.loads(ended.out)
        found = ", ".join(f"{one['where']}: {one['what']}" for one in report["findings"])
        self._stage.require(ended.exit == 0 and report["as_expected"], f"crane verify finds in {environment}: {found}")
        return f"{environment}: {len(report['seen'])} looks, no difference"

    def _killed_at(self, then: Then, nth: int, saying: str = "", when: Callable[[], bool] = lambda: True) -> None:
        """Update staging, and kill the run while its nth query from here on with this text is held and ``when`` holds."""
        stage = self._stage
        with stage.faults.fault(QUERY, then, nth=nth, saying=saying) as fault:
            child = stage.begin_up("staging")
            reached = happens(lambda: not child.runs or (fault.fired > 0 and when()), _REACHED_SECONDS)
            alive = child.runs
            stage.killed(child)
        stage.require(reached and alive, "the run ended before it could be killed" if reached else "the run did not come to the hook")
        stage.require(self._proven() == self._digests, "a killed run has proven something")

    def _proven(self) -> list[str]:
        return [proof["digest"] for environment in ENVIRONMENTS for proof in self._stage.proofs(environment)]

    def _require_serving(self, version: str) -> None:
        serving = self._stage.account.serving(script("staging"))
        self._stage.require(serving == version, f"{script('staging')} serves {serving}, not {version}")
