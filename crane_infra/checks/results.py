"""How each check of a release ended, as lines and as JSON. It holds nothing of an answer but its status. Pure."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class CheckResult:
    """How one check of a worker ended: what the catalog expects, and what came as a number alone."""

    worker: str
    check: str
    passed: bool
    expected: str
    came: str

    @property
    def line(self) -> str:
        """The result in one line."""
        ended = "passed" if self.passed else f"failed: expected {self.expected}; came: {self.came}"
        return f"{self.worker}: check {self.check}: {ended}"


@dataclass(frozen=True)
class Checked:
    """The checks of a release on copies of its databases. ``not_run`` is why none ran; ``notes`` are what was different from the real place.

    ``lacking``: that none ran leaves a question open, which a rehearsal has to answer where production demands one.
    """

    results: tuple[CheckResult, ...] = ()
    notes: tuple[str, ...] = ()
    not_run: str = ""
    lacking: bool = False

    @property
    def failed(self) -> Sequence[CheckResult]:
        """The checks that failed."""
        return [result for result in self.results if not result.passed]

    @property
    def passes(self) -> bool:
        """Whether no check failed."""
        return not self.failed

    @property
    def summary(self) -> str:
        """All of it in one line."""
        if self.not_run:
            return f"the checks of the release were not run: {self.not_run}"
        passed = len(self.results) - len(self.failed)
        return f"checks of the release on the local cloud: {passed} of {len(self.results)} passed"


def checked_lines(checked: Checked) -> list[str]:
    """How the checks ended, one line each."""
    return [checked.summary, *(f"  {line}" for line in (*(result.line for result in checked.results), *checked.notes))]


def checked_as_json(checked: Checked) -> dict[str, Any]:
    """The same as ``checked_lines``."""
    return {
        "ran": not checked.not_run,
        "why_not": checked.not_run or None,
        "passes": checked.passes,
        "results": [asdict(result) for result in checked.results],
        "notes": list(checked.notes),
    }
