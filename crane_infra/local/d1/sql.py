"""Splitting SQL text into its statements, as SQLite itself sees them.

It does not parse: ``sqlite3.complete_statement`` knows strings, comments and trigger bodies. Production's own splitter is worse; its
faults are not imitated here.
"""

from __future__ import annotations

import re
import sqlite3

_NOTHING = re.compile(r"(?:\s|;|--[^\n]*(?:\n|\Z)|/\*.*?(?:\*/|\Z))*\Z", re.DOTALL)


def split(sql: str) -> list[str]:
    """Give the statements in ``sql``, without those that are only comments or white space."""
    statements, start, at = [], 0, sql.find(";")
    while at != -1:
        if sqlite3.complete_statement(sql[start : at + 1]):
            statements.append(sql[start : at + 1])
            start = at + 1
        at = sql.find(";", at + 1)
    statements.append(sql[start:])
    return [text.strip() for text in statements if not _NOTHING.match(text)]
