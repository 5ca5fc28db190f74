"""What a SQLite file holds, counted as D1 counts it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

ANY_SCHEMA = "PRAGMA writable_schema=ON"
"""SQLite then reads a file whose views it cannot parse: workerd's SQLite is newer than Python's. Nothing is written to the schema."""
COUNT_TABLES = """SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'
AND name NOT LIKE '\\_cf\\_%' ESCAPE '\\'"""


def count_tables(file: Path) -> int:
    """Give the number of tables that D1 shows of a file."""
    with closing(sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro", uri=True)) as reader:
        reader.execute(ANY_SCHEMA)
        return int(reader.execute(COUNT_TABLES).fetchone()[0])
