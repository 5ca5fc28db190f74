"""The state of one run against one database: what it was given, what it last read, and what it has done."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol
from uuid import uuid4

from crane_infra.d1.database import DatabaseClient
from crane_infra.migrations.files.read import MigrationFile, SchemaFiles
from crane_infra.migrations.judgement import Judgement, plan_for
from crane_infra.migrations.ledger import Ledger, read_ledger
from crane_infra.migrations.lint.row_counts import Counted
from crane_infra.migrations.plan import Plan

Pause = Callable[[float], Awaitable[None]]
"""Waits for a number of seconds."""


class Progress(Protocol):
    """Who is told how a run goes on, where that is somebody else than its log."""

    def passes(self, text: str) -> None:
        """Something went as planned."""

    def begins(self, what: str, seconds: float | None = None) -> None:
        """The run waits for this from now on, for so many seconds at most."""


@dataclass
class Run:
    """One run. ``token`` marks what it writes to the ledger, ``bookmark`` is the state before its first file.

    ``rows_listed`` is the number of rows that wrangler's table must have when the next file starts.
    """

    db: DatabaseClient
    schema: SchemaFiles
    release: str
    write_log: Callable[[str], None]
    pause: Pause
    token: str = field(default_factory=lambda: uuid4().hex)
    bookmark: str = ""
    ledger: Ledger = field(default_factory=Ledger)
    plan: Plan = field(default_factory=Plan)
    counts: Mapping[str, tuple[Counted, ...]] = field(default_factory=dict)
    rows_listed: int = 0
    has_unread_writes: bool = False
    """Whether something was sent since the ledger was read."""
    applied: list[str] = field(default_factory=list)
    adopted: list[str] = field(default_factory=list)
    cut: set[str] = field(default_factory=set)
    """The names of the files that D1's query endpoint has cut at a ``;``, so that they go through import."""
    base_to_record: MigrationFile | None = None
    """A base schema that the ledger does not record yet, once the live schema was found to be the one that it makes."""
    sends_alone: bool = False
    """Whether each file goes in a request of its own from now on, because one of several files took long."""
    watcher: Progress | None = None
    """Is told what goes as planned and what the run waits for; None: the log has what goes as planned."""

    def start_from(self, judgement: Judgement) -> None:
        """Take the ledger, the plan and the row counts from a judgement that refuses nothing."""
        self.ledger, self.plan, self.rows_listed = judgement.ledger, judgement.plan, judgement.ledger.listed
        self.counts = {examined.file.name: examined.counts for examined in judgement.examined}
        if judgement.needs_comparison and judgement.not_compared is None:
            self.base_to_record = judgement.plan.unrecorded_base
        self.schema = replace(self.schema, began_empty=judgement.ledger.is_of_an_empty_database)

    async def read_again(self) -> None:
        """Read the ledger and plan again; raises as ``read_ledger`` and ``make_plan`` do."""
        self.take(await read_ledger(self.db, ready=self.ledger.ready))

    def take(self, ledger: Ledger) -> None:
        """Take the ledger as it was just read and plan again; raises as ``make_plan`` does."""
        self.ledger, self.has_unread_writes = ledger, False
        self.rows_listed = self.ledger.listed
        self.plan = plan_for(self.db.name, self.schema, self.ledger)

    @property
    def unrecorded(self) -> MigrationFile | None:
        """The first file that the API reported as applied or imported and that the ledger, as it was just read, has no record of."""
        reported = {*self.applied, *self.adopted}
        return next((file for file in (*self.plan.adopt, *self.plan.pending) if file.name in reported), None)

    def tables_exist(self) -> None:
        """Note that the tables of the ledger exist now."""
        self.ledger = replace(self.ledger, ready=True)

    def is_pending(self, file: MigrationFile) -> bool:
        """Tell whether this run still has to apply a file: another run may have applied it since this one began."""
        return file.name in self.plan.names_to_apply and file.name not in self.applied

    def is_all_pending(self, files: Sequence[MigrationFile]) -> bool:
        """Whether these files are all that was pending when the ledger was last read, so that a single request completes the run."""
        return {file.name for file in files} == {file.name for file in self.plan.pending}

    def counts_around(self, file: MigrationFile) -> tuple[Counted, ...]:
        """The row counts to take before and after a file."""
        return self.counts.get(file.name, ())

    def record(self, files: Sequence[MigrationFile], ledger: Ledger | None) -> None:
        """Note that a request has applied these files; ``ledger`` is how it has left the ledger, where it says so. Raises as ``take`` does."""
        self.rows_listed += sum(len(self.plan.contains) if file is self.schema.base else 1 for file in files)
        for file in files:
            self.mark_applied(file)
        if ledger:
            self.take(ledger)

    def mark_applied(self, file: MigrationFile) -> None:
        """Note and log that this run applied a file."""
        self.applied.append(file.name)
        self.log_progress(f"applied {file.name}")

    def log(self, message: str) -> None:
        """Log a message about the database."""
        self.write_log(f"{self.db.name}: {message}")

    def log_progress(self, message: str) -> None:
        """Log a message about what goes as planned."""
        (self.watcher.passes if self.watcher else self.write_log)(f"{self.db.name}: {message}")

    def begin(self, what: str, seconds: float | None = None) -> None:
        """Say what the run waits for from now on, and for how long at most."""
        if self.watcher:
            self.watcher.begins(f"{self.db.name}: {what}", seconds)

    @property
    def progress(self) -> str:
        """What this run has applied and what is still pending, as an error shows it."""
        pending = [file.name for file in self.plan.pending if file.name not in self.applied]
        return f"Applied in this run: {', '.join(self.applied) or 'none'}. Pending: {', '.join(pending) or 'none'}"
