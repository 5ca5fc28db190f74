"""Releases that come back: a deployment by hand, a release that fails in production only, and the way back to the one before it."""

from crane_infra.rehearsal import project
from crane_infra.rehearsal.existing_account import deploy_by_hand
from crane_infra.rehearsal.stage import Stage
from crane_infra.rehearsal.step import Step
from crane_infra.rehearsal.stories.moves import add_migration, closed, database, deployed, proven, require_once, script, told
from crane_infra.rehearsal.worker_files import WORKER

OLDER, NEWER = "older", "newer"
BY_HAND = "export default { fetch: () => new Response('by hand') };"


class Comeback:
    """From a release that both environments have to a newer one, and back."""

    def __init__(self, stage: Stage) -> None:
        """Play on this stage."""
        self._stage = stage
        self._older = ""

    def steps(self) -> list[Step]:
        """The steps, in order."""
        return [
            Step("the next release, with a new migration: staging proves it", self.next_release),
            Step("staging is deployed to by hand after its proof: production refuses", self.by_hand),
            Step("the next update of staging returns it to its release", self.returned),
            Step("a release whose smoke fails in production only: the error names the way back", self.bad_in_production),
            Step("rollback-to brings the older release back over the newer schema", self.rolled_back),
        ]

    def next_release(self) -> str:
        """One that staging cannot find fault with: it fails in production only."""
        stage = self._stage
        stage.files.keep(OLDER)
        self._older = stage.proofs("production")[0]["digest"]
        add_migration(stage, "newer", before="CREATE TABLE rehearsed (migration TEXT NOT NULL);")
        stage.files.answer_500_in("production")
        seen = proven(stage)
        stage.files.keep(NEWER)
        return seen

    def by_hand(self) -> str:
        """Somebody deploys a version of his own, as wrangler and the dashboard do."""
        version = deploy_by_hand(self._stage.account, script("staging"), BY_HAND)
        return closed(self._stage, "staging has changed since its proof", version)

    def returned(self) -> str:
        """An update of staging, with the same files."""
        stage = self._stage
        said = stage.up("staging")
        version = stage.proofs("staging")[0]["workers"][WORKER]["version"]
        stage.require(stage.account.serving(script("staging")) == version, "staging does not serve its release")
        return stage.line(said, "manual deployment", "this run returns it to its release")

    def bad_in_production(self) -> str:
        """Staging could not know; production's own smoke does."""
        stage = self._stage
        before = stage.account.serving(script("production"))
        with stage.impatient("production"):
            error = stage.up_refused("production")
        way_back = f"wrangler rollback {before} --name {script('production')}"
        stage.require(way_back in error, f"the error does not name the way back, but: {error}")
        stage.require(stage.proofs("production")[0]["digest"] == self._older, "production has proven what failed")
        return error

    def rolled_back(self) -> str:
        """The older files with rollback-to; the database keeps what came since."""
        stage = self._stage
        stage.files.use(OLDER)
        before = stage.account.ledger(database(stage, "production"))
        project.configure(stage.project, "production", {"rollback-to": self._older})
        seen = deployed(stage, "production")
        live = stage.proofs("production")[0]
        stage.require(live["digest"] == self._older, f"production runs {told(live)}")
        stage.require(stage.account.ledger(database(stage, "production")) == before, "the rollback changed the ledger")
        require_once(stage, "production")
        stage.files.use(NEWER)
        return f"{seen}; the ledger still stands at {before[-1]}"
