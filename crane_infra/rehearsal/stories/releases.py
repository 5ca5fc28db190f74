"""Releases that production refuses: one that staging has not proven, one with a migration that fails, one with a check that fails.

At the end the release before comes back in seconds.
"""

import time

from crane_infra.rehearsal.stage import Stage
from crane_infra.rehearsal.step import StoryStep
from crane_infra.rehearsal.stories.moves import (
    add_migration,
    database,
    deployed,
    promoted,
    proven,
    refused,
    release_name,
    require_once,
    script,
)
from crane_infra.rehearsal.worker_files import WORKER

OLDER = "older"


class Releases:
    """From the second release to one that fails in staging, while production can still take an older one."""

    def __init__(self, stage: Stage) -> None:
        """Run on this stage."""
        self._stage = stage
        self._older = self._newer = ""

    def steps(self) -> list[StoryStep]:
        """The steps, in order."""
        return [
            StoryStep("a release with a new migration: production refuses it, because staging has not proven it", self.unproven),
            StoryStep("update staging: the release is proven", lambda: proven(self._stage)),
            StoryStep("update production: the gate opens for it", lambda: promoted(self._stage)),
            StoryStep("a migration that fails: staging names file and statement, production refuses", self.bad_migration),
            StoryStep("correct the file and update staging: the release is proven", self.corrected),
            StoryStep("the next release: staging proves it", self.next_release),
            StoryStep("a release whose checks fail in staging: production refuses it", self.bad_in_staging),
            StoryStep("production takes the older proven release, from its own files", self.older),
            StoryStep(
                "crane rollback: the release before serves again in seconds, and the same files do not undo it", self.back_in_seconds
            ),
        ]

    def unproven(self) -> str:
        """Change the files, and update production first."""
        add_migration(self._stage, "rehearsed", before="CREATE TABLE rehearsed (migration TEXT NOT NULL);")
        self._stage.files.change_code("the second release")
        return refused(self._stage, "is not proven by staging")

    def bad_migration(self) -> str:
        """Add a migration whose second statement fails."""
        stage = self._stage
        bad = add_migration(stage, "broken", after="SELECT abs(-9223372036854775808);")
        stage.files.change_code("the third release")
        serving = stage.account.serving(script("staging"))
        error = stage.up_refused("staging")
        for words in (bad, "at statement ", "integer overflow", "It was rolled back"):
            stage.require(words in error, f"expected '{words}' in the error, got: {error}")
        stage.require(bad not in stage.account.ledger(database(stage, "staging")), f"{bad} is in the ledger")
        stage.require(stage.account.serving(script("staging")) == serving, "the old version no longer serves")
        refused(stage, "is not proven by staging")
        return error[error.index(bad) :]

    def corrected(self) -> str:
        """Remove the statement that fails; staging applies the same file."""
        stage = self._stage
        bad = max(stage.files.migrations.glob("*_broken.sql"))
        kept = [line for line in bad.read_text(encoding="utf-8").splitlines() if "abs(" not in line]
        bad.write_text("\n".join([*kept, ""]), encoding="utf-8")
        summary = proven(stage)
        require_once(stage, "staging")
        stage.files.keep(OLDER)
        self._older = stage.proofs("staging")[0]["digest"]
        return summary

    def next_release(self) -> str:
        """A release that staging proves and production skips."""
        self._stage.files.change_code("the fourth release")
        summary = proven(self._stage)
        self._newer = self._stage.proofs("staging")[0]["digest"]
        return summary

    def bad_in_staging(self) -> str:
        """Deploy a worker that answers its checks with status 500."""
        stage = self._stage
        stage.files.answer_500_in("staging")
        error = stage.up_refused_by_checks("staging", "status 500")
        stage.require(stage.proofs("staging")[0]["digest"] == self._newer, "staging has a proof of the release that failed")
        refused(stage, "is not proven by staging")
        return error

    def older(self) -> str:
        """Promote the release before the last one that staging proved."""
        stage = self._stage
        stage.files.use(OLDER)
        summary = deployed(stage, "production")
        live = stage.proofs("production")[0]
        stage.require(live["digest"] == self._older, f"production runs {release_name(live)}")
        return summary

    def back_in_seconds(self) -> str:
        """Put the versions of the release before back, without the engine; then try the same files again."""
        stage = self._stage
        before = stage.proofs("production")[1]
        began = time.monotonic()
        result = stage.crane("rollback", "-s", "production", "--yes", "--reason", "rehearsed")
        took = time.monotonic() - began
        stage.require(result.exit == 0, f"crane rollback failed: {result.output}")
        serving = stage.account.serving(script("production"))
        stage.require(serving == before["workers"][WORKER]["version"], "the release before does not serve")
        error = stage.up_refused("production")
        stage.require("an update would undo the rollback" in error, f"expected the rollback in the error, got: {error}")
        return f"{release_name(before)} serves again after {took:.1f} s; {error}"
