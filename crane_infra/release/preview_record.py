"""What a preview writes down for programs to read: pending migrations, adoptions and refusals, as JSON in a file of its own.

The program writes it where ``CRANE_PREVIEW_RECORD`` names a file; ``crane preview-report`` reads it. The lines that a preview logs are for
people: nothing parses them. See docs/decisions/0021.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal

from pydantic import ValidationError
from pydantic_core import from_json

from crane_infra.config.environments import Environment
from crane_infra.errors import ReportError
from crane_infra.frozen import Frozen, first_fault

VARIABLE = "CRANE_PREVIEW_RECORD"
FORMAT = 3
Redact = Callable[[str], str]


class RecordedCosts(Frozen):
    """What a pending file does to the rows of one table, as the preview counted it: the number of rows by what happens to them.

    ``size`` is that of the table, None where it has too many rows to count them; the numbers are None then too.
    """

    file: str
    table: str
    size: int | None
    effects: tuple[tuple[str, int | None], ...]

    def redacted(self, redact: Redact) -> "RecordedCosts":
        """The same, with ``redact`` applied to what happens: it may quote a condition."""
        return self.model_copy(update={"effects": tuple((redact(what), rows) for what, rows in self.effects)})


class RecordedDatabase(Frozen):
    """One database by its ledger: the files that are pending, and those whose rows are imported from wrangler. Both in the files' order.

    ``in_use`` False: no release has it yet, so lint judges its files as those of a first update.
    """

    pending: tuple[str, ...] = ()
    imports: tuple[str, ...] = ()
    in_use: bool = True
    costs: tuple[RecordedCosts, ...] = ()

    def redacted(self, redact: Redact) -> "RecordedDatabase":
        """The same, with redacted costs."""
        return self.model_copy(update={"costs": tuple(each.redacted(redact) for each in self.costs)})


class RecordedAdoption(Frozen):
    """One worker or database that the run adopts, by its name in the account, and what that changes, each in a few words."""

    kind: Literal["worker", "database"]
    name: str
    changes: tuple[str, ...]

    def __str__(self) -> str:
        """Say it in one line, as logs and comments show it."""
        return f"adopts {self.kind} {self.name}: {'; '.join(self.changes)}"


class PreviewRecord(Frozen):
    """One preview of one release (its full digest) in one environment."""

    format: int = FORMAT
    environment: Environment
    release: str
    databases: Mapping[str, RecordedDatabase] | None
    """By name in the catalog. None where the ledgers could not be read; empty for a rollback, which applies nothing."""
    adoptions: tuple[RecordedAdoption, ...] = ()
    refusals: tuple[str, ...] = ()
    """What an update would refuse although the preview goes on, except for the production gate, which the report asks itself."""
    logged: tuple[str, ...] = ()
    """The lines that the preview logged about all of this, so that a reader of its log does not repeat them."""

    def redacted(self, redact: Redact) -> "PreviewRecord":
        """The same, with ``redact`` applied to every text that may quote the account or an error.

        Names of files and databases stay: they stand in the repository, and a report compares them.
        """
        adoptions = (
            adoption.model_copy(update={"name": redact(adoption.name), "changes": tuple(map(redact, adoption.changes))})
            for adoption in self.adoptions
        )
        refusals, logged = tuple(map(redact, self.refusals)), tuple(map(redact, self.logged))
        databases = None if self.databases is None else {name: database.redacted(redact) for name, database in self.databases.items()}
        return self.model_copy(update={"databases": databases, "adoptions": tuple(adoptions), "refusals": refusals, "logged": logged})


def write_record(record: PreviewRecord, path: Path, redact: Redact) -> None:
    """Write the record without secrets. Raises ReportError where the file cannot be written."""
    try:
        path.write_text(record.redacted(redact).model_dump_json(indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise ReportError(f"{VARIABLE} {path}", f"cannot be written ({error.strerror})", "Name a file in a folder that exists") from None


def parse_record(text: str, where: str) -> PreviewRecord | int:
    """Read a record; ``where`` is how errors name it. Returns the number of the format where it is not the one that this version reads.

    Raises ReportError where the text is not a record.
    """
    todo = f"Let pulumi preview write it: set {VARIABLE} to the file"
    try:
        content = from_json(text)
    except ValueError:
        raise ReportError(where, "is not JSON", todo) from None
    number = content.get("format") if isinstance(content, dict) else None
    if isinstance(number, int) and number != FORMAT:
        return number
    try:
        return PreviewRecord.model_validate(content)
    except ValidationError as error:
        path, fault = first_fault(error)
        raise ReportError(
            where, f"is not the record of a preview ({path}: {fault})" if path else "is not the record of a preview", todo
        ) from None
