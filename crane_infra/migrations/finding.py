"""What lint says of a migration: where, which rule, how bad, what is wrong, what to do."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Finding:
    """One thing found. ``statement`` counts from 1; None where it is about the whole file. An error stops a run, a warning is told."""

    path: str
    statement: int | None
    rule: str
    level: Literal["error", "warning"]
    what: str
    todo: str

    def __str__(self) -> str:
        """Say where, what and what to do, in one line."""
        at = "" if self.statement is None else f", statement {self.statement}"
        return " ".join(f"{self.path}{at}: {self.what}. {self.todo}. ({self.rule})".split())
