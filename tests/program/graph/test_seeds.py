"""A folder of seeds that does not exist holds no seeds, and only a preview of staging says so."""

from pathlib import Path

import pulumi
import pytest

from tests.program.graph.conftest import Declare

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


@pytest.mark.parametrize(("environment", "said"), [("staging", [LINE]), ("production", [])])
def test_a_missing_folder_stops_nothing(
    declare: Declare, monkeypatch: pytest.MonkeyPatch, without_seeds: Path, environment: str, said: list[str]
) -> None:
    lines: list[str] = []
    monkeypatch.setattr(pulumi.log, "info", lambda text, **_: lines.append(text))
    declare(environment, preview=True, workers_dir=str(without_seeds))
    assert [line for line in lines if "seeds" in line] == said
