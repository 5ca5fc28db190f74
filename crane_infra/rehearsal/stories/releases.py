"""Releases that fail before production has them: what staging has not proven, a migration that cannot be applied, a smoke that fails."""

from crane_infra.rehearsal.stage import Stage
from crane_infra.rehearsal.step import Step
from crane_infra.rehearsal.stories.moves import add_migration, closed, database, deployed, promoted, proven, require_once, script, told

OLDER = "older"


class Releases:
    """From the second release to one that staging refuses, while production still takes an older one."""

    def __init__(self, stage: Stage) -> None:
        """Play on this stage."""
        self._stage = stage
        self._older = self._newer = ""

    def steps(self) -> list[Step]:
        """The steps, in order."""
        return [
            Step("a release with a new migration: production refuses what staging has not proven", self.unproven),
            Step("staging proves it", lambda: proven(self._stage)),
            Step("production takes it", lambda: promoted(self._stage)),
            Step("a migration that fails: staging names file and statement, production refuses", self.bad_migration),
            Step("the file is corrected: staging goes on and proves", self.corrected),
            Step("the next release: staging proves it", self.next_release),
            Step("a release whose smoke fails in staging: production refuses it", self.bad_in_staging),
            Step("production takes the older proven release, from its own files", self.older),
        ]

    def unproven(self) -> str:
        """The files change, and production is asked first."""
        add_migration(self._stage, "rehearsed", before="CREATE TABLE rehearsed (migration TEXT NOT NULL);")
        self._stage.files.change_code("the second release")
        return closed(self._stage, "is not proven by staging")

    def bad_migration(self) -> str:
        """The second statement of the new file cannot be applied."""
        stage = self._stage
        bad = add_migration(stage, "broken", after="SELECT abs(-9223372036854775808);")
        stage.files.change_code("the third release")
        serving = stage.account.serving(script("staging"))
        error = stage.up_refused("staging")
        for words in (bad, "at statement ", "integer overflow", "It was rolled back"):
            stage.require(words in error, f"the error does not say '{words}', but: {error}")
        stage.require(bad not in stage.account.ledger(database(stage, "staging")), f"{bad} is in the ledger")
        stage.require(stage.account.serving(script("staging")) == serving, "the old version does not serve any more")
        closed(stage, "is not proven by staging")
        return error[error.index(bad) :]

    def corrected(self) -> str:
        """Without the statement that fails, staging goes on with this very file."""
        stage = self._stage
        bad = max(stage.files.migrations.glob("*_broken.sql"))
        kept = [line for line in bad.read_text(encoding="utf-8").splitlines() if "abs(" not in line]
        bad.write_text("\n".join([*kept, ""]), encoding="utf-8")
        seen = proven(stage)
        require_once(stage, "staging")
        stage.files.keep(OLDER)
        self._older = stage.proofs("staging")[0]["digest"]
        return seen

    def next_release(self) -> str:
        """One that production does not take."""
        self._stage.files.change_code("the fourth release")
        seen = proven(self._stage)
        self._newer = self._stage.proofs("staging")[0]["digest"]
        return seen

    def bad_in_staging(self) -> str:
        """A worker that answers its checks with 500."""
        stage = self._stage
        stage.files.answer_500_in("staging")
        with stage.impatient("staging"):
            error = stage.up_refused("staging")
        stage.require("expected" in error and "500" in error, f"the error does not tell the answer: {error}")
        stage.require(stage.proofs("staging")[0]["digest"] == self._newer, "staging has proven what failed")
        closed(stage, "is not proven by staging")
        return error

    def older(self) -> str:
        """Not the last release that staging proved, but the one before it."""
        stage = self._stage
        stage.files.use(OLDER)
        seen = deployed(stage, "production")
        live = stage.proofs("production")[0]
        stage.require(live["digest"] == self._older, f"production runs {told(live)}")
        return seen
