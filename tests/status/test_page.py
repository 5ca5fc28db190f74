"""The page stands alone, says what the text says, and is inert whatever others put into it. `make look` shows it to a browser."""

import re
from html.parser import HTMLParser
from itertools import pairwise

import pytest

from crane_infra.status.history_text import history_text
from crane_infra.status.model import Status
from crane_infra.status.page import MOST_EVENTS, headline, status_page, timelines
from crane_infra.status.text import status_text
from tests.status import samples
from tests.status.samples import CONTRACT, NEW, SITUATIONS, hostile, update

HOSTILE = (
    "<script>window.pwned = 1</script>",
    '"><img src=x onerror="window.pwned = 1">',
    "'><svg/onload=window.pwned=1>",
    "{{ 7 * 7 }}{% raw %}",
    "</title></style><iframe src=https://evil.example>",
    "\x1b]0;title\x07\x1b[2J\x1b[31mred",
    "a\nb\r\nc\u202egnp.exe\u2066",
    "[click](javascript:alert(1)) `code` |cell| <!-- -->",
    "\x00\x7f\x9b31m\ud800",
)
VOID = {"meta", "br"}
ALLOWED = {
    *(
        "html",
        "head",
        "meta",
        "title",
        "style",
        "body",
        "header",
        "main",
        "section",
        "article",
        "div",
        "h1",
        "h2",
        "h3",
        "p",
        "span",
        "ul",
        "li",
    ),
    *("dl", "dt", "dd", "strong", "code", "a", "table", "caption", "thead", "tbody", "tr", "th", "td", "br", "svg", "g", "path", "circle"),
}


class Structure(HTMLParser):
    """The elements of a page: which there are, how deep headings go, which ids and references, and the text without styles."""

    def __init__(self, page: str) -> None:
        """Read the page."""
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.open: list[str] = []
        self.text: list[str] = []
        self.unbalanced: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.unbalanced.append(tag)

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.text.append(data)

    def values(self, attribute: str) -> list[str]:
        """All values of an attribute."""
        return [value for _, name, value in self.attributes if name == attribute]


@pytest.fixture(params=SITUATIONS)
def situation(request: pytest.FixtureRequest) -> Status:
    """Each situation in its turn."""
    return SITUATIONS[request.param]()


def test_a_page_needs_nothing_from_anywhere(situation: Status) -> None:
    structure = Structure(status_page(situation))
    assert set(structure.tags) <= ALLOWED
    assert [name for _, name, _ in structure.attributes if name in ("src", "style") or name.startswith("on")] == []
    assert "default-src 'none'; style-src 'unsafe-inline'" in structure.values("content")
    assert "url(" not in status_page(situation)


def test_a_page_is_well_formed_and_can_be_read_aloud(situation: Status) -> None:
    structure = Structure(status_page(situation))
    assert (structure.unbalanced, structure.open) == ([], [])
    assert structure.values("lang") == ["en"]
    ids = structure.values("id")
    assert len(ids) == len(set(ids))
    assert set(structure.values("aria-labelledby")) <= set(ids)
    levels = [int(tag[1]) for tag in structure.tags if re.fullmatch(r"h[1-6]", tag)]
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    pictures = [value for tag, name, value in structure.attributes if tag == "svg" and name in ("aria-label", "aria-hidden")]
    assert len(pictures) == structure.tags.count("svg")
    assert structure.values("scope") == ["col"] * structure.tags.count("th")


def test_a_page_says_what_the_text_says(situation: Status) -> None:
    shown = " ".join("".join(Structure(status_page(situation)).text).split())
    for environment in situation.environments:
        for line in (*environment.problems, *environment.unseen, *environment.notes):
            assert line in shown
            assert line in status_text(situation)
        assert environment.release
        assert environment.release.digest[:12] in shown
    assert situation.promotion.verdict in shown


def test_each_situation_has_its_headline_and_its_mark() -> None:
    assert [headline(make()) for make in SITUATIONS.values()] == [
        "All is as the stacks say.",
        "All is as the stacks say.",
        "2 things to look at.",
        "1 thing to look at.",
        "1 thing to look at.",
    ]
    shapes = {name: {mark.shape for line in timelines(make()) for mark in line.marks} - {"dot"} for name, make in SITUATIONS.items()}
    assert shapes == {
        "all-well": set(),
        "staging-ahead": set(),
        "failed-release": {"burst"},
        "manual-deployment": {"diamond"},
        "rollback": {"back", "cross"},
    }
    assert f"{CONTRACT} (contract)" in status_page(samples.staging_ahead())


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_text_adds_no_element_no_attribute_and_no_control_character(text: str) -> None:
    page, plain = status_page(hostile(text)), status_page(hostile("harmless"))
    assert Structure(page).tags == Structure(plain).tags
    assert {(tag, name) for tag, name, _ in Structure(page).attributes} == {(tag, name) for tag, name, _ in Structure(plain).attributes}
    assert [char for char in page if not char.isprintable() and char != "\n"] == []


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_text_is_one_harmless_line_in_a_terminal(text: str) -> None:
    shown, plain = status_text(hostile(text)), status_text(hostile("harmless"))
    assert [char for char in shown if not char.isprintable() and char != "\n"] == []
    assert shown.count("\n") == plain.count("\n")
    events = hostile(text).environments[0].events
    assert [char for char in history_text("staging", events, [text]) if not char.isprintable() and char != "\n"] == []


def test_only_an_address_of_a_run_becomes_a_link() -> None:
    links = [value for tag, name, value in Structure(status_page(samples.all_well())).attributes if (tag, name) == ("a", "href")]
    assert links
    assert all(link.startswith("https://") for link in links)


def test_a_long_history_is_cut_on_the_page_and_says_so() -> None:
    many = samples.records("staging", [update(number / 100, NEW) for number in range(5000)], [samples.proof(1, NEW, "staging")])
    well = samples.all_well()
    page = status_page(Status(well.at, (samples.environment("staging", NEW, many), well.environments[1]), well.promotion))
    left_out = len(samples.environment("staging", NEW, many).events) - MOST_EVENTS
    assert f"{left_out} older events are left out: crane history -s staging shows them" in page
    assert len(page) < 100_000
