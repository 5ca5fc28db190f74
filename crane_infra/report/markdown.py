"""Markdown from texts that nobody trusts: names of files, settings, errors. GitHub's flavour.

Whatever comes from outside stands in code, where GitHub looks for no link, image, mention or HTML. Prevents a file name that mentions a
team, draws an image or ends the table it stands in.
"""

import re
import unicodedata
from collections.abc import Iterable, Sequence

LONGEST = 400  # characters of one text
_HIDDEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
_ENTITIES = re.compile(r"[^A-Za-z0-9 ]")


def visible(text: str) -> str:
    """The text with characters that one cannot see, or that turn the others around, written as escapes."""
    return "".join(f"\\u{ord(one):04x}" if unicodedata.category(one) in _HIDDEN else one for one in text)


def shortened(text: str, longest: int = LONGEST) -> str:
    """The text, or its beginning and how long it is."""
    return text if len(text) <= longest else f"{text[:longest]}… ({len(text)} characters)"


def code(text: str, longest: int = LONGEST) -> str:
    """A text of one line as code, for a sentence or a cell."""
    shown = visible(shortened(text, longest))
    if not shown:
        return "*empty*"
    if "|" in shown or not shown.strip():
        # A pipe ends a cell even in code, and a backslash before it may be one that escapes itself.
        return f"<code>{_ENTITIES.sub(lambda found: f'&#{ord(found[0])};', shown)}</code>"
    ticks = "`" * (max(map(len, re.findall("`+", shown)), default=0) + 1)
    pad = " " if shown[0] in "` " or shown[-1] in "` " else ""
    return f"{ticks}{pad}{shown}{pad}{ticks}"


def block(text: str, language: str = "text") -> str:
    """A text of several lines as a fenced block."""
    lines = [visible(line) for line in re.split("\r?\n", text)]
    ticks = "`" * max(3, *(len(run) + 1 for line in lines for run in re.findall("`+", line)), 3)
    return "\n".join((f"{ticks}{language}", *lines, ticks))


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of cells that are Markdown already."""
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (heads, ["---"] * len(heads), *rows))


def details(summary: str, content: str) -> str:
    """Something to unfold. ``summary`` is HTML, ``content`` Markdown."""
    return f"<details><summary>{summary}</summary>\n\n{content}\n\n</details>"
