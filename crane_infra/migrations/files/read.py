"""Reads the migration files of a folder: ``NNNN_name.sql``, in the order of their numbers.

Reads files only, never a database. Numbers may start anywhere and have gaps. The digest covers the exact bytes, so a changed space or line
ending is a change. A last statement without its ``;`` is refused, because a file cut short looks the same (``DELETE FROM t`` of
``DELETE FROM t WHERE …``).
"""

import hashlib
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from crane_infra.errors import MigrationError
from crane_infra.migrations.files.header import Header, parse_header
from crane_infra.migrations.files.split import fault_of, may_be_cut, shorten, split_statements

_NAME = re.compile(r"([0-9]+)_.+\.sql", re.DOTALL)
_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class MigrationFile:
    """One migration. ``name`` is the file's name, as the ledger records it; ``path`` is how errors show it."""

    number: int
    name: str
    path: str
    sha256: str
    statements: tuple[str, ...] = field(repr=False)
    header: Header = field(default_factory=Header)

    @property
    def needs_import(self) -> bool:
        """Whether D1's query endpoint may cut a statement at a ``;`` inside it, so that the file has to run through D1's import."""
        return any(map(may_be_cut, self.statements))


@dataclass(frozen=True)
class SchemaFiles:
    """The files of one database: its migrations, the base schema before them, and what its stack allows.

    ``accepted`` maps the name of a file to the lint rules that it may break; ``out_of_order`` allows a file that sorts before the last
    applied one.
    """

    files: tuple[MigrationFile, ...]
    base: MigrationFile | None = None
    accepted: Mapping[str, Collection[str]] = field(default_factory=dict)
    out_of_order: bool = False


def read_migrations(folder: Path, shown_as: str) -> tuple[MigrationFile, ...]:
    """Read the migrations in ``folder``, which errors call ``shown_as``. Files other than ``.sql`` are ignored.

    Raises MigrationError that names the file where they are not one ordered list of complete statements, and for a missing folder.
    """
    if not folder.is_dir():
        raise MigrationError(shown_as, "the folder does not exist", "Create it, or correct the path of the migrations in the catalog")
    paths = [path for path in folder.iterdir() if path.suffix.lower() == ".sql" or path.name.lower() == ".sql"]
    files = sorted((_read(path, f"{shown_as}/{path.name}") for path in paths), key=lambda file: (file.number, file.name))
    refuse_duplicates(files)
    return tuple(files)


def read_base(path: Path, shown_as: str, baseline: int) -> MigrationFile:
    """Read a base schema: an empty database gets it instead of the migrations up to number ``baseline``.

    Raises MigrationError as ``read_migrations`` does.
    """
    if not path.is_file():
        raise MigrationError(shown_as, "the file does not exist", "Create it, or correct the path of the schema in the catalog")
    content = _content(path, shown_as)
    return MigrationFile(
        baseline, path.name, shown_as, hashlib.sha256(content).hexdigest(), _statements(_text(content, shown_as), shown_as)
    )


def from_empty(files: Sequence[MigrationFile], base: MigrationFile | None) -> tuple[MigrationFile, ...]:
    """Return the files that an empty database gets, in order: the base and the files after it, or all files."""
    return (base, *(file for file in files if file.number > base.number)) if base else tuple(files)


def number_of(name: str) -> int | None:
    """Return the number in a migration's name; None where there is none."""
    match = _NAME.fullmatch(name)
    return int(match[1]) if match else None


def refuse_duplicates(files: Iterable[MigrationFile]) -> None:
    """Raise MigrationError where two files have the same number."""
    seen: dict[int, MigrationFile] = {}
    for file in files:
        other = seen.setdefault(file.number, file)
        if other is not file:
            raise MigrationError(
                file.path, f"the number {file.number} is taken by {other.name}", "Give the newer file the next free number"
            )


def _read(path: Path, shown: str) -> MigrationFile:
    number = _number(path, shown)
    content = _content(path, shown)
    text = _text(content, shown)
    statements = _statements(text, shown)
    return MigrationFile(number, path.name, shown, hashlib.sha256(content).hexdigest(), statements, parse_header(text, shown))


def _number(path: Path, shown: str) -> int:
    number = number_of(path.name)
    if number is None or not path.name.isprintable():
        raise MigrationError(shown, "the name is not of the form NNNN_name.sql", "Rename it, for example to 0001_create_users.sql")
    return number


def _content(path: Path, shown: str) -> bytes:
    if not path.resolve().is_relative_to(path.parent.resolve()):
        raise MigrationError(shown, "it is a link to a file outside the folder", "Put the file itself here")
    if not path.is_file():
        raise MigrationError(shown, "it is not a file", "Rename it: only migration files may have names that end in .sql here")
    content = path.read_bytes()
    if not content.strip():
        raise MigrationError(shown, "the file is empty", "Write the migration, or delete the file; a comment alone is enough")
    return content


def _text(content: bytes, shown: str) -> str:
    if content.startswith(_BOM):
        raise MigrationError(shown, "the file starts with a byte order mark", "Save it as UTF-8 without a byte order mark")
    if b"\0" in content:
        raise MigrationError(shown, f"it has a NUL byte at offset {content.index(0)}", "Save it as plain UTF-8 text")
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise MigrationError(shown, f"it is not valid UTF-8 at offset {error.start}", "Save it as UTF-8") from None


def _statements(text: str, shown: str) -> tuple[str, ...]:
    statements, rest = split_statements(text)
    for statement in (*statements, rest):
        if fault := fault_of(statement):
            raise MigrationError(shown, *fault)
    if rest:
        raise MigrationError(shown, f"the last statement is incomplete ({shorten(rest)})", "Complete it and end it with a semicolon")
    return statements
