"""A finding of lint: where it is, which rule, how severe, what is wrong, and what to do."""

from dataclasses import dataclass
from typing import Literal

from crane_infra.errors import MigrationError

RULES = (
    "rebuilds-referenced-table",
    "drops-referenced-table",
    "replaces-table",
    "deletes-referenced-rows",
    "overwrites-rows",
    "hides-lost-rows",
    "needless-loses-rows",
    "needless-overwrites-rows",
    "contract-not-declared",
    "contract-with-expand",
    "drops-table",
    "drops-column",
    "renames-table",
    "renames-column",
    "changes-type",
    "tightens-constraint",
    "drops-trigger",
    "drops-unique-key",
    "rebuild-loses-objects",
    "exists-otherwise",
    "mixes-columns",
    "reuses-ids",
    "adds-unique-index",
    "adds-not-null-without-default",
    "fails-on-rows",
    "update-or-delete-without-where",
    "long-data-change",
    "ignored-pragma",
    "not-understood",
    "refused-by-d1",
    "writes-ledger",
    "name-becomes-text",
    "leaves-broken",
)
OVERWRITES_ROWS = "overwrites-rows"
LOSES_ROWS = "loses-rows"
"""What only the run itself can find: rows were lost that the file does not declare. A stack can accept it like a rule of lint."""
CANNOT_RUN = "cannot-run"
"""A file that could not be applied as it is written. A stack cannot accept it."""
Level = Literal["error", "warning"]
"""An error stops a run, a warning is only reported."""


@dataclass(frozen=True)
class Finding:
    """One finding. ``statement`` counts from 1; None where the finding is about the whole file."""

    path: str
    statement: int | None
    rule: str
    level: Level
    what: str
    todo: str

    @property
    def where(self) -> str:
        """The file, and the statement if the finding is about one."""
        return self.path if self.statement is None else f"{self.path}, statement {self.statement}"

    def error(self) -> MigrationError:
        """The finding as the refusal of a run."""
        return MigrationError(self.where, self.what, f"{self.todo}. ({self.rule})")

    def __str__(self) -> str:
        """Where, what and what to do, on one line."""
        return str(self.error()).removesuffix(".")
