"""The file that a copy grows in: the rows that were read, and which pages they came in, in one SQLite file that survives kill -9.

A page and the note about it are one transaction. The finished file has neither notes nor a journal, and gets its name only then.
"""

# ruff: noqa: S608 - names are quoted, values bound

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import apsw

from crane_infra.data.disk import disk_faults
from crane_infra.data.lines import RawText, Value, values_in
from crane_infra.data.pages import condition
from crane_infra.data.shapes import SchemaObject, Shape, create_tables, execute, shapes_of
from crane_infra.errors import DataError
from crane_infra.migrations.sqlite.engine import rows

_NOTES = (
    "CREATE TABLE _cf_crane_source (source TEXT NOT NULL)",
    "CREATE TABLE _cf_crane_pages (name TEXT, number INTEGER, last TEXT, rows INTEGER, digest TEXT, PRIMARY KEY (name, number))",
    "CREATE TABLE _cf_crane_tables (name TEXT PRIMARY KEY, before TEXT, after TEXT)",
)
_AFTER_ROWS = ("index", "view", "trigger")


@dataclass(frozen=True)
class ReadPage:
    """A page that was read: the keys around it, as lines (empty for the ends of the table), and what its rows were."""

    number: int
    after: str
    until: str
    digest: str


def digest_of(lines: Sequence[str]) -> str:
    """The digest of some lines."""
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


class PartialCopy:
    """An unfinished copy of one database."""

    def __init__(self, db: apsw.Connection, path: Path, schema: Sequence[SchemaObject], where: str) -> None:
        self.db, self.path, self.schema, self.where = db, path, schema, where
        self.shapes = shapes_of(db, where)

    def read_pages(self, shape: Shape) -> list[ReadPage]:
        """The pages of a table that were read, in order; the last one ends where the table does once it is read to its end."""
        listed = rows(self.db, "SELECT number, last, digest FROM _cf_crane_pages WHERE name = ? ORDER BY number", shape.name)
        read, after = list[ReadPage](), ""
        for number, last, digest in listed:
            read.append(ReadPage(number, after, last, digest))
            after = last
        if read and self.is_read(shape):
            final = read[-1]
            read[-1] = ReadPage(final.number, final.after, "", final.digest)
        return read

    def is_read(self, shape: Shape) -> bool:
        """Whether a table was read to its end."""
        return bool(rows(self.db, "SELECT 1 FROM _cf_crane_tables WHERE name = ? AND after IS NOT NULL", shape.name))

    def bookmarks(self, shape: Shape) -> tuple[str | None, str | None]:
        """The bookmarks when the first row of a table was read and when the last one was; None for what has not happened yet."""
        noted = rows(self.db, "SELECT before, after FROM _cf_crane_tables WHERE name = ?", shape.name)
        return noted[0] if noted else (None, None)

    def begin(self, shape: Shape, bookmark: str) -> None:
        """Note that a table is read from its first row on."""
        self.db.execute("DELETE FROM _cf_crane_pages WHERE name = ?", (shape.name,))
        self.db.execute("INSERT OR REPLACE INTO _cf_crane_tables VALUES (?, ?, NULL)", (shape.name, bookmark))

    def end(self, shape: Shape, bookmark: str) -> None:
        """Note that a table was read to its end."""
        self.db.execute("UPDATE _cf_crane_tables SET after = ? WHERE name = ?", (bookmark, shape.name))

    def add(self, shape: Shape, lines: Sequence[str], last: str) -> None:
        """Add the rows of the next page. Raises DataError where the disk is full."""
        with self._transaction():
            ((number,),) = rows(self.db, "SELECT COUNT(*) FROM _cf_crane_pages WHERE name = ?", shape.name)
            insert_lines(self.db, shape, lines)
            note = (shape.name, number, last, len(lines), digest_of(lines))
            self.db.execute("INSERT INTO _cf_crane_pages VALUES (?, ?, ?, ?, ?)", note)

    def replace(self, shape: Shape, page: ReadPage, lines: Sequence[str]) -> None:
        """Put other rows in place of those of a page. Raises DataError where the disk is full."""
        with self._transaction():
            self.delete_rows(shape, page)
            insert_lines(self.db, shape, lines)
            note = (len(lines), digest_of(lines), shape.name, page.number)
            self.db.execute("UPDATE _cf_crane_pages SET rows = ?, digest = ? WHERE name = ? AND number = ?", note)

    def delete_rows(self, shape: Shape, page: ReadPage) -> None:
        """Remove the rows of a page."""
        where, params = condition(shape.key, page.after, page.until)
        self.db.execute(f"DELETE FROM {shape.sql}{where}", params)

    def rows_read(self, shape: Shape | None = None) -> int:
        """How many rows of a table, or of all, are here."""
        where, values = (" WHERE name = ?", (shape.name,)) if shape else ("", ())
        return int(rows(self.db, f"SELECT COALESCE(SUM(rows), 0) FROM _cf_crane_pages{where}", *values)[0][0])

    def finish(self, path: Path, sequences: Sequence[tuple[str, int]]) -> None:
        """Create what comes after the rows, remove the notes, and give the file its name. Raises DataError.

        After the rows come indexes, views, triggers, the full-text indexes of other tables, and the next automatic numbers.
        """
        with self._transaction():
            for kind in _AFTER_ROWS:
                for each in (each for each in self.schema if each.type == kind):
                    execute(self.db, each.sql, f"{self.where}, {kind} {each.name}")
            for shape in (shape for shape in self.shapes if shape.can_rebuild):
                execute(self.db, f"INSERT INTO {shape.sql}({shape.sql}) VALUES ('rebuild')", f"{self.where}, table {shape.name}")
            if sequences:
                self.db.execute("DELETE FROM sqlite_sequence")
                self.db.executemany("INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", sequences)
            for table in ("_cf_crane_source", "_cf_crane_pages", "_cf_crane_tables"):
                self.db.execute(f"DROP TABLE {table}")
        self.db.execute("PRAGMA journal_mode = DELETE").fetchall()
        self.db.close()
        self.path.replace(path)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """One transaction; a full disk is an error in one line, and leaves what was there before it."""
        try:
            with disk_faults(self.path):
                self.db.execute("BEGIN IMMEDIATE")
                yield
                self.db.execute("COMMIT")
        finally:
            if self.db.in_transaction:  # SQLite itself ends one when the disk is full
                self.db.execute("ROLLBACK")


