"""Plans from files and ledger what to import from wrangler and what to apply, or refuses and names the file (pure).

It refuses what wrangler accepts: a file edited, deleted, renamed or inserted after the fact, and migrations run from the start on a database
that already has its tables.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from crane_infra.errors import MigrationError
from crane_infra.migrations.files.names import BEFORE_ALL, order_of
from crane_infra.migrations.files.read import MigrationFile
from crane_infra.migrations.files.strict import faults_of_pending
from crane_infra.migrations.ledger import Ledger, LedgerEntry
from crane_infra.migrations.own_tables import OURS, WRANGLER


@dataclass(frozen=True)
class Plan:
    """What to import from wrangler's ledger (``adopt``), what to apply in order, and which of these run out of order.

    ``base`` is a base schema to begin with, ``contains`` the files that it contains.
    """

    adopt: tuple[MigrationFile, ...] = ()
    apply: tuple[MigrationFile, ...] = ()
    out_of_order: tuple[MigrationFile, ...] = ()
    base: MigrationFile | None = None
    contains: tuple[MigrationFile, ...] = ()

    @property
    def pending(self) -> tuple[MigrationFile, ...]:
        """Everything to run, the base schema first."""
        return (self.base, *self.apply) if self.base else self.apply


class StartedNotDoneError(MigrationError):
    """A run started a file and never marked it as done; ``entry`` is its record in the ledger."""

    def __init__(self, path: str, entry: LedgerEntry, database: str, cause: str = "") -> None:
        self.path, self.entry = path, entry
        what = f"started in {database} at {entry.started_at} but never marked as done, so parts of it may have been applied"
        super().__init__(path, f"{what}{cause and f' ({cause})'}", _ways_out(entry, database))


def make_plan(
    files: Sequence[MigrationFile], ledger: Ledger, where: str, *, base: MigrationFile | None = None, out_of_order: bool = False
) -> Plan:
    """Compare the files, and the base schema before them, with the ledger of the database called ``where``.

    Raises MigrationError for: a pending file with a fault or with the number of another; a file that was edited, renamed, is missing or unknown, was started but never done, was
    removed from wrangler's table, or sorts before an applied one (unless ``out_of_order``); and an empty ledger in a populated database.
    """
    ordered = sorted(files, key=lambda file: file.order)
    entries = {entry.name: entry for entry in ledger.entries}
    pending = [file for file in ordered if file.name not in entries]
    _refuse_empty_ledger(ordered, ledger, where)
    if ledger.base:
        _refuse_base(base, ledger.base, where)
    if base and not ledger.entries and not ledger.base and not ledger.populated:
        after = [file for file in ordered if file.is_after(base.number or 0)]
        _refuse_faults(after, ordered)
        return Plan(apply=tuple(after), base=base, contains=tuple(file for file in ordered if file not in after))
    for file in ordered:
        if entry := entries.get(file.name):
            _refuse_entry(file, entry, where)
    _refuse_unknown(ordered, pending, ledger, where)
    _refuse_faults(pending, ordered)
    late = _late(pending, ledger)
    if late and not out_of_order:
        raise _order_error(late[0], ledger, where)
    adopt = tuple(file for file in ordered if file.name in entries and entries[file.name].sha256 is None)
    return Plan(adopt, tuple(pending), late)


def _refuse_faults(pending: Sequence[MigrationFile], files: Sequence[MigrationFile]) -> None:
    for fault in faults_of_pending(pending, files).values():
        raise MigrationError(*fault)


def _refuse_empty_ledger(files: Sequence[MigrationFile], ledger: Ledger, where: str) -> None:
    if files and ledger.populated and not ledger.entries:
        raise MigrationError(
            where,
            f"it has tables but an empty ledger, so it is unknown whether {files[0].path} was applied",
            "Run crane migrations baseline, which compares its schema with the files before it records them",
        )


def _refuse_base(base: MigrationFile | None, entry: LedgerEntry, where: str) -> None:
    if entry.started_only:
        raise StartedNotDoneError(base.path if base else entry.name, entry, where)
    if base and entry.sha256 != base.sha256:
        what = f"edited after {where} was created from it (recorded {(entry.sha256 or '')[:8]}, file {base.sha256[:8]})"
        raise MigrationError(base.path, what, "Restore the file, including its line endings, and put the change into a new migration")


def _refuse_entry(file: MigrationFile, entry: LedgerEntry, where: str) -> None:
    if entry.started_only:
        raise StartedNotDoneError(file.path, entry, where)
    if entry.sha256 is not None and entry.sha256 != file.sha256:
        what = f"edited after it was applied to {where} (recorded {entry.sha256[:8]}, file {file.sha256[:8]})"
        raise MigrationError(file.path, what, "Restore the file, including its line endings, or add a new migration")
    if not entry.listed:
        todo = f"Restore the row: {_listing(file.name)}; to run its statements again, add a new migration"
        raise MigrationError(file.path, f"recorded as done in {where}, but removed from {WRANGLER}", todo)


def _refuse_unknown(files: Sequence[MigrationFile], pending: Sequence[MigrationFile], ledger: Ledger, where: str) -> None:
    known = {file.name for file in files}
    for entry in ledger.entries:
        if entry.name not in known and entry.started_only:
            raise StartedNotDoneError(entry.name, entry, where)
        if entry.name not in known:
            raise _unknown(entry, files, pending, where)


def _unknown(entry: LedgerEntry, files: Sequence[MigrationFile], pending: Sequence[MigrationFile], where: str) -> MigrationError:
    same = next((file for file in pending if file.sha256 == entry.sha256), None)
    if same:
        return MigrationError(same.path, f"applied to {where} under the name {entry.name}", f"Rename it back to {entry.name}")
    if order_of(entry.name) > max((file.order for file in files), default=BEFORE_ALL):
        todo = "Use the files of the release that applied it, or newer ones"
        return MigrationError(entry.name, f"in the ledger of {where} but not among these files, so the database is ahead of them", todo)
    return MigrationError(
        entry.name, f"applied to {where}, but the file is missing", "Restore the file: applied migrations stay in the folder"
    )


def _late(pending: Sequence[MigrationFile], ledger: Ledger) -> tuple[MigrationFile, ...]:
    last = max((order_of(entry.name) for entry in ledger.entries), default=BEFORE_ALL)
    return tuple(file for file in pending if file.order <= last)


def _order_error(file: MigrationFile, ledger: Ledger, where: str) -> MigrationError:
    what = f"pending, but sorts before {ledger.head.name}, which {where} already has"
    return MigrationError(file.path, what, "Give it the next free number, or set out-of-order for this database in the stack file")


def _ways_out(entry: LedgerEntry, database: str) -> str:
    name = entry.name.replace("'", "''")
    back = f"wrangler d1 time-travel restore {database} --bookmark={entry.bookmark}" if entry.bookmark else "no bookmark was recorded"
    return (
        f"Look at the schema, then do one of these: return to the state before it ({back}); or, if none of it was applied, run "  # noqa: S608 - for a person
        f"DELETE FROM {OURS} WHERE name = '{name}'; or finish it by hand, then run {_listing(entry.name)} unless that row exists, "
        f"and UPDATE {OURS} SET done_at = CURRENT_TIMESTAMP WHERE name = '{name}'"
    )


def _listing(name: str) -> str:
    quoted = name.replace("'", "''")
    return f"INSERT INTO {WRANGLER} (name) VALUES ('{quoted}')"  # noqa: S608 - for a person
