"""The session's local cloud, and wrangler with its own home folder for each test."""

from pathlib import Path

import pytest

from local_cloud.daemon import Running
from tests.wrangler import Wrangler


@pytest.fixture
def wrangler(cloud: Running, tmp_path: Path) -> Wrangler:
    """Wrangler, logged in to the file's cloud."""
    home = tmp_path / "home"
    home.mkdir()
    return Wrangler(cloud, home)
