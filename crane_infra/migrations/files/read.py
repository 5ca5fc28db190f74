"""Reads the migration files of a folder: ``NNNN_name.sql``, in the order of their numbers.

Looks at the files alone, never at a database. Numbers may start anywhere and have gaps. The digest is over the exact bytes: a
change of white space or line ends is a change. A last statement without its ``;`` is refused rather than completed, because a file
cut short (``DELETE FROM t`` of ``DELETE FROM t WHERE …``) looks just the same.
"""

import hashlib
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from crane_infra.errors import MigrationError
from crane_infra.migrations.files import split
from crane_infra.migrations.files.header import Header, parse_header

_NAME = re.compile(r"([0-9]+)_.+\.sql", re.DOTALL)
_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class MigrationFile:
    """One migration. ``name`` is the file's name, as the ledger holds it; ``path`` is how errors show it."""

    number: int
    name: str
    path: str
    sha256: str
    statements: tuple[str, ...] = field(repr=False)
    header: Header = field(default_factory=Header)

    @property
    def needs_import(self) -> bool:
        """Whether D1's query endpoint may cut a statement at a ``;`` inside of it, so that the file has to go through import."""
        return any(map(split.is_split_wrongly, self.statements))


@dataclass(frozen=True)
class SchemaFiles:
    """What one database is to hold: its migrations, the base schema under them, and what its stack allows them.

    ``accepted`` are rules of lint by the name of the file that may break them; ``out_of_order`` allows one before the last applied.
    """

    files: tuple[MigrationFile, ...]
    base: MigrationFile | None = None
    accepted: Mapping[str, Collection[str]] = field(default_factory=dict)
    out_of_order: bool = False


def read_migrations(folder: Path, shown_as: str) -> tuple[MigrationFile, ...]:
    """Read the migrations below ``folder``, which errors call ``shown_as``. Other files than ``.sql`` are left alone.

    Raises MigrationError, naming the file, for whatever cannot become one ordered list of complete statements, and for a
    missing folder.
    """
    if not folder.is_dir():
        raise MigrationError(shown_as, "there is no such folder", "Create it, or correct the path of the migrations in the catalog")
    paths = [path for path in folder.iterdir() if path.suffix.lower() == ".sql" or path.name.lower() == ".sql"]
    files = sorted((_read(path, f"{shown_as}/{path.name}") for path in paths), key=lambda file: (file.number, file.name))
    refuse_duplicates(files)
    return tuple(files)


def read_base(path: Path, shown_as: str, baseline: int) -> MigrationFile:
    """Read a base schema: what an empty database gets before the migrations after number ``baseline``, whose work it contains.

    Raises MigrationError as ``read_migrations`` does.
    """
    if not path.is_file():
        raise MigrationError(shown_as, "there is no such file", "Create it, or correct the path of the schema in the catalog")
    content = _content(path, shown_as)
    return MigrationFile(
        baseline, path.name, shown_as, hashlib.sha256(content).hexdigest(), _statements(_text(content, shown_as), shown_as)
    )


def from_empty(files: Sequence[MigrationFile], base: MigrationFile | None) -> tuple[MigrationFile, ...]:
    """Return what an empty database gets, in order: the base and the files after it, or all files."""
    return (base, *(file for file in files if file.number > base.number)) if base else tuple(files)


def number_of(name: str) -> int | None:
    """Return the number of a migration's name; None where it has none."""
    found = _NAME.fullmatch(name)
    return int(found[1]) if found else None


def refuse_duplicates(files: Iterable[MigrationFile]) -> None:
    """Raise MigrationError where two files have one number."""
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
        raise MigrationError(shown, "the name is not of the form NNNN_name.sql", "Rename it, for example 0001_create_users.sql")
    return number


def _content(path: Path, shown: str) -> bytes:
    if not path.resolve().is_relative_to(path.parent.resolve()):
        raise MigrationError(shown, "a link that leads out of the folder", "Put the file itself here")
    if not path.is_file():
        raise MigrationError(shown, "not a file", "Only files may end in .sql here")
    content = path.read_bytes()
    if not content.strip():
        raise MigrationError(shown, "the file is empty", "Write the migration, or delete the file; a comment alone will do")
    return content


def _text(content: bytes, shown: str) -> str:
    if content.startswith(_BOM):
        raise MigrationError(shown, "the file starts with a byte order mark", "Save it as UTF-8 without a byte order mark")
    if b"\0" in content:
        raise MigrationError(shown, f"a NUL byte at offset {content.index(0)}", "Save it as plain UTF-8 text")
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise MigrationError(shown, f"not UTF-8 at offset {error.start}", "Save it as UTF-8") from None


def _statements(text: str, shown: str) -> tuple[str, ...]:
    statements, rest = split.split(text)
    for statement in (*statements, rest):
        if found := split.fault(statement):
            raise MigrationError(shown, *found)
    if rest:
        raise MigrationError(
            shown, f"the last statement is not finished ({split.shorten(rest)})", "End it with a semicolon, once it is complete"
        )
    return statements
