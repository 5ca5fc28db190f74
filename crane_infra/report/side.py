"""What was read for one environment, before anything is compared."""

from collections.abc import Mapping
from dataclasses import dataclass

from crane_infra.config.environments import Environment
from crane_infra.config.settings import Settings
from crane_infra.errors import CraneError, ReportError
from crane_infra.release.outputs import StackOutputs
from crane_infra.release.preview_record import FORMAT, VARIABLE, PreviewRecord
from crane_infra.report.engine import VERSION, Preview
from crane_infra.report.files import Files

_TODO = "Run pulumi preview and this command in the same checkout"


@dataclass(frozen=True)
class Side:
    """One environment: its files, and what is known of the stack.

    ``settings`` are an error where a run would refuse them; ``others`` the databases of the other environments (consistency.neighbours);
    ``outputs`` are the last ones, None where they are unknown; ``preview`` is the engine's, if it was run here, and ``record`` is what the
    program wrote during it: the number of a format that this version cannot read, None where there is none.
    """

    environment: Environment
    settings: Settings | CraneError
    files: Files
    others: Mapping[str, Mapping[str, object]]
    outputs: StackOutputs | None
    preview: Preview | None = None
    record: PreviewRecord | int | None = None

    @property
    def is_known(self) -> bool:
        """Whether there is anything to compare with."""
        return self.outputs is not None

    @property
    def recorded(self) -> PreviewRecord | None:
        """The record of this preview; None where it wrote none, and for one of other files, which an earlier preview left."""
        if self.preview is None or not isinstance(self.record, PreviewRecord):
            return None
        return self.record if self._is_of_these_files(self.record) else None

    @property
    def record_gap(self) -> str | None:
        """What this report does not know for want of a record, in one line; None where nothing is missing."""
        if self.preview is None or self.recorded is not None:
            return None
        why = f"this preview wrote no record ({VARIABLE} was not set)"
        if isinstance(self.record, int):
            why = f"the record of this preview has format {self.record}, and this version of crane reads format {FORMAT}"
        elif self.preview.errors:
            why = "this preview failed before it wrote its record"
        return f"{why}: pending migrations are those since the last release, and adoptions are not listed"

    def require_same_files(self) -> None:
        """Raise ReportError where the preview or its record was made from other files than these."""
        workers = self.files.manifest["workers"]
        for step in self.preview.steps if self.preview else ():
            tag = str(step.part("annotations").get("workersTag") or "") if step.type == VERSION else ""
            if tag and step.name in workers and tag != workers[step.name]["digest"]:
                what = f"the preview is of {tag[:12]}, the files are {workers[step.name]['digest'][:12]}"
                raise ReportError(f"worker {step.name}", what, _TODO)
        # A preview that failed before it wrote its record may have left an older one in place.
        is_whole = self.preview is not None and not self.preview.errors
        if is_whole and isinstance(self.record, PreviewRecord) and not self._is_of_these_files(self.record):
            what = f"is of release {self.record.release[:12]} in {self.record.environment}, the files are {self._digest[:12]}"
            raise ReportError(f"the record of the {self.environment} preview", what, _TODO)

    @property
    def _digest(self) -> str:
        return self.files.release.digest if self.files.release else "not a release"

    def _is_of_these_files(self, record: PreviewRecord) -> bool:
        return (record.environment, record.release) == (self.environment, self._digest)
