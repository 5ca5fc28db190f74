"""The lines that a run logs before the first resource."""

from collections.abc import Iterable
from typing import NamedTuple

import pulumi


class Line(NamedTuple):
    """One line of the log."""

    text: str
    is_warning: bool = False


def log(lines: Iterable[Line]) -> None:
    """Log the lines in their order."""
    for line in lines:
        (pulumi.log.warn if line.is_warning else pulumi.log.info)(line.text)
