"""docs/status.md shows what the commands say, word for word, and the pictures that the browser took."""

import re

import pytest

from crane_infra.status.history_text import history_text
from crane_infra.status.text import status_text
from tests.docs import markdown
from tests.repository import ROOT
from tests.status import samples

PAGE = ROOT / "docs" / "status.md"


@pytest.mark.parametrize(
    "text",
    [status_text(samples.staging_ahead()), history_text("production", samples.rollback().environments[1].events, [])],
    ids=["status", "history"],
)
def test_the_page_shows_what_the_command_says(text: str) -> None:
    """Where this fails, the command says something else: write it into the page."""
    assert text in [block.rstrip("\n") for block in markdown.blocks(PAGE, "text")]


def test_each_situation_has_its_picture() -> None:
    shown = set(re.findall(r"!\[[^]]+\]\(pictures/([\w-]+)\.png\)", PAGE.read_text(encoding="utf-8")))
    assert shown == {*samples.SITUATIONS, "phone"}
    assert {path.stem for path in (ROOT / "docs" / "pictures").iterdir()} == shown
