"""What a run of staging says of its seeds, and that its schema step runs where rows are gone although no file changed.

A folder of seeds that does not exist holds no seeds, and only a preview of staging says so.
"""

from pathlib import Path
from typing import Any

import pulumi
import pytest

from crane_infra.migrations.unfinished_refresh import AGAIN
from tests.program.graph.account import Account
from tests.program.graph.conftest import Declare, Declared, recorded

STAGING = "organization/crane-infra/staging"
SEEDED, SEEDLESS = "crane-context-db", "crane-classifier-db"
LINE = "crane-context/seeds: the folder does not exist, so crane-context-db-staging gets no seeds"


@pytest.fixture
def without_seeds(tmp_path: Path) -> Path:
    """Workers as a team has them that never wrote a seed."""
    for worker in ("crane-context", "crane-classifier"):
        (tmp_path / worker / "dist").mkdir(parents=True)
        (tmp_path / worker / "dist" / "index.js").write_text("export default {}", encoding="utf-8")
        (tmp_path / worker / "migrations").mkdir()
        (tmp_path / worker / "migrations" / "0001_first.sql").write_text("CREATE TABLE t (x);", encoding="utf-8")
    return tmp_path


@pytest.fixture
def logged(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What a run logs."""
    lines: list[str] = []
    for level in ("info", "warn"):
        monkeypatch.setattr(pulumi.log, level, lambda text, **_: lines.append(text))
    return lines


@pytest.mark.parametrize(("environment", "said"), [("staging", [LINE]), ("production", [])])
def test_a_missing_folder_stops_nothing(
    declare: Declare, logged: list[str], without_seeds: Path, environment: str, said: list[str]
) -> None:
    declare(environment, preview=True, workers_dir=str(without_seeds))
    assert [line for line in logged if "seeds" in line] == said


def due(declared: Declared) -> dict[str, str | None]:
    """When seeds of each database were due, as its schema step has it."""
    stashes = declared.of("Stash")
    return {name: stashes[f"{name}-schema"]["input"].get("seeds-due") for name in (SEEDED, SEEDLESS)}


class TestRowsThatAreGone:
    """The files are those of the last run, so without a mark the engine would call the schema step unchanged."""

    @pytest.fixture
    def outputs(self, declare: Declare, account: Account) -> dict[str, Any]:
        """What staging exports once its seeds had to run again; its first run had new files, and needed no mark."""
        first = declare("staging")
        account.remember(recorded(first))
        account.seeds.clear()
        marks, outputs = self.again(declare, recorded(first))
        assert marks[SEEDED]
        assert marks[SEEDLESS] is None
        account.remember(outputs)
        return outputs

    def again(self, declare: Declare, outputs: dict[str, Any], *, preview: bool = False) -> tuple[dict[str, str | None], dict[str, Any]]:
        declared = declare("staging", {STAGING: outputs}, preview=preview)
        return due(declared), recorded(declared)

    @pytest.mark.parametrize("preview", [False, True])
    def test_are_none_where_all_seeds_ran_and_the_mark_stays(
        self, declare: Declare, outputs: dict[str, Any], logged: list[str], *, preview: bool
    ) -> None:
        logged.clear()
        marks, exported = self.again(declare, outputs, preview=preview)
        assert marks == {SEEDED: outputs["seeds-due"][SEEDED], SEEDLESS: None}
        assert exported["seeds-due"] == outputs["seeds-due"]
        assert [line for line in logged if "seed" in line] == []

    @pytest.mark.parametrize("preview", [False, True])
    def test_make_the_step_run_after_a_restore_and_are_on_record(
        self, declare: Declare, account: Account, outputs: dict[str, Any], *, preview: bool
    ) -> None:
        before = outputs["seeds-due"][SEEDED]
        account.seeds.clear()
        marks, exported = self.again(declare, outputs, preview=preview)
        assert marks[SEEDED] not in {None, before}
        assert exported["seeds-due"] == {SEEDED: marks[SEEDED]}

    def test_make_no_step_run_where_migrations_are_pending(self, declare: Declare) -> None:
        """New files make it run by themselves, and a database that was restored is to be refused before anything is applied to it."""
        assert due(declare("staging")) == {SEEDED: None, SEEDLESS: None}

    def test_make_the_step_of_a_database_without_seeds_run_to_complete_a_refresh(
        self, declare: Declare, account: Account, outputs: dict[str, Any], logged: list[str]
    ) -> None:
        ids = {name: one["id"] for name, one in outputs["environment"]["databases"].items()}
        account.refreshes = {ids[SEEDED]: ("2026-11-29T01", None), ids[SEEDLESS]: ("2026-11-29T02", "2026-11-29T03")}
        marks, _ = self.again(declare, outputs)
        assert marks[SEEDED] == outputs["seeds-due"][SEEDED]
        assert marks[SEEDLESS]
        as_before, replaced = [line for line in logged if "refresh that" in line]
        began = f"{SEEDED}-staging: the refresh that began at 2026-11-29T01"
        assert as_before == f"{began} is not complete: all rows are still those of before it. {AGAIN}."
        assert replaced.startswith(
            f"{SEEDLESS}-staging: the refresh that began at 2026-11-29T02 is not complete: all rows are replaced, and "
        )
        assert "This update runs the missing seeds and completes it" in replaced
