"""The first story: an empty account, from a refused production to a promoted one; then releases that fail."""

from crane_infra.rehearsal.stage import SURE, Stage
from crane_infra.rehearsal.step import Step
from crane_infra.rehearsal.stories.moves import deployed, promoted, unchanged
from crane_infra.rehearsal.stories.releases import Releases


def story(stage: Stage) -> list[Step]:
    """Every step of the rehearsal on an empty account, in order."""
    return [*Empty(stage).steps(), *Releases(stage).steps()]


class Empty:
    """From nothing to the first release in production."""

    def __init__(self, stage: Stage) -> None:
        """Play on this stage."""
        self._stage = stage

    def steps(self) -> list[Step]:
        """The steps, in order."""
        return [
            Step("start the local cloud with an empty account", self.start),
            Step("preview production: the whole diff, and a closed gate", self.preview_production),
            Step("update production: refused, nothing created", self.refuse_production),
            Step("update staging: deployed, migrated, checked, proven", lambda: deployed(self._stage, "staging")),
            Step("update staging again: nothing changes", lambda: unchanged(self._stage, "staging")),
            Step("promote to production: the gate opens", lambda: promoted(self._stage)),
            Step("update production again: nothing changes", lambda: unchanged(self._stage, "production")),
        ]

    def start(self) -> str:
        """A fresh folder, a local cloud, a project with two stacks."""
        self._stage.begin()
        self.require_empty()
        return f"{self._stage.running.api_url}, account {self._stage.running.account_id}"

    def preview_production(self) -> str:
        """A preview shows what would be created although the gate is closed."""
        said = self._stage.pulumi("preview", "--stack", "production")
        creates = self._stage.line(said, "to create")
        return f"{creates.lstrip('+ ')}; {self._stage.line(said, 'gate closed')}"

    def refuse_production(self) -> str:
        """The update ends before the first resource."""
        said = self._stage.refused("up", "--stack", "production", *SURE)
        self.require_empty()
        return self._stage.line(said, "gate closed")

    def require_empty(self) -> None:
        """Raise RehearsalError where the account has anything in it."""
        self._stage.require(self._stage.account.is_empty(), "the account is not empty")
