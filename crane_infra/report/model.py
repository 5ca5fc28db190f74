"""What the comment says, apart from how it looks. Holds names, digests and plain settings, and has no place for a secret."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from crane_infra.config.environments import Environment
from crane_infra.migrations.lint.finding import Finding
from crane_infra.migrations.lint.judge import Kind
from crane_infra.release.preview_record import RecordedCosts

Standing = Literal["new", "adopted", "kept"]


@dataclass(frozen=True)
class Change:
    """One change in a worker: the kind of thing, its name where there are several, before and after (None: it does not exist)."""

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
    """A migration that will run. ``verbs`` are the kinds of its statements; ``loses_rows`` are other tables that may lose rows.

    ``table_kinds`` says of each of ``tables`` what the migration does to it.
    """

    name: str
    kind: Kind
    verbs: tuple[str, ...]
    tables: tuple[str, ...]
    loses_rows: tuple[str, ...]
    findings: tuple[Finding, ...]
    table_kinds: tuple[tuple[str, tuple[Kind, ...]], ...] = ()

    def tables_of(self, kind: Kind) -> tuple[str, ...]:
        """The tables to which the migration does this; all but those that only lose rows where it is known of none."""
        known = tuple(table for table, kinds in self.table_kinds if kind in kinds)
        return known or tuple(table for table in self.tables if table not in self.loses_rows)


@dataclass(frozen=True)
class DatabaseChanges:
    """One database of an environment, called ``shown`` there. ``schema`` is a unified diff, empty where nothing changes.

    ``costs`` are the rows that the preview counted there.
    """

    name: str
    shown: str
    standing: Standing
    pending: tuple[Pending, ...] = ()
    schema: str = ""
    costs: tuple[RecordedCosts, ...] = ()


@dataclass(frozen=True)
class EnvironmentChanges:
    """What a change does to one environment.

    ``refusals`` are why a run there would stop; ``losses`` what it would replace or delete; ``adoptions`` what it adopts and imports;
    ``notes`` what else a preview logged. ``is_known``: there was something to compare with; ``previewed``: by the engine, with secrets.
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
        """The findings of lint at which a run would stop."""
        return tuple(str(finding.error()) for finding in self.findings if finding.level == "error")

    @property
    def findings(self) -> Iterator[Finding]:
        """The findings of lint in the pending migrations, in their order."""
        return (finding for database in self.databases for pending in database.pending for finding in pending.findings)


@dataclass(frozen=True)
class Gate:
    """The production gate's verdict on the release; ``message`` is the reason in one line, ``note`` what else to know, mostly empty.

    ``promotes``: the report is about a promotion, which needs an open gate. ``proven``: staging has proven this release, even if the gate
    does not accept the proof.
    """

    is_open: bool
    message: str
    note: str
    promotes: bool
    proven: bool


@dataclass(frozen=True)
class Report:
    """The whole comment. ``digest`` None: the files do not make up a release. ``failed``: what a failed preview printed."""

    digest: str | None
    gate: Gate | None
    environments: tuple[EnvironmentChanges, ...]
    failed: tuple[str, ...] = ()

    @property
    def objections(self) -> tuple[str, ...]:
        """Everything that fails the check, each once; losses first."""
        texts = [loss for environment in self.environments for loss in environment.losses]
        texts += [self.gate.message] if self.gate and self.gate.promotes and not self.gate.is_open else []
        texts += [text for environment in self.environments for text in (*environment.refusals, *environment.lint_errors)]
        # The same error ends with a full stop where a run raises it, and without one where lint reports it.
        once: dict[str, str] = {}
        for text in (*texts, *self.failed):
            once.setdefault(text.rstrip("."), text)
        return tuple(once.values())
