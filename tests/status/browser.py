"""The page in a real browser: `make look` runs this, because it needs Chromium; the other tests of the page need none.

Each situation is looked at on a desk and on a phone, in light and in dark, and its pictures are kept in the folder ``PICTURES``.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-not-found,import-untyped,unused-ignore]
from playwright.sync_api import Browser, Page, sync_playwright  # type: ignore[import-not-found,unused-ignore]

from crane_infra.status.page import status_page
from tests.status.samples import SITUATIONS, hostile
from tests.status.test_page import HOSTILE

pytestmark = pytest.mark.cloud  # the driver of the browser runs in Node
SCREENS = {"desk": (1100, 900), "phone": (360, 740)}
LOOKS = [(name, screen, scheme) for name in SITUATIONS for screen in SCREENS for scheme in ("light", "dark")]


@pytest.fixture(scope="module")
def pictures() -> Path:
    """Where the pictures are kept."""
    folder = Path(os.environ["PICTURES"])
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """The Chromium of this machine."""
    with sync_playwright() as driver:
        sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []  # Chromium refuses to run as root with one
        started = driver.chromium.launch(executable_path=os.environ["CHROMIUM"], args=sandbox)
        yield started
        started.close()


@pytest.fixture
def page(browser: Browser, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Page]:
    """A situation on a screen; ``request.param`` is its HTML, the name of the screen, and the colour scheme."""
    html, screen, scheme = request.param
    path = tmp_path / "status.html"
    path.write_text(html, encoding="utf-8")
    width, height = SCREENS[screen]
    context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
    opened = context.new_page()
    opened.goto(path.as_uri())
    yield opened
    context.close()


@pytest.mark.parametrize(
    ("page", "name"),
    [((status_page(SITUATIONS[name]()), screen, scheme), f"{name}-{screen}-{scheme}") for name, screen, scheme in LOOKS],
    indirect=["page"],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_situation_fits_its_screen_and_axe_finds_nothing(page: Page, name: str, pictures: Path) -> None:
    page.screenshot(path=pictures / f"{name}.png", full_page=True)
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), "the page scrolls sideways"
    found = Axe().run(page).response["violations"]
    assert [(one["id"], one["nodes"][0]["html"][:120]) for one in found] == []


@pytest.mark.parametrize("page", [("<!DOCTYPE html><title>t</title><img src=x.png>", "desk", "light")], indirect=True, ids=["planted"])
def test_axe_finds_what_is_wrong(page: Page) -> None:
    assert {one["id"] for one in Axe().run(page).response["violations"]} >= {"html-has-lang", "image-alt"}


@pytest.mark.parametrize(
    "page", [(status_page(hostile(text)), "desk", "light") for text in HOSTILE], indirect=True, ids=range(len(HOSTILE))
)
def test_a_hostile_text_runs_nothing_and_asks_for_nothing(page: Page) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.reload()
    assert page.evaluate("window.pwned === undefined")
    assert [url for url in asked if not url.startswith("file:")] == []
    assert page.locator("script, iframe, img, form, object").count() == 0
