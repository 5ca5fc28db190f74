"""Reads the migration files of a folder, in wrangler's order.

Reads files only, never a database. The digest covers the exact bytes, so a changed space or line ending is a change. A fault in a file is
kept with it: it matters where the file is pending, while a database may have got such a file from wrangler long ago.
"""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from crane_infra.errors import MigrationError
from crane_infra.migrations.files.faults import Fault, blemish, content_fault, statements_in
from crane_infra.migrations.files.folder import find_migrations
from crane_infra.migrations.files.header import Header, parse_header
from crane_infra.migrations.files.names import Order, number_of, order_at, order_of
from crane_infra.migrations.files.split import needs_import


@dataclass(frozen=True)
class MigrationFile:
    """One migration. ``name`` is its path in the folder, as the ledger records it; ``path`` is how errors show it.

    ``number`` is the one that its name begins with, if it does, and that of the baseline for a base schema. ``fault`` is why it could not be
    applied: where, what and what to do. ``blemish`` is what only a file that is new to a database in use should not have.
    """

    number: int | None
    name: str
    path: str
    sha256: str
    statements: tuple[str, ...] = field(repr=False)
    header: Header = field(default_factory=Header)
    fault: Fault | None = None
    blemish: Fault | None = None

    @property
    def needs_import(self) -> bool:
        """Whether D1's query endpoint is known to cut one of its statements, so that the file has to run through D1's import."""
        return any(map(needs_import, self.statements))

    @property
    def order(self) -> Order:
        """The place of the file among the others."""
        number = number_of(self.name)
        return order_of(self.name) if number == self.number or self.number is None else order_at(self.number, self.name)

    def is_after(self, number: int) -> bool:
        """Whether the file comes after the migrations up to ``number``; one without a number comes after all that have one."""
        return self.number is None or self.number > number


@dataclass(frozen=True)
class SchemaFiles:
    """The files of one database: its migrations, the base schema before them, and what its stack allows.

    ``accepted`` maps the name of a file to the lint rules that it may break; ``out_of_order`` allows a file that sorts before the last
    applied one. ``in_use`` False: no version of a worker ever used the database, so nothing depends on what the applied files made.
    ``began_empty``: the database was empty when the run began. ``has_ledger``: a release used it, so one read is enough for its ledger.
    """

    files: tuple[MigrationFile, ...]
    base: MigrationFile | None = None
    accepted: Mapping[str, Collection[str]] = field(default_factory=dict)
    out_of_order: bool = False
    in_use: bool = True
    began_empty: bool = False
    has_ledger: bool = False


def read_migrations(folder: Path, shown_as: str, base: Path | None = None) -> tuple[MigrationFile, ...]:
    """Read the migrations in ``folder``, which errors call ``shown_as``; ``base`` is the base schema, which may lie there too.

    Raises MigrationError as ``find_migrations`` does, and for a name that cannot be printed or a link that leads out of the folder.
    """
    names = find_migrations(folder, shown_as, base).migrations
    return tuple(sorted((_read(folder, name, f"{shown_as}/{name}") for name in names), key=lambda file: file.order))


def read_base(path: Path, shown_as: str, baseline: int) -> MigrationFile:
    """Read a base schema: an empty database gets it instead of the migrations up to number ``baseline``.

    Raises MigrationError where it does not exist or could not be applied.
    """
    if not path.is_file():
        raise MigrationError(shown_as, "the file does not exist", "Create it, or correct the path of the schema in the catalog")
    content = path.read_bytes()
    if fault := blemish(content, shown_as) or content_fault(content, shown_as):
        raise MigrationError(*fault)
    return MigrationFile(baseline, path.name, shown_as, hashlib.sha256(content).hexdigest(), statements_in(content))


def from_empty(files: Sequence[MigrationFile], base: MigrationFile | None) -> tuple[MigrationFile, ...]:
    """Return the files that an empty database gets, in order: the base and the files after it, or all files."""
    if base is None:
        return tuple(files)
    return (base, *(file for file in files if file.is_after(base.number or 0)))


def _read(folder: Path, name: str, shown: str) -> MigrationFile:
    path = folder / name
    if not name.isprintable():
        raise MigrationError(shown, "the name has characters that cannot be printed", "Rename it, for example to 0001_create_users.sql")
    if any(map(Path.is_symlink, (path, *path.parents[: name.count("/")]))) and not path.resolve().is_relative_to(folder.resolve()):
        raise MigrationError(shown, "it is a link to a file outside the folder", "Put the file itself here")
    if not path.is_file():
        raise MigrationError(shown, "it is not a file", "Remove it, or put the migration itself here")
    content = path.read_bytes()
    header, fault = _header(content, shown)
    fault = content_fault(content, shown) or fault
    digest, statements = hashlib.sha256(content).hexdigest(), statements_in(content)
    return MigrationFile(number_of(name), name, shown, digest, statements, header, fault, blemish(content, shown))


def _header(content: bytes, shown: str) -> tuple[Header, Fault | None]:
    try:
        return parse_header(content.decode("utf-8-sig", "replace"), shown), None
    except MigrationError as error:
        return Header(), (error.where, error.what, error.todo)
