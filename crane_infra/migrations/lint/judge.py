"""Judges pending migrations before anything is sent: what they would lose, and what they take from the version in traffic (pure).

It runs them on an empty SQLite in memory, after the files that the database already has. It sees no rows and makes no request; the run
itself counts rows.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from crane_infra.errors import MigrationError, together
from crane_infra.migrations.files.faults import Fault
from crane_infra.migrations.files.read import MigrationFile, from_empty
from crane_infra.migrations.lint.breaking import takings
from crane_infra.migrations.lint.costs import Question, questions_of
from crane_infra.migrations.lint.finding import CANNOT_RUN, LOSES_ROWS, OVERWRITES_ROWS, Finding, Level
from crane_infra.migrations.lint.row_counts import Counted, counts_of
from crane_infra.migrations.lint.rules import findings_in
from crane_infra.migrations.lint.soundness_rules import left_broken
from crane_infra.migrations.lint.traffic_rules import findings_together
from crane_infra.migrations.sqlite.effects import FileTrace, Tracer
from crane_infra.migrations.sqlite.soundness import Dependent
from crane_infra.migrations.sqlite.trial import trial

Kind = Literal["expand", "contract", "data", "none"]
"""A contract takes something away, an expand changes the schema otherwise, a data file only writes rows.

A file with a statement that SQLite refuses is a contract, since what it takes away is unknown.
"""
Accepted = Mapping[str, Collection[str]]
"""The rules that a stack accepts, by the name of the file that breaks them."""


@dataclass(frozen=True)
class Examined:
    """One pending file: its kind, the tables it touches, the other tables it may take rows from, and what lint found.

    ``counts`` are the row counts that a run takes before and after it, ``table_kinds`` what it does to each of ``tables``, and ``questions`` what
    the live database can tell beforehand.
    """

    file: MigrationFile
    kind: Kind
    tables: tuple[str, ...]
    loses_rows: tuple[str, ...]
    findings: tuple[Finding, ...]
    counts: tuple[Counted, ...] = ()
    table_kinds: tuple[tuple[str, tuple[Kind, ...]], ...] = ()
    questions: tuple[Question, ...] = ()

    @property
    def errors(self) -> list[Finding]:
        """The findings that stop a run."""
        return [finding for finding in self.findings if finding.level == "error"]


def examine(files: Sequence[MigrationFile], pending: Sequence[MigrationFile], *, in_use: bool = True) -> tuple[Examined, ...]:
    """Judge the ``pending`` files as one release for a database that has all the other ``files``; never raises.

    ``files`` are in order, a base schema first. What a pending file creates is not in use yet, so an empty database, for which every file is
    pending, accepts any files that lose no rows. ``in_use`` False: the other files belong to that release too, as in a first update that
    stopped half-way.
    """
    names = {file.name for file in pending}
    if not names:
        return ()
    with trial() as database:
        earlier = Tracer(database, judged=False)
        for file in files:
            if in_use and file.name not in names:
                earlier.trace(file)
        tracer = Tracer(database)
        traces = [tracer.trace(file) for file in files if not in_use or file.name in names]
        together = (*findings_together(traces), *left_broken(traces, database.broken))
    return tuple(_examined(trace, together) for trace in traces if trace.file.name in names)


def examine_each(files: Sequence[MigrationFile]) -> tuple[Examined, ...]:
    """Judge each file as a release of its own after those before it, for callers that know no ledger; never raises."""
    with trial() as database:
        return tuple(_alone(Tracer(database).trace(file), database.broken) for file in files)


def classes(files: Sequence[MigrationFile], base: MigrationFile | None) -> dict[str, str]:
    """The kind of each file by its name; ``base`` for a file whose work the base schema contains."""
    with trial() as database:
        kinds: dict[str, str] = {file.name: _kind(Tracer(database).trace(file)) for file in from_empty(files, base)}
    return dict.fromkeys((file.name for file in files), "base") | kinds


def accepting(examined: Iterable[Examined], accepted: Accepted) -> tuple[Examined, ...]:
    """Turn the errors that a stack accepts into warnings, and allow lost rows where it accepts those."""
    return tuple(_accepting(file, accepted.get(file.file.name, ())) for file in examined)


def with_faults(examined: Iterable[Examined], faults: Mapping[str, Fault], level: Level) -> tuple[Examined, ...]:
    """Add to each file why it could not be applied, if anything; ``faults`` are by name."""
    return tuple(
        replace(file, findings=(Finding(fault[0], None, CANNOT_RUN, level, *fault[1:]), *file.findings))
        if (fault := faults.get(file.file.name))
        else file
        for file in examined
    )


def refusal_of(examined: Iterable[Examined]) -> MigrationError | None:
    """The findings that stop a run, as one refusal."""
    return together([finding.error() for file in examined for finding in file.errors])


def _examined(trace: FileTrace, together: Sequence[Finding]) -> Examined:
    findings = [*findings_in(trace), *(finding for finding in together if finding.path == trace.file.path)]
    ordered = tuple(sorted(findings, key=lambda finding: finding.statement or 0))
    lost = frozenset[str]().union(*(trace.lost_by(statement) for statement in trace.statements))
    kinds = tuple(sorted((trace.named(table), _kinds_of_table(trace, table)) for table in trace.touched))
    touched, counts, questions = _named(trace, trace.touched), counts_of(trace), questions_of(trace)
    return Examined(trace.file, _kind(trace), touched, _named(trace, lost), ordered, counts, kinds, questions)


def _alone(trace: FileTrace, broken: Collection[Dependent]) -> Examined:
    """A file as a release of its own; ``broken`` is what does not compile after it."""
    return _examined(trace, tuple(left_broken([trace], broken)))


def _accepting(examined: Examined, rules: Collection[str]) -> Examined:
    findings = tuple(replace(finding, level="warning") if finding.rule in rules else finding for finding in examined.findings)
    counts = tuple(replace(count, may_fall=count.may_fall or _may_fall(count, rules)) for count in examined.counts)
    return replace(examined, findings=findings, counts=counts)


def _may_fall(count: Counted, rules: Collection[str]) -> bool:
    return (OVERWRITES_ROWS if count.overwrites else LOSES_ROWS) in rules


def _named(trace: FileTrace, tables: frozenset[str]) -> tuple[str, ...]:
    return tuple(sorted(trace.named(table) for table in tables))


def _kinds_of_table(trace: FileTrace, table: str) -> tuple[Kind, ...]:
    """What a file does to one table that it touches; nothing where only a foreign key leads there."""
    touching = [statement.effect for statement in trace.statements if table in statement.effect.touches - statement.effect.cascades]
    is_contract = any(taking.table == table for taking in takings(trace)) or any(effect.refused for effect in touching)
    schema: tuple[Kind, ...] = ("contract",) if is_contract else ("expand",) if any(effect.changes_schema for effect in touching) else ()
    return (*schema, "data") if any(not effect.changes_schema for effect in touching) else schema


def _kind(trace: FileTrace) -> Kind:
    if takings(trace) or any(statement.effect.refused for statement in trace.statements):
        return "contract"
    if any(statement.effect.changes_schema for statement in trace.statements):
        return "expand"
    return "data" if any(statement.effect.verb for statement in trace.statements) else "none"
