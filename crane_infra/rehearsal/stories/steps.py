"""Releases whose traffic moves in steps: one with too few answers to decide, which a person decides, and one that breaks under way."""

from crane_infra.rehearsal import project
from crane_infra.rehearsal.stage import Stage
from crane_infra.rehearsal.step import StoryStep
from crane_infra.rehearsal.stories.moves import proven, script

UNCLEAR = {"steps": [50], "pause": "1s", "samples": 10_000}
WATCHED = {"steps": [50], "pause": "2s", "patience": "2m", "samples": 10}
ENOUGH_FOR_A_CANDIDATE = 60
"""Requests that a version answers before it breaks: its candidate passes, its step does not."""
FEWEST = 6
"""Rounds of its trial, so that it does not break there."""


class Steps:
    """Two releases in staging."""

    def __init__(self, stage: Stage) -> None:
        """Run on this stage."""
        self._stage = stage

    def steps(self) -> list[StoryStep]:
        """The steps, in order."""
        return [
            StoryStep(
                "half of the traffic, and too few answers to decide: the rollout holds, and crane rollout continue goes on", self.held
            ),
            StoryStep("a release that breaks with half of the traffic: the version before it gets everything back", self.aborted),
        ]

    def held(self) -> str:
        """Update staging, which holds; a person goes on; the next update proves the release."""
        stage = self._stage
        stage.files.change_code("in steps")
        project.configure(stage.project, "staging", {"rollout": UNCLEAR})
        error = stage.up_refused("staging")
        stage.require("the rollout holds with" in error, f"expected a rollout that holds, got: {error}")
        stage.require("at 50%" in stage.crane("rollout", "status", "-s", "staging").out, "crane rollout status shows no split")
        went_on = stage.crane("rollout", "continue", "-s", "staging")
        stage.require(went_on.exit == 0, f"crane rollout continue failed: {went_on.output}")
        return f"{error}; then {proven(stage)}"

    def aborted(self) -> str:
        """Update staging with a worker that passes as a candidate and breaks soon after."""
        stage = self._stage
        before = stage.account.serving(script("staging"))
        stage.files.break_after(ENOUGH_FOR_A_CANDIDATE)
        project.configure(stage.project, "staging", {"rollout": WATCHED, "candidate-rounds": FEWEST})
        error = stage.up_refused("staging")
        for words in ("the rollout failed with", f"{before} still serves everybody, alone"):
            stage.require(words in error, f"expected '{words}' in the error, got: {error}")
        stage.require(stage.account.serving(script("staging")) == before, "another version serves")
        project.configure(stage.project, "staging", {"rollout": None, "candidate-rounds": None})
        return error
