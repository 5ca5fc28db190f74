"""A manual deployment, a release that fails only in production, and the rollback to the release before it."""

from crane_infra.rehearsal import project
from crane_infra.rehearsal.existing_account import deploy_manually
from crane_infra.rehearsal.stage import Stage
from crane_infra.rehearsal.step import StoryStep
from crane_infra.rehearsal.stories.moves import add_migration, database, deployed, proven, refused, release_name, require_once, script
from crane_infra.rehearsal.worker_files import WORKER

OLDER, NEWER = "older", "newer"
MANUAL = "export default { fetch: () => new Response('by hand') };"


class Comeback:
    """From a release that both environments run to a newer one, and back."""

    def __init__(self, stage: Stage) -> None:
        """Run on this stage."""
        self._stage = stage
        self._older = ""

    def steps(self) -> list[StoryStep]:
        """The steps, in order."""
        return [
            StoryStep("the next release, with a new migration: staging proves it", self.next_release),
            StoryStep("a manual deployment to staging after its proof: production refuses the release", self.manual_deployment),
            StoryStep("update staging: it returns to its release", self.returned),
            StoryStep(
                "a release whose checks fail only in production: its candidate fails, and the version before it keeps serving everybody",
                self.bad_in_production,
            ),
            StoryStep("set rollback-to: the older release runs again, on the newer schema", self.rolled_back),
        ]

    def next_release(self) -> str:
        """A release that passes in staging and fails in production."""
        stage = self._stage
        stage.files.keep(OLDER)
        self._older = stage.proofs("production")[0]["digest"]
        add_migration(stage, "newer", before="CREATE TABLE rehearsed (migration TEXT NOT NULL);")
        stage.files.answer_500_in("production")
        summary = proven(stage)
        stage.files.keep(NEWER)
        return summary

    def manual_deployment(self) -> str:
        """Deploy another version without crane, as with wrangler or the dashboard."""
        version = deploy_manually(self._stage.account, script("staging"), MANUAL)
        return refused(self._stage, "staging has changed since its proof", version)

    def returned(self) -> str:
        """Update staging with the same files."""
        stage = self._stage
        output = stage.up("staging")
        version = stage.proofs("staging")[0]["workers"][WORKER]["version"]
        stage.require(stage.account.serving(script("staging")) == version, "staging does not serve its release")
        return stage.line(output, "manual deployment", "this run returns it to its release")

    def bad_in_production(self) -> str:
        """The checks in production find what staging could not show, before anybody else does."""
        stage = self._stage
        before = stage.account.serving(script("production"))
        error = stage.up_refused_by_checks("production", "status 500")
        words = f"{before} still serves everybody, alone"
        stage.require(words in error, f"expected '{words}' in the error, got: {error}")
        stage.require(stage.account.serving(script("production")) == before, "another version serves")
        stage.require(stage.proofs("production")[0]["digest"] == self._older, "production has a proof of the release that failed")
        return error

    def rolled_back(self) -> str:
        """Deploy the older files with rollback-to. The database keeps its later migrations."""
        stage = self._stage
        stage.files.use(OLDER)
        before = stage.account.ledger(database(stage, "production"))
        project.configure(stage.project, "production", {"rollback-to": self._older})
        summary = deployed(stage, "production")
        live = stage.proofs("production")[0]
        stage.require(live["digest"] == self._older, f"production runs {release_name(live)}")
        stage.require(stage.account.ledger(database(stage, "production")) == before, "the rollback changed the ledger")
        require_once(stage, "production")
        stage.files.use(NEWER)
        return f"{summary}; the ledger still stands at {before[-1]}"
