"""A small clone for each test."""

from pathlib import Path

import pytest

from tests.report.stage import Stage


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    """A clone whose files are not deployed yet."""
    return Stage(tmp_path)
