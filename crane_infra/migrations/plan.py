"""Plans from files and ledger what to import from wrangler and what to apply, or refuses and names the file (pure).

It refuses what wrangler accepts: a file edited, deleted, renamed or inserted after the fact, and migrations run from the start on a database
that already has its tables.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from crane_infra.errors import MigrationError, refuse
from crane_infra.migrations.files.faults import Fault
from crane_infra.migrations.files.names import BEFORE_ALL, Order, order_of
from crane_infra.migrations.files.read import MigrationFile
from crane_infra.migrations.files.strict import faults_of_pending
from crane_infra.migrations.ledger import Ledger, LedgerEntry
from crane_infra.migrations.own_tables import WRANGLER
from crane_infra.migrations.unfinished import StartedNotDoneError, listing

ACCEPT_EDIT = "If it means what it meant before: crane migrations accept-edit -s <stack> -d <its name in the catalog>, for staging and then for production"


@dataclass(frozen=True)
class Plan:
    """What to import from wrangler's ledger (``adopt``), what to apply in order, and which of these run out of order.

    ``base`` is a base schema to begin with, ``contains`` the files that it contains. ``unrecorded_base`` is one that the database has and
    that its ledger does not record yet, as where it was baselined by an earlier version.
    """

    adopt: tuple[MigrationFile, ...] = ()
    apply: tuple[MigrationFile, ...] = ()
    out_of_order: tuple[MigrationFile, ...] = ()
    base: MigrationFile | None = None
    contains: tuple[MigrationFile, ...] = ()
    unrecorded_base: MigrationFile | None = None

    @property
    def pending(self) -> tuple[MigrationFile, ...]:
        """Everything to run, the base schema first."""
        return (self.base, *self.apply) if self.base else self.apply

    @cached_property
    def names_to_apply(self) -> frozenset[str]:
        """The names of what to apply, to look one up among hundreds."""
        return frozenset(file.name for file in self.apply)


def make_plan(
    files: Sequence[MigrationFile],
    ledger: Ledger,
    where: str,
    *,
    base: MigrationFile | None = None,
    out_of_order: bool = False,
    from_empty: bool = False,
) -> Plan:
    """Compare the files, and the base schema before them, with the ledger of the database called ``where``.

    Raises MigrationError for: a pending file with a fault or, unless the database began empty, with the number of another; a file that was
    edited, renamed, is missing or unknown, was started but never done, was removed from wrangler's table, or sorts before an applied one
    (unless ``out_of_order``); and an empty ledger in a populated database.
    """
    ordered = sorted(files, key=lambda file: file.order)
    entries = {entry.name: entry for entry in ledger.entries}
    pending = [file for file in ordered if file.name not in entries]
    _refuse_empty_ledger(ordered, ledger, where)
    if base and ledger.is_of_an_empty_database:
        after = [file for file in ordered if file.is_after(base.number or 0)]
        _refuse(list(_not_ready(after, faults_of_pending(after, ordered, from_empty=from_empty), ordered, (), ledger, where)))
        return Plan(apply=tuple(after), base=base, contains=tuple(file for file in ordered if file not in after))
    late = () if out_of_order else _late(pending, ledger)
    _refuse(
        [
            *_edited_base(base, ledger.base, where),
            *_tampered(ordered, entries, where),
            *_unknown(ordered, pending, ledger, where),
            *_not_ready(pending, faults_of_pending(pending, ordered, from_empty=from_empty), ordered, late, ledger, where),
        ]
    )
    adopt = tuple(file for file in ordered if file.name in entries and entries[file.name].sha256 is None)
    unrecorded = base if ledger.entries and ledger.base is None else None
    return Plan(adopt, tuple(pending), _late(pending, ledger), unrecorded_base=unrecorded)


def _refuse(refusals: Sequence[tuple[Order, MigrationError]]) -> None:
    """Raise all refusals in the order of their files; only the first unfinished file if there is one, since the ledger is unsettled then."""
    errors = [error for _, error in sorted(refusals, key=lambda refusal: refusal[0])]
    unfinished = [error for error in errors if isinstance(error, StartedNotDoneError)][:1]
    refuse(unfinished or errors)


def _refuse_empty_ledger(files: Sequence[MigrationFile], ledger: Ledger, where: str) -> None:
    if files and ledger.populated and not ledger.entries:
        raise MigrationError(
            where,
            f"it has tables but an empty ledger, so it is unknown whether {files[0].path} was applied",
            "Run crane migrations baseline, which compares its schema with the files before it records them",
        )


def _edited_base(base: MigrationFile | None, entry: LedgerEntry | None, where: str) -> Iterator[tuple[Order, MigrationError]]:
    """The base schema that is not as it was recorded. A ledger without a record of one says nothing about it."""
    if entry and entry.started_only:
        yield BEFORE_ALL, StartedNotDoneError(base.path if base else entry.name, entry, where)
    elif base and entry and not entry.has(base.sha256):
        what = f"edited after it was recorded for {where} (recorded {(entry.sha256 or '')[:8]}, file {base.sha256[:8]})"
        yield (
            base.order,
            MigrationError(
                base.path, what, f"Restore the file, including its line endings, and put the change into a new migration. {ACCEPT_EDIT}"
            ),
        )


def _tampered(files: Sequence[MigrationFile], entries: Mapping[str, LedgerEntry], where: str) -> Iterator[tuple[Order, MigrationError]]:
    """The applied files that are not as they were applied."""
    for file in files:
        if (entry := entries.get(file.name)) and (error := _tampered_one(file, entry, where)):
            yield file.order, error


def _tampered_one(file: MigrationFile, entry: LedgerEntry, where: str) -> MigrationError | None:
    if entry.started_only:
        return StartedNotDoneError(file.path, entry, where)
    if entry.sha256 is not None and not entry.has(file.sha256):
        what = f"edited after it was applied to {where} (recorded {entry.sha256[:8]}, file {file.sha256[:8]})"
        return MigrationError(file.path, what, f"Restore the file, including its line endings, or add a new migration. {ACCEPT_EDIT}")
    if not entry.listed:
        todo = f"Restore the row: {listing(file.name)}; to run its statements again, add a new migration"
        return MigrationError(file.path, f"recorded as done in {where}, but removed from {WRANGLER}", todo)
    return None


def _unknown(
    files: Sequence[MigrationFile], pending: Sequence[MigrationFile], ledger: Ledger, where: str
) -> Iterator[tuple[Order, MigrationError]]:
    """The entries of the ledger that have no file."""
    known, last = {file.name for file in files}, max((file.order for file in files), default=BEFORE_ALL)
    for entry in ledger.entries:
        if entry.name in known:
            continue
        order = order_of(entry.name)
        if entry.started_only:
            yield order, StartedNotDoneError(entry.name, entry, where)
        elif same := next((file for file in pending if file.sha256 == entry.sha256), None):
            yield order, MigrationError(same.path, f"applied to {where} under the name {entry.name}", f"Rename it back to {entry.name}")
        elif order > last:
            what = f"in the ledger of {where} but not among these files, so the database is ahead of them"
            todo = "Use the files of the release that applied it, or newer ones. In production, rollback-to goes back on purpose"
            yield order, MigrationError(entry.name, what, todo)
        else:
            todo = "Restore the file: applied migrations stay in the folder"
            yield order, MigrationError(entry.name, f"applied to {where}, but the file is missing", todo)


def _not_ready(
    pending: Sequence[MigrationFile],
    faults: Mapping[str, Fault],
    files: Sequence[MigrationFile],
    late: Sequence[MigrationFile],
    ledger: Ledger,
    where: str,
) -> Iterator[tuple[Order, MigrationError]]:
    """The pending files that have a fault, or that come too late."""
    names = {file.name for file in files}
    # Where the ledger has other files than these, the order of these says nothing.
    all_known = all(entry.name in names for entry in ledger.entries)
    for file in pending:
        if fault := faults.get(file.name):
            yield file.order, MigrationError(*fault)
        elif file in late and all_known:
            what = f"pending, but sorts before {ledger.head.name}, which {where} already has"
            todo = "Give it the next free number, or set out-of-order for this database in the stack file"
            yield file.order, MigrationError(file.path, what, todo)


def _late(pending: Sequence[MigrationFile], ledger: Ledger) -> tuple[MigrationFile, ...]:
    last = max((order_of(entry.name) for entry in ledger.entries), default=BEFORE_ALL)
    return tuple(file for file in pending if file.order <= last)
