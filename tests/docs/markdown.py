"""What the documents hold: fenced blocks, tables, headings and links, as a Markdown parser sees them."""

import functools
import re
from collections.abc import Iterator
from itertools import pairwise, takewhile
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

from tests.repository import ROOT

README, CHANGELOG = ROOT / "README.md", ROOT / "CHANGELOG.md"
RUNBOOK, LOCAL, SETTINGS, PIPELINE = (ROOT / "docs" / f"{name}.md" for name in ("runbook", "local-cloud", "settings", "pipeline"))
DOCUMENTS = (README, CHANGELOG, ROOT / "workers" / "README.md", *sorted((ROOT / "docs").rglob("*.md")))


@functools.cache
def tokens(path: Path) -> list[Token]:
    """The block tokens of a document, in order."""
    return MarkdownIt("commonmark").enable("table").parse(path.read_text(encoding="utf-8"))


def lines(path: Path, language: str) -> list[str]:
    """The lines in the fenced blocks of a language, without blank ones and comments."""
    stripped = [line.strip() for block in blocks(path, language) for line in block.splitlines()]
    return [line for line in stripped if line and not line.startswith("#")]


def blocks(path: Path, language: str) -> list[str]:
    """The fenced blocks of a language."""
    return [token.content for token in tokens(path) if token.type == "fence" and token.info.strip() == language]


def section(path: Path, heading: str) -> list[Token]:
    """The tokens below a heading, up to the next one, of whatever level."""
    read = tokens(path)
    start = next(
        index for index, (before, token) in enumerate(pairwise(read)) if before.type == "heading_open" and token.content == heading
    )
    return list(takewhile(lambda token: token.type != "heading_open", read[start + 2 :]))


def languages(path: Path) -> set[str]:
    """The languages of all fenced blocks."""
    return {token.info.strip() for token in tokens(path) if token.type == "fence"}


def tables(path: Path) -> list[list[list[str]]]:
    """The tables, each as rows of cells as they are written, its head first."""
    collected = list[list[list[str]]]()
    for before, token in pairwise(tokens(path)):
        if token.type == "table_open":
            collected.append([])
        elif token.type == "tr_open":
            collected[-1].append([])
        elif before.type in {"th_open", "td_open"}:
            collected[-1][-1].append(token.content)
    return collected


def rows(path: Path) -> Iterator[list[str]]:
    """The rows of every table, without the heads."""
    for _, *body in tables(path):
        yield from body


def links(path: Path) -> list[str]:
    """Where the links of a document lead."""
    inner = [child for token in tokens(path) for child in token.children or ()]
    return [str(token.attrs["href"]) for token in inner if token.type == "link_open"]


@functools.cache
def anchors(path: Path) -> set[str]:
    """The names under which a document's headings can be linked to."""
    headings = [after.content for token, after in pairwise(tokens(path)) if token.type == "heading_open"]
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
