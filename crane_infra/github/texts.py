"""What commands printed, as Markdown that GitHub accepts: no contents of bundles, no colours, never too long. Pure.

GitHub drops a step summary of more than 1 MiB as a whole, and takes no longer body of a comment or issue than 65,536 characters.
"""

import re
from collections.abc import Mapping
from itertools import groupby

LONGEST_SUMMARY = 1_000_000
"""Bytes; GitHub takes 1,048,576, and writes three asterisks for each secret that it finds."""
LONGEST_BODY = 60_000
"""Bytes of the texts of an issue; GitHub takes 65,536 characters, its title, mark and headings included."""
_ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_CONTENT = re.compile(r"""(contentBase64["']?\s*:\s*)"[^"\n]*"?(?:\s*=>\s*"[^"\n]*"?)*""")
_BEGINNING = 0.75  # of what is shown of a long text


def plain(text: str) -> str:
    """A text without colours, and without the contents of modules that a preview shows."""
    return _CONTENT.sub(r"\1(left out)", _ANSI.sub("", text)).strip("\n").rstrip()


def shortened(text: str, longest: int, whole: str) -> str:
    """A text of at most ``longest`` bytes: the beginning and the end of a longer one; ``whole`` says where the rest is."""
    content = text.encode()
    if len(content) <= longest:
        return text
    note = f"\n… {len(content) - longest:,} of {len(content):,} bytes are left out here. {whole} …\n"
    room = max(longest - len(note.encode()), 0)
    first = int(room * _BEGINNING)
    beginning, end = content[:first].decode(errors="ignore"), content[len(content) - (room - first) :].decode(errors="ignore")
    # Whole lines, where the text has lines.
    beginning, end = beginning.rpartition("\n")[0] or beginning, end.partition("\n")[2] or end
    return f"{beginning}{note}{end}"


def fenced(text: str) -> str:
    """A text as a block of code that it cannot close."""
    fence = "`" * (max([2, *(len(list(run)) for tick, run in groupby(text) if tick == "`")]) + 1)
    return f"{fence}text\n{text or 'no output'}\n{fence}"


def summary(text: str, artifact: str) -> str:
    """A printed text for a step summary; a longer one names the artifact of the run that has the whole."""
    whole = f"The artifact {artifact} of this run has the whole"
    shown = plain(text)
    short = shortened(shown, LONGEST_SUMMARY, whole)
    return f"{fenced(short)}\n" if short == shown else f"This is too long for a summary. {whole}.\n\n{fenced(short)}\n"


def quoted(texts: Mapping[str, str], longest: int = LONGEST_BODY) -> str:
    """The outputs of commands for an issue, each under its name. Where they are too long together, the long ones share what is left."""
    shown = {name: plain(text).strip() for name, text in texts.items()}
    room = _share([len(text.encode()) for text in shown.values()], longest)
    whole = "The artifacts of the run have the whole"
    return "\n\n".join(f"### {name}\n\n{fenced(shortened(text, room, whole))}" for name, text in shown.items())


def _share(sizes: list[int], longest: int) -> int:
    """The most that each text may have, so that all together have at most ``longest``."""
    left, waiting = longest, sorted(sizes)
    for place, size in enumerate(waiting):
        share = left // (len(waiting) - place)
        if size > share:
            return share
        left -= size
    return longest
