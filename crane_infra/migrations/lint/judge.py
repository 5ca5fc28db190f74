"""Judges pending migrations before anything is sent: what they would lose, and what they take from the version in traffic (pure).

Runs them on an empty SQLite in memory, after the files that the database already has. Sees no rows and makes no request; the run itself
counts rows. Prevents a migration that succeeds and loses data.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Literal

from crane_infra.errors import MigrationError
from crane_infra.migrations.files.read import MigrationFile, from_empty
from crane_infra.migrations.lint.breaking import takings
from crane_infra.migrations.lint.finding import LOSES_ROWS, Finding
from crane_infra.migrations.lint.row_counts import Counted, counts_of
from crane_infra.migrations.lint.rules import judge, judge_together
from crane_infra.migrations.sqlite.effects import Walk, Walker
from crane_infra.migrations.sqlite.trial import trial

Kind = Literal["expand", "contract", "data", "none"]
Accepted = Mapping[str, Collection[str]]
"""The rules that a stack accepts, by the name of the file that breaks them."""


@dataclass(frozen=True)
class Examined:
    """One pending file: what kind it is, which tables it touches, which other tables it may take rows from, and what lint found.

    ``counts`` is what the run counts before and after it.
    """

    file: MigrationFile
    kind: Kind
    tables: tuple[str, ...]
    loses_rows: tuple[str, ...]
    findings: tuple[Finding, ...]
    counts: tuple[Counted, ...] = ()

    @property
    def errors(self) -> list[Finding]:
        """The findings that stop a run."""
        return [finding for finding in self.findings if finding.level == "error"]


def lint(files: Sequence[MigrationFile], pending: Sequence[MigrationFile]) -> tuple[Finding, ...]:
    """Judge the ``pending`` of ``files`` as one release for a database that has all the others; never raises.

    ``files`` are in order, a base schema first. What the pending files themselves make is in nobody's use yet, so an empty database, for
    which everything is pending, takes any files that lose no rows. Findings are in the order of files and statements.
    """
    others, examined = _examine(files, pending)
    return (*others, *chain.from_iterable(one.findings for one in examined))


def lint_each(files: Sequence[MigrationFile], judged: Sequence[MigrationFile]) -> tuple[Finding, ...]:
    """Judge each file as the only pending one after those before it: for who knows no ledger. Files of one release are not compared."""
    names = {file.name for file in judged}
    return tuple(chain.from_iterable(one.findings for one in examine_each(files) if one.file.name in names))


def examine_each(files: Sequence[MigrationFile]) -> tuple[Examined, ...]:
    """Tell what each file does after those before it, which are in use by then; never raises."""
    with trial() as database:
        return tuple(_examined(Walker(database).walk(file), ()) for file in files)


def classes(files: Sequence[MigrationFile], base: MigrationFile | None) -> dict[str, str]:
    """The kind of each file by name; ``base`` for one whose work the base schema holds."""
    return dict.fromkeys((file.name for file in files), "base") | {one.file.name: one.kind for one in examine_each(from_empty(files, base))}


def examine(files: Sequence[MigrationFile], pending: Sequence[MigrationFile]) -> tuple[Examined, ...]:
    """Tell what each pending file does, in order; never raises."""
    return _examine(files, pending)[1]


def accepting(examined: Iterable[Examined], accepted: Accepted) -> tuple[Examined, ...]:
    """Turn the errors that a stack accepts into warnings, and let counts fall where it accepts that."""
    return tuple(_accepting(one, accepted.get(one.file.name, ())) for one in examined)


def first_error(examined: Iterable[Examined]) -> MigrationError | None:
    """The first finding that stops a run, as its refusal."""
    return next((finding.error() for one in examined for finding in one.errors), None)


def classify(file: MigrationFile, earlier: Sequence[MigrationFile]) -> Kind:
    """What a file does after the ``earlier`` ones: contract takes something away, expand changes the schema otherwise, data only writes rows.

    A statement that SQLite refuses makes it a contract: nobody knows what it takes.
    """
    return examine((*earlier, file), [file])[0].kind


def tables_touched(file: MigrationFile, earlier: Sequence[MigrationFile]) -> list[str]:
    """The tables that a file makes, changes, drops or writes to, by triggers and foreign keys too, sorted."""
    return list(examine((*earlier, file), [file])[0].tables)


def _examine(files: Sequence[MigrationFile], pending: Sequence[MigrationFile]) -> tuple[tuple[Finding, ...], tuple[Examined, ...]]:
    names = {file.name for file in pending}
    with trial() as database:
        others = Walker(database)
        before = tuple(chain.from_iterable(_unknown(others.walk(file)) for file in files if file.name not in names))
        walker = Walker(database)
        walks = [walker.walk(file) for file in files if file.name in names]
    together = tuple(judge_together(walks))
    return before, tuple(_examined(walk, together) for walk in walks)


def _examined(walk: Walk, together: Sequence[Finding]) -> Examined:
    findings = [*judge(walk), *(finding for finding in together if finding.path == walk.file.path)]
    ordered = tuple(sorted(findings, key=lambda finding: finding.statement or 0))
    lost = frozenset[str]().union(*(step.lost for step in walk.steps))
    return Examined(walk.file, _kind(walk), _named(walk, walk.touched), _named(walk, lost), ordered, counts_of(walk))


def _accepting(one: Examined, rules: Collection[str]) -> Examined:
    findings = tuple(replace(finding, level="warning") if finding.rule in rules else finding for finding in one.findings)
    counts = tuple(replace(count, may_fall=count.may_fall or LOSES_ROWS in rules) for count in one.counts)
    return replace(one, findings=findings, counts=counts)


def _named(walk: Walk, tables: frozenset[str]) -> tuple[str, ...]:
    return tuple(sorted(walk.named(table) for table in tables))


def _kind(walk: Walk) -> Kind:
    if takings(walk) or any(step.effect.refused for step in walk.steps):
        return "contract"
    if any(step.effect.changes_schema for step in walk.steps):
        return "expand"
    return "data" if any(step.effect.verb for step in walk.steps) else "none"


def _unknown(walk: Walk) -> list[Finding]:
    todo = "What later files do to it cannot be judged; look at them yourself"
    refused = [step for step in walk.steps if step.effect.refused]
    return [
        Finding(walk.file.path, step.number, "not-understood", "warning", f"SQLite refuses it ({step.effect.refused})", todo)
        for step in refused
    ]
