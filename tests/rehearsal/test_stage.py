"""A step of a rehearsal whose checks have to fail is about the answer, not about how fast the machine is."""

from collections.abc import Callable
from pathlib import Path

import pytest

from crane_infra import catalog
from crane_infra.errors import RehearsalError
from crane_infra.rehearsal.project import config
from crane_infra.rehearsal.stage import PATIENCE, Stage
from tests.repository import ROOT

LATE, ANSWERED = "did not pass within 3 s: the last wrong answer was none, TimeoutError", "the last wrong answer was status 500"


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    """One whose staging has a setting."""
    (tmp_path / "Pulumi.staging.yaml").write_text("config:\n  crane-infra:account-id: a\n", encoding="utf-8")
    return Stage(ROOT, tmp_path, catalog.crane())


def refusing(stage: Stage, errors: list[str], waited: list[int]) -> Callable[..., str]:
    """Updates that end with these errors, one after the other; ``waited`` gets the deadline that each of them had."""

    def up_refused(*_: object) -> str:
        waited.append(config(stage.project, "staging")["crane-infra:check-deadline-seconds"])
        return errors.pop(0)

    return up_refused


@pytest.mark.parametrize("late", range(len(PATIENCE)))
def test_where_no_answer_came_in_time_it_has_more_time(late: int, stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    waited = list[int]()
    monkeypatch.setattr(stage, "up_refused", refusing(stage, [LATE] * late + [ANSWERED], waited))
    assert stage.up_refused_by_checks("staging", "status 500") == ANSWERED
    assert waited == list(PATIENCE[: late + 1])
    assert config(stage.project, "staging") == {"crane-infra:account-id": "a"}


def test_another_failure_is_told(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stage, "up_refused", refusing(stage, [LATE] * len(PATIENCE), []))
    with pytest.raises(RehearsalError, match="expected 'status 500' in the error, got: did not pass within 3 s"):
        stage.up_refused_by_checks("staging", "status 500")
    assert config(stage.project, "staging") == {"crane-infra:account-id": "a"}
