"""How far a copy is, on a terminal: one line that is written over."""

from collections.abc import Callable
from typing import TextIO

from crane_infra.counted import counted
from crane_infra.data.copy import Progress


def shown_on(stream: TextIO) -> Callable[[Progress], None]:
    """Somebody who is told about the progress of a copy. Where nobody looks at the stream, nothing is written."""
    if not stream.isatty():
        return lambda _: None

    def show(progress: Progress) -> None:
        shown = f"{progress.rows:,} of at most {counted(progress.of, 'row')}" if progress.of else counted(progress.rows, "row")
        stream.write(f"\r\x1b[K{progress.table}: {shown}")
        if progress.rows >= progress.of:
            stream.write("\r\x1b[K")
        stream.flush()

    return show