@contextmanager
def partial_copy(path: Path, schema: Sequence[SchemaObject], identity: str, where: str) -> Iterator[PartialCopy]:
    """Open the unfinished copy beside ``path``: the one that is there, if it is of the same database with the same schema, or a new one.

    Raises DataError where it cannot be written, also where the disk is full at any moment of the copy.
    """
    part = path.with_name(f"{path.name}.part")
    with disk_faults(part), _opened_for(part, schema, identity, where) as db:
        yield PartialCopy(db, part, schema, where)


@contextmanager
def _opened_for(part: Path, schema: Sequence[SchemaObject], identity: str, where: str) -> Iterator[apsw.Connection]:
    known = hashlib.sha256(repr((identity, [(each.type, each.name, each.sql) for each in schema])).encode()).hexdigest()
    db = _opened(part)
    try:
        if not _is_of(db, known):
            db.close()
            remove(part)
            db = _opened(part)
            with db:
                create_tables(db, schema, where)
                for note in _NOTES:
                    db.execute(note)
                db.execute("INSERT INTO _cf_crane_source VALUES (?)", (known,))
        yield db
    finally:
        db.close()


def remove(path: Path) -> None:
    """Remove a SQLite file and what belongs to it."""
    for name in (path.name, f"{path.name}-wal", f"{path.name}-shm", f"{path.name}-journal"):
        path.with_name(name).unlink(missing_ok=True)


def insert_lines(db: apsw.Connection, shape: Shape, lines: Sequence[str]) -> None:
    """Insert rows as they are: triggers do not exist yet, foreign keys and CHECKs are not looked at."""
    head = f"INSERT OR REPLACE INTO {shape.sql} ({', '.join(shape.cells)}) VALUES "
    statement = f"{head}({', '.join('?' * len(shape.cells))})"
    plain = list[list[Value]]()
    for values in map(values_in, lines):
        if any(isinstance(value, RawText) for value in values):
            marks = ", ".join("CAST(? AS TEXT)" if isinstance(value, RawText) else "?" for value in values)
            db.execute(f"{head}({marks})", [bytes(value) if isinstance(value, RawText) else value for value in values])
        else:
            plain.append(values)
    db.executemany(statement, plain)


def _opened(part: Path) -> apsw.Connection:
    try:
        part.parent.mkdir(parents=True, exist_ok=True)
        part.touch(mode=0o600)  # rows of production
        db = apsw.Connection(str(part))
        for setting in ("journal_mode = WAL", "synchronous = NORMAL", "foreign_keys = OFF", "ignore_check_constraints = ON"):
            db.execute(f"PRAGMA {setting}").fetchall()
    except (OSError, apsw.CantOpenError) as error:
        raise DataError(
            str(part), f"it cannot be written: {error.strerror if isinstance(error, OSError) else error}", "Name a folder that is yours"
        ) from None
    except apsw.NotADBError:
        raise DataError(str(part), "it is not an unfinished copy", "Remove it, or choose another name") from None
    return db


def _is_of(db: apsw.Connection, known: str) -> bool:
    try:
        return rows(db, "SELECT source FROM _cf_crane_source") == [(known,)]
    except apsw.SQLError:
        return False
