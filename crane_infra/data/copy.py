"""Copies a D1 database into a SQLite file, table by table, with SELECTs only.

A copy is not one moment of the database, since D1 has no way to hold one. So the bookmark is compared, which moves with each write: where it did
not move, nobody wrote. A table that was written to while it was read, or after it, is compared page by page with the database again, until
nothing differs; one that keeps changing is named. An unfinished copy goes on where it stopped.
"""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, field
from pathlib import Path

from crane_infra.counted import counted
from crane_infra.data.estimate import Estimate, estimate, require_within
from crane_infra.data.pages import PageSize, pages
from crane_infra.data.partial import PartialCopy, digest_of, partial_copy
from crane_infra.data.patience import Patient
from crane_infra.data.shapes import SchemaObject, Shape, is_copied
from crane_infra.data.source import LocalSource, Source
from crane_infra.errors import DataError

Say = Callable[[str], None]
_OBJECTS = "SELECT type, name, tbl_name, sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY rowid"
_SEQUENCES = "SELECT name, CAST(seq AS TEXT) AS seq FROM sqlite_sequence ORDER BY rowid"


@dataclass(frozen=True)
class Progress:
    """How far a copy is: the rows of one table so far, and the most that it may have."""

    table: str
    rows: int
    of: int


@dataclass(frozen=True)
class Limits:
    """How many rows a copy may read, how often it compares what changed meanwhile, and how long it waits for a rate limit."""

    rows: int = 4_000_000
    rounds: int = 3
    wait: float = 900.0


@dataclass(frozen=True)
class CopiedTable:
    """A table of a finished copy. ``checksum`` is of all rows in the order of the key; ``is_settled`` False where it kept changing."""

    name: str
    rows: int
    checksum: str
    is_settled: bool = True


@dataclass(frozen=True)
class Copied:
    """A finished copy. ``bookmark`` is the one moment that all of it is of; None where the database was written to meanwhile.

    ``left_out`` are tables without their rows: full-text tables that keep an index of texts which they do not keep, and what was to be skipped.
    """

    path: Path
    tables: tuple[CopiedTable, ...]
    bookmark: str | None
    left_out: tuple[str, ...] = ()

    @property
    def rows(self) -> int:
        """All rows."""
        return sum(table.rows for table in self.tables)

    @property
    def unsettled(self) -> tuple[str, ...]:
        """The tables that kept changing."""
        return tuple(table.name for table in self.tables if not table.is_settled)


@dataclass
class Watch:
    """Whom a copy tells how far it is, and who waits for it."""

    say: Say = lambda _: None
    progress: Callable[[Progress], None] = lambda _: None
    pause: Callable[[float], Awaitable[None]] = field(default=asyncio.sleep)


async def copy_database(
    source: Source, path: Path, *, limits: Limits | None = None, watch: Watch | None = None, skip: Collection[str] = ()
) -> Copied:
    """Copy a database into a new SQLite file at ``path``, without the rows of the tables in ``skip`` (names in any case).

    Raises DataError (the file is there, too many rows, a table that cannot be paged, a full disk, a schema that keeps changing), ApiError. After
    an error, an interrupt or a kill, the same call goes on where it stopped.
    """
    limits, watch = limits or Limits(), watch or Watch()
    _require_absent(path)
    patient = Patient(source, limits.rows, limits.wait, watch.say, watch.pause)
    for _ in range(2):
        schema = await read_schema(patient)
        with partial_copy(path, schema, source.name, f"database {source.name}") as partial:
            copied = await _copy(_Copying(patient, partial, limits, watch, frozenset(map(str.lower, skip))), path)
        if copied:
            return copied
        watch.say(f"the schema of {source.name} changed while it was copied; the copy begins again")
    raise DataError(f"database {source.name}", "its schema keeps changing while it is copied", "Wait for the migration, then try again")


def _require_absent(path: Path) -> None:
    if path.exists():
        raise DataError(str(path), "it is there already", "Remove it, or choose another name")


async def read_schema(source: Source) -> list[SchemaObject]:
    """The tables, indexes, views and triggers of a database. Raises ApiError."""
    listed = [
        SchemaObject(str(row["type"]), str(row["name"]), str(row["tbl_name"]), str(row["sql"])) for row in await source.read(_OBJECTS)
    ]
    return [each for each in listed if is_copied(each.name)]


