"""What lint says of a migration: where, which rule, how bad, what is wrong, what to do."""

from dataclasses import dataclass
from typing import Literal

from crane_infra.errors import MigrationError

RULES = (
    "rebuilds-referenced-table",
    "drops-referenced-table",
    "deletes-referenced-rows",
    "needless-loses-rows",
    "contract-not-declared",
    "contract-with-expand",
    "drops-table",
    "drops-column",
    "renames-table",
    "renames-column",
    "changes-type",
    "tightens-constraint",
    "adds-unique-index",
    "adds-not-null-without-default",
    "fails-on-rows",
    "update-or-delete-without-where",
    "long-data-change",
    "ignored-pragma",
    "not-understood",
)
LOSES_ROWS = "loses-rows"
"""What the run itself says: rows went that the file does not speak of. It can be accepted like a rule of lint."""


@dataclass(frozen=True)
class Finding:
    """One thing found. ``statement`` counts from 1; None where it is about the whole file. An error stops a run, a warning is told."""

    path: str
    statement: int | None
    rule: str
    level: Literal["error", "warning"]
    what: str
    todo: str

    @property
    def where(self) -> str:
        """The file, and the statement where it is about one."""
        return self.path if self.statement is None else f"{self.path}, statement {self.statement}"

    def error(self) -> MigrationError:
        """The refusal of a run, in the words of the finding."""
        return MigrationError(self.where, self.what, f"{self.todo}. ({self.rule})")

    def __str__(self) -> str:
        """Say where, what and what to do, in one line."""
        return str(self.error()).removesuffix(".")
