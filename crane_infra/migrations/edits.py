"""Accepts edits of applied files that change no meaning: comments, white space, IF NOT EXISTS. Runs no migration.

Whether an edit is one of these is decided by SQLite, not by its looks: both versions of the file run on empty databases, after the files
before it, and have to leave the same schema and the same rows. The ledger keeps both digests, so that older releases go on as well.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import apsw

from crane_infra.d1.database import DatabaseClient
from crane_infra.errors import MigrationError, refuse
from crane_infra.migrations.files.faults import statements_in
from crane_infra.migrations.files.read import MigrationFile, SchemaFiles, from_empty
from crane_infra.migrations.files.tokens import code, quoted
from crane_infra.migrations.ledger import Ledger, LedgerEntry, read_ledger
from crane_infra.migrations.requests import edit_request
from crane_infra.migrations.sqlite.engine import FAILURES, empty_database, execute, rows
from crane_infra.migrations.sqlite.schema import Schema, as_schema, differing

_OBJECTS = "SELECT type, name, sql FROM sqlite_schema WHERE sql IS NOT NULL"
_TABLES = "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name"


@dataclass(frozen=True)
class EditedFile:
    """A file that was edited after it was applied, or a base schema, with its record in the ledger."""

    file: MigrationFile
    entry: LedgerEntry


def edited_files(schema: SchemaFiles, ledger: Ledger) -> tuple[EditedFile, ...]:
    """The files, the base schema among them, whose digest is none that the ledger records."""
    recorded = [(schema.base, ledger.base)] if schema.base and ledger.base else []
    recorded += [(file, entry) for file in schema.files for entry in ledger.entries if entry.name == file.name]
    return tuple(EditedFile(file, entry) for file, entry in recorded if entry.sha256 is not None and not entry.has(file.sha256))


async def accept_edits(db: DatabaseClient, schema: SchemaFiles, contents_before: Mapping[str, bytes]) -> tuple[str, ...]:
    """Record the edits of all applied files, and return their names. Nothing is recorded if one of them changes the meaning of its file.

    ``contents_before`` are earlier contents by sha256. Raises MigrationError for each edit that cannot be accepted, and ApiError.
    """
    ledger = await read_ledger(db)
    edited = edited_files(schema, ledger)
    refuse(refused_edits(schema, ledger, edited, contents_before))
    if edited:
        await db.write(edit_request([(each.entry.name, each.entry.sha256 or "", each.file.sha256) for each in edited]))
        await _require_recorded(db, edited)
    return tuple(each.file.name for each in edited)


def refused_edits(
    schema: SchemaFiles, ledger: Ledger, edited: Sequence[EditedFile], contents_before: Mapping[str, bytes]
) -> list[MigrationError]:
    """Why edits cannot be accepted, in the order of the files."""
    known = {each.file.name: contents_before.get(each.entry.sha256 or "") for each in edited}
    before = {name: statements_in(content) for name, content in known.items() if content is not None}
    unlike = {
        each.file.name for each in edited if each.file.name in before and not _same_tokens(before[each.file.name], each.file.statements)
    }
    applied = [file for file in schema.files if ledger.entry(file.name)]
    ordered = from_empty(applied, schema.base)
    contained = [file for file in applied if file not in ordered]
    reasons = dict[str, str]()
    for sequence in (ordered, contained):
        if unlike & {file.name for file in sequence}:
            reasons |= _other_outcomes(sequence, before)
    return [
        error for each in edited if (error := _refusal(each, before, reasons.get(each.file.name) if each.file.name in unlike else None))
    ]


def _refusal(each: EditedFile, before: Mapping[str, Sequence[str]], reason: str | None) -> MigrationError | None:
    if each.file.name not in before:
        what = (
            f"its edit cannot be judged: the version that was applied ({(each.entry.sha256 or '')[:8]}) is not in the history of this clone"
        )
        return MigrationError(each.file.path, what, "Fetch the whole history, or name a folder with the earlier files: --before <folder>")
    if reason is None:
        return None
    todo = "Restore the file, including its line endings, and put the change into a new migration"
    return MigrationError(each.file.path, f"its edit changes what it does: {reason}", todo)


def _other_outcomes(files: Iterable[MigrationFile], before: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """What is not the same after a file as after its version ``before``, by its name, for each file that has one."""
    reasons = dict[str, str]()
    with empty_database() as now, empty_database() as then:
        for file in files:
            refused = _run(now, file.statements) or _run(then, before.get(file.name, file.statements))
            reason = f"SQLite refuses a statement ({refused})" if refused else _difference(then, now)
            if reason and file.name in before:
                reasons[file.name] = reason
            if reason:  # later files are compared on their own
                with then.backup("main", now, "main") as backup:
                    backup.step()
    return reasons


def _run(db: apsw.Connection, statements: Iterable[str]) -> str:
    """Run the statements; why SQLite refuses the first that it refuses, empty if it takes all."""
    for statement in statements:
        try:
            execute(db, statement)
        except FAILURES as error:
            return str(error)
    return ""


def _difference(then: apsw.Connection, now: apsw.Connection) -> str:
    """What differs in two databases, in a few words; empty where schema and rows are the same."""
    if objects := differing(_schema(then), _schema(now)):
        return f"its schema differs ({', '.join(objects)})"
    tables = [str(name) for (name,) in rows(now, _TABLES)]
    unlike = [table for table in tables if _rows(then, table) != _rows(now, table)]
    return f"its rows differ ({', '.join(unlike)})" if unlike else ""


def _schema(db: apsw.Connection) -> Schema:
    return as_schema(rows(db, _OBJECTS))


def _rows(db: apsw.Connection, table: str) -> list[str]:
    return sorted(map(repr, rows(db, f"SELECT * FROM {quoted(table)}")))  # noqa: S608 - a name, in quotes


def _same_tokens(one: Iterable[str], other: Iterable[str]) -> bool:
    """Whether statements are the same but for comments and white space."""
    first, second = ([[token.text for token in code(statement)] for statement in statements] for statements in (one, other))
    return first == second


async def _require_recorded(db: DatabaseClient, edited: Sequence[EditedFile]) -> None:
    """Read back what was written: a reply that reports success proves nothing."""
    ledger = await read_ledger(db)
    for each in edited:
        entry = ledger.base if ledger.base and ledger.base.name == each.entry.name else ledger.entry(each.entry.name)
        if entry is None or not entry.has(each.file.sha256):
            what = f"D1 reported success, but the ledger has no record of the edit of {each.file.name}"
            raise MigrationError(db.name, what, "Run the same command again")
