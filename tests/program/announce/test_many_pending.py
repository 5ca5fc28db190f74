"""A preview of many pending files is short on the real engine, too, which repeats the first line of each message."""

from collections.abc import Iterator

import pytest

from tests.world.copies import fresh_world
from tests.world.world import World

pytestmark = [pytest.mark.engine, pytest.mark.cloud]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Both stacks, and nothing deployed."""
    with fresh_world(tmp_path_factory) as made:
        yield made


def test_a_preview_of_five_hundred_pending_files_has_forty_lines_at_most(world: World) -> None:
    folder = world.workers / "crane-context" / "migrations"
    for number in range(5, 501):
        (folder / f"{number:04}_more.sql").write_text(f"CREATE TABLE more_{number} (x TEXT);\n", encoding="utf-8")
    shown = world.engine.run("preview", "--stack", "staging", "--suppress-progress")
    assert shown.exit == 0, shown.output
    lines = [line.strip() for line in shown.output.splitlines() if line.strip() and not line.startswith("@ ")]
    assert len(lines) <= 40, shown.output
    summed_up = "crane-context-db-staging: 500 files, 0001_create_sessions.sql to 0500_more.sql are pending: 500 expand"
    assert lines.count(summed_up) == 1
    assert [line for line in lines if "0002_index_deliveries_by_time.sql" in line] == [
        line for line in lines if line.startswith("crane-classifier-db-staging: pending 0002_index_deliveries_by_time.sql (expand, ")
    ]
    assert len([line for line in lines if "0002_index_deliveries_by_time.sql" in line]) == 1
