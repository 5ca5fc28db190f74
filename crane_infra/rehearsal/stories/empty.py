"""The first story: an empty account, from a refused update of production to the first promotion. Then come releases that fail (releases)."""

from crane_infra.rehearsal.stage import SURE, Stage
from crane_infra.rehearsal.step import StoryStep
from crane_infra.rehearsal.stories.moves import deployed, promoted, unchanged
from crane_infra.rehearsal.stories.releases import Releases
from crane_infra.rehearsal.stories.steps import Steps


def story(stage: Stage) -> list[StoryStep]:
    """Every step of the rehearsal on an empty account, in order."""
    return [*Empty(stage).steps(), *Releases(stage).steps(), *Steps(stage).steps()]


class Empty:
    """From nothing to the first release in production."""

    def __init__(self, stage: Stage) -> None:
        """Run on this stage."""
        self._stage = stage

    def steps(self) -> list[StoryStep]:
        """The steps, in order."""
        return [
            StoryStep("start the local cloud with an empty account", self.start),
            StoryStep("preview production: the whole diff is shown, and the gate is closed", self.preview_production),
            StoryStep("update production: refused, nothing created", self.refuse_production),
            StoryStep("update staging: deployed, migrated, checked, proven", lambda: deployed(self._stage, "staging")),
            StoryStep("update staging again: nothing changes", lambda: unchanged(self._stage, "staging")),
            StoryStep("promote to production: the gate opens", lambda: promoted(self._stage)),
            StoryStep("update production again: nothing changes", lambda: unchanged(self._stage, "production")),
        ]

    def start(self) -> str:
        """Start with a new folder, a local cloud, and a project with two stacks."""
        self._stage.begin()
        self.require_empty()
        return f"{self._stage.running.api_url}, account {self._stage.running.account_id}"

    def preview_production(self) -> str:
        """Preview production: the gate is closed, and the diff is shown all the same."""
        output = self._stage.pulumi("preview", "--stack", "production")
        creates = self._stage.line(output, "to create")
        return f"{creates.lstrip('+ ')}; {self._stage.line(output, 'gate closed')}"

    def refuse_production(self) -> str:
        """Update production: it ends before the first resource."""
        output = self._stage.refused("up", "--stack", "production", *SURE)
        self.require_empty()
        return self._stage.line(output, "gate closed")

    def require_empty(self) -> None:
        """Raise RehearsalError if the account is not empty."""
        self._stage.require(self._stage.account.is_empty(), "the account is not empty")
