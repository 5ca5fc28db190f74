"""What the comment says, before anybody decides how it looks. Holds names, digests and plain settings; no secret has a place in it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from crane_infra.config.settings import Environment
from crane_infra.migrations.lint.finding import Finding
from crane_infra.migrations.lint.judge import Kind

Standing = Literal["new", "adopted", "kept"]


@dataclass(frozen=True)
class Change:
    """One thing that changes of a worker: a kind of thing, its name where there are several, before and after (None: it is not there)."""

    what: str
    name: str
    before: str | None
    after: str | None


@dataclass(frozen=True)
class WorkerChanges:
    """One worker of an environment, called ``script`` there."""

    name: str
    script: str
    standing: Standing
    changes: tuple[Change, ...]


@dataclass(frozen=True)
class Pending:
    """A migration that will run. ``verbs`` are the kinds of its statements; ``loses_rows`` are other tables that lose rows by it."""

    name: str
    kind: Kind
    verbs: tuple[str, ...]
    tables: tuple[str, ...]
    loses_rows: tuple[str, ...]
    findings: tuple[Finding, ...]


@dataclass(frozen=True)
class DatabaseChanges:
    """One database of an environment, called ``shown`` there. ``schema`` is a unified diff, empty where nothing changes."""

    name: str
    shown: str
    standing: Standing
    pending: tuple[Pending, ...] = ()
    schema: str = ""


@dataclass(frozen=True)
class EnvironmentChanges:
    """What a change does to one environment.

    ``refusals`` are what a run there would say and stop; ``losses`` what it would replace or delete; ``adoptions`` what it takes over;
    ``notes`` what else a preview said. ``is_known``: there was something to compare with; ``previewed``: by the engine, secrets included.
    """

    environment: Environment
    workers: tuple[WorkerChanges, ...] = ()
    databases: tuple[DatabaseChanges, ...] = ()
    refusals: tuple[str, ...] = ()
    losses: tuple[str, ...] = ()
    adoptions: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    is_known: bool = True
    previewed: bool = False

    @property
    def lint_errors(self) -> tuple[str, ...]:
        """What lint finds that a run would stop at."""
        return tuple(str(one.error()) for one in self.findings if one.level == "error")

    @property
    def findings(self) -> Iterator[Finding]:
        """What lint finds in the pending migrations, in their order."""
        return (finding for database in self.databases for pending in database.pending for finding in pending.findings)


@dataclass(frozen=True)
class Gate:
    """What the production gate says of the release.

    ``promotes``: the report is about a promotion, for which it has to be open. ``proven``: staging has proven this release, be it that the
    proof does not hold.
    """

    is_open: bool
    said: str
    promotes: bool
    proven: bool


@dataclass(frozen=True)
class Report:
    """The whole comment. ``digest`` None: the files do not make a release. ``failed``: what a preview that did not end well said."""

    digest: str | None
    gate: Gate | None
    environments: tuple[EnvironmentChanges, ...]
    failed: tuple[str, ...] = ()

    @property
    def objections(self) -> tuple[str, ...]:
        """Everything for which the check fails, each once; losses first."""
        found = dict.fromkeys(loss for one in self.environments for loss in one.losses)
        found |= dict.fromkeys([self.gate.said] if self.gate and self.gate.promotes and not self.gate.is_open else [])
        for one in self.environments:
            found |= dict.fromkeys((*one.refusals, *one.lint_errors))
        # An error of the run ends with a full stop where lint's own text does not.
        same: dict[str, str] = {}
        for text in (*found, *self.failed):
            same.setdefault(text.rstrip("."), text)
        return tuple(same.values())
