"""What the runs of workflows left for people to read, and whether it is what it was: comments, compared with files."""

import os
import re
from pathlib import Path

from tests.workflows.place import Place
from tests.workflows.runner import Run

GOLDEN = Path(__file__).parent / "golden"


def well(run: Run, *jobs: str) -> Run:
    """A run in which these jobs succeeded and no other ran."""
    assert {name for name, result in run.results.items() if result == "success"} == set(jobs), run.output
    assert set(run.results.values()) <= {"success", "skipped"}, run.output
    return run


def comment(there: Place, pull: int) -> str:
    """The one comment of crane on a pull request."""
    (found,) = there.hub.comments[pull]
    return str(found["body"])


def golden(name: str, text: str, there: Place) -> None:
    """Compare with a file, but for what is another at each run or with each change of the reference workers."""
    shown = text.replace(str(there.runner.folder), "")
    shown = re.sub(r"/\d\d-preview/preview/work", "<clone>", shown)
    shown = re.sub(r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", "<id>", shown)
    shown = re.sub(r"\b(?=[0-9a-f]*[0-9])[0-9a-f]{8,64}\b", "<digest>", shown)
    shown = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d UTC", "<time>", shown)
    shown = re.sub(r"[\d,]+ bytes", "<n> bytes", shown)
    path = GOLDEN / f"{name}.md"
    if os.environ.get("CRANE_GOLDEN") == "write":
        path.parent.mkdir(exist_ok=True)
        path.write_text(shown, encoding="utf-8")
    assert shown == path.read_text(encoding="utf-8")
