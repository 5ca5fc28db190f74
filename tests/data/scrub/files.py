"""SQLite files with a schema and rows, and what a scrub makes of them."""

from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

import apsw

from crane_infra.config.data_rules import TableRule
from crane_infra.data.scrub.run import ScrubbedTable, ScrubJob, scrub

KEY = "a-key-of-the-tests-32-characters"


def made(path: Path, sql: str) -> Path:
    """A new database file with this content."""
    path.unlink(missing_ok=True)
    with closing(apsw.Connection(str(path))) as db:
        db.execute(sql)
    return path


def rows(path: Path, query: str) -> list[tuple[object, ...]]:
    """What a query of a file returns."""
    with closing(apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)) as db:
        return list(db.execute(query))


def scrubbed(source: Path, rules: Mapping[str, TableRule], key: str = KEY) -> tuple[Path, dict[str, ScrubbedTable]]:
    """The scrubbed copy beside a file, and what became of each table."""
    result = source.with_name("scrubbed.sqlite")
    return result, {table.name: table for table in scrub(source, result, ScrubJob("shop", rules, key))}
