"""What Pulumi says of both stacks, each part on its own: settings, outputs and history. One that cannot be read hides nothing else."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from crane_infra.commands.attempts import attempt, lines_of
from crane_infra.commands.stack import created_databases, outputs_of, settings_of, updates_of
from crane_infra.config.environments import ENVIRONMENTS, Environment
from crane_infra.config.settings import Settings
from crane_infra.errors import CraneError
from crane_infra.release.outputs import StackOutputs
from crane_infra.release.proof import Proof
from crane_infra.status.updates import Updates


@dataclass(frozen=True)
class Source:
    """What Pulumi says of one stack; each part may be the error that came instead."""

    stack: Environment
    settings: Settings | CraneError
    outputs: StackOutputs | CraneError
    updates: Updates | CraneError
    created: Mapping[str, str] | CraneError = field(default_factory=dict)
    """The ids of the databases in the state of a stack without a release, by their names in the catalog: a failed update has created them."""

    @property
    def unseen(self) -> list[str]:
        """Why parts could not be read, each reason once."""
        parts = (self.outputs, self.newest_fault, self.settings, self.updates, self.created)
        lines = [line for part in parts if isinstance(part, CraneError) for line in lines_of(part)]
        if isinstance(self.updates, Updates) and self.updates.unreadable:
            lines.append(f"stack {self.stack}: {self.updates.unreadable} entries of its history cannot be read")
        return list(dict.fromkeys(lines))

    @property
    def known(self) -> StackOutputs:
        """The outputs; empty where they could not be read."""
        return StackOutputs(exists=False) if isinstance(self.outputs, CraneError) else self.outputs

    @property
    def newest_fault(self) -> CraneError | None:
        """Why the newest proof cannot be read, if there is one that cannot."""
        result = attempt(lambda: self.known.require_newest(self.stack))
        return result if isinstance(result, CraneError) else None

    @property
    def proof(self) -> Proof | None:
        """The proof of what the stack deployed last, if it is known."""
        return None if self.newest_fault else self.known.newest


def read_sources(root: Path, newest: int | None) -> tuple[Source, Source]:
    """Ask Pulumi for all of both stacks at once, since each answer costs a start of the engine; of their histories the ``newest`` entries."""
    with ThreadPoolExecutor() as threads:
        asked = {
            stack: (
                threads.submit(attempt, lambda stack=stack: settings_of(stack, root)),
                threads.submit(_outputs_and_created, stack),
                threads.submit(attempt, lambda stack=stack: updates_of(stack, newest)),
            )
            for stack in ENVIRONMENTS
        }
        staging, production = (
            Source(stack, settings.result(), outputs.result()[0], updates.result(), outputs.result()[1])
            for stack, (settings, outputs, updates) in asked.items()
        )
    return staging, production


def _outputs_and_created(stack: str) -> tuple[StackOutputs | CraneError, Mapping[str, str] | CraneError]:
    outputs = attempt(lambda: outputs_of(stack))
    has_none = isinstance(outputs, StackOutputs) and not outputs.databases
    return outputs, attempt(lambda: created_databases(stack)) if has_none else {}