@dataclass
class _Copying:
    """A copy under way."""

    source: Source
    partial: PartialCopy
    limits: Limits
    watch: Watch
    skip: frozenset[str]
    expected: Estimate = field(default_factory=lambda: Estimate({}))

    @property
    def shapes(self) -> list[Shape]:
        """The tables whose rows are copied."""
        return [shape for shape in self.partial.shapes if shape.kind == "rows" and shape.name.lower() not in self.skip]

    @property
    def left_out(self) -> tuple[str, ...]:
        """The tables whose rows are not copied although they have some."""
        return tuple(shape.name for shape in self.partial.shapes if shape.kind == "unreadable" or shape.name.lower() in self.skip)

    def tell(self, shape: Shape) -> None:
        """Tell how far a table is."""
        self.watch.progress(Progress(shape.name, self.partial.rows_read(shape), self.expected.tables.get(shape.name, 0)))


async def _copy(copying: _Copying, path: Path) -> Copied | None:
    """Copy what is not copied yet; None where the schema is another one at the end."""
    source, partial = copying.source, copying.partial
    copying.expected = await estimate(source, copying.shapes)
    copying.watch.say(f"{source.name}: a copy {copying.expected.text}")
    require_within(f"database {source.name}", copying.expected, copying.limits.rows)
    if resumed := partial.rows_read():
        copying.watch.say(f"{source.name}: goes on after {counted(resumed, 'row')} that an earlier run has read")
    now = await source.bookmark()
    for shape in (shape for shape in copying.shapes if not partial.is_read(shape)):
        now = await _read(copying, shape, now)
    bookmark, unsettled = await _settle(copying)
    if await read_schema(source) != list(partial.schema):
        return None
    tables = [await _checked(copying, shape, is_settled=shape.name not in unsettled) for shape in copying.shapes]
    partial.finish(path, await _sequences(source, copying))
    return Copied(path, tuple(tables), bookmark, copying.left_out)


async def _read(copying: _Copying, shape: Shape, bookmark: str) -> str:
    """Read a table, from where an earlier run stopped; return the bookmark when it is read."""
    source, partial = copying.source, copying.partial
    read = partial.read_pages(shape)
    after = read[-1].until if read else ""
    if not after:
        partial.begin(shape, bookmark)
    async for page in pages(source, shape, after=after):
        if page.lines or not page.after:
            partial.add(shape, page.lines, page.last)
            copying.tell(shape)
    bookmark = await source.bookmark()
    partial.end(shape, bookmark)
    return bookmark


async def _settle(copying: _Copying) -> tuple[str | None, frozenset[str]]:
    """Compare what was read with the database until nothing differs: return the bookmark of the one moment, and the tables that differ still."""
    source = copying.source
    now = await source.bookmark()
    if all(copying.partial.bookmarks(shape) == (now, now) for shape in copying.shapes):
        return now, frozenset()
    differing = frozenset[str]()
    for _ in range(copying.limits.rounds):
        copying.watch.say(f"{source.name}: it was written to meanwhile, so what was read is compared with it")
        before = now
        differing = frozenset([shape.name for shape in copying.shapes if await _differs(copying, shape)])
        now = await source.bookmark()
        if before == now or not differing:
            # Nobody wrote while it was read again, or all of it was then still what it had been before.
            return before, frozenset()
    return None, differing


async def _differs(copying: _Copying, shape: Shape) -> bool:
    """Read a table again page by page, and take the rows of the pages that differ; tell whether any did."""
    changed = False
    size = PageSize()
    for read in copying.partial.read_pages(shape):
        lines = [line async for page in pages(copying.source, shape, after=read.after, until=read.until, size=size) for line in page.lines]
        if digest_of(lines) != read.digest:
            changed = True
            copying.partial.replace(shape, read, lines)
    return changed


async def _sequences(source: Source, copying: _Copying) -> list[tuple[str, int]]:
    """The next automatic numbers, for the tables that have some."""
    if not any("AUTOINCREMENT" in each.sql.upper() for each in copying.partial.schema):
        return []
    return [(str(row["name"]), int(str(row["seq"]))) for row in await source.read(_SEQUENCES)]


async def _checked(copying: _Copying, shape: Shape, *, is_settled: bool) -> CopiedTable:
    """Read a table from the file: what it holds has to be what was read, page by page."""
    local, checksum, count = LocalSource(copying.partial.db, copying.source.name), hashlib.sha256(), 0
    for read in copying.partial.read_pages(shape):
        lines = [line async for page in pages(local, shape, after=read.after, until=read.until) for line in page.lines]
        if digest_of(lines) != read.digest and is_settled:
            what = "its rows in the file are not what was read"
            raise DataError(f"database {copying.source.name}, table {shape.name}", what, "Remove the unfinished file, then try again")
        checksum.update("".join(f"{line}\n" for line in lines).encode())
        count += len(lines)
    return CopiedTable(shape.name, count, checksum.hexdigest(), is_settled)
