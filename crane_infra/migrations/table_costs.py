"""What a pending file does to the rows of one table of a live database, as it was counted there. Data only."""

from typing import NamedTuple


class TableCosts(NamedTuple):
    """The rows of a table, and how many of them each thing concerns that a file does, by what happens to them.

    ``size`` is None for a table with more rows than are counted; the numbers are None then too.
    """

    file: str
    table: str
    size: int | None
    effects: tuple[tuple[str, int | None], ...]
