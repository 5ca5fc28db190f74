"""A stage in a folder of its own."""

from pathlib import Path

import pytest

from tests.report.stage import Stage


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    """A clone whose files nobody has deployed."""
    return Stage(tmp_path)
