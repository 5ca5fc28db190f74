"""Markdown from untrusted texts: names of files, settings, errors. GitHub's flavour.

Every such text stands in code, where GitHub renders no link, image, mention or HTML, and cannot end the cell or block that it stands in.
"""

import re
import unicodedata
from collections.abc import Iterable, Sequence

LONGEST = 400  # characters of one text
_HIDDEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
_ENTITIES = re.compile(r"[^A-Za-z0-9 ]")


def visible(text: str) -> str:
    """The text with invisible characters, and those that reverse the direction of others, written as escapes."""
    return "".join(f"\\u{ord(char):04x}" if unicodedata.category(char) in _HIDDEN else char for char in text)


def shortened(text: str, longest: int = LONGEST) -> str:
    """The text; a longer one is cut and its length added."""
    return text if len(text) <= longest else f"{text[:longest]}… ({len(text)} characters)"


def code(text: str, longest: int = LONGEST) -> str:
    """A text of one line as code, for a sentence or a cell."""
    shown = visible(shortened(text, longest))
    if not shown:
        return "*empty*"
    if "|" in shown or not shown.strip():
        # A pipe ends a cell even in code, and a backslash before it may be one that escapes itself.
        return f"<code>{_ENTITIES.sub(lambda char: f'&#{ord(char[0])};', shown)}</code>"
    ticks = "`" * (max(map(len, re.findall("`+", shown)), default=0) + 1)
    pad = " " if shown[0] in "` " or shown[-1] in "` " else ""
    return f"{ticks}{pad}{shown}{pad}{ticks}"


def block(text: str, language: str = "text") -> str:
    """A text of several lines as a fenced block."""
    lines = [visible(line) for line in re.split("\r?\n", text)]
    ticks = "`" * max(3, *(len(run) + 1 for line in lines for run in re.findall("`+", line)), 3)
    return "\n".join((f"{ticks}{language}", *lines, ticks))


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table. The cells are Markdown."""
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (heads, ["---"] * len(heads), *rows))


def details(summary: str, content: str) -> str:
    """A section to unfold. ``summary`` is HTML, ``content`` is Markdown."""
    return f"<details><summary>{summary}</summary>\n\n{content}\n\n</details>"
