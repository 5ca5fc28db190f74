"""Runs an import that is too large for a request to workerd, whose longest text has 512 MB: statement by statement, on the live file.

It is one transaction, as every import, with foreign keys on and D1's limits and refusals. Memory stays flat. Neither the file nor the log is
held: the digests of the statements are. Its errors are SQLite's, in D1's form.
"""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

import apsw

from local_cloud.d1.query_body import refuse_foreign
from local_cloud.d1.split_sql import split_file
from local_cloud.envelope import Refusal
from local_cloud.faults.log import digest_of

if TYPE_CHECKING:
    import threading
    from pathlib import Path

    from local_cloud.store import Body

LARGE = 32 * 2**20
"""Bytes of the smallest file that goes this way."""
_LONGEST_STATEMENT, _LONGEST_VALUE = 100_000, 2_200_000  # as workerd has them
_BUSY_MILLISECONDS = 30_000
_CACHE_KIB = 65_536
_LIMITS = {
    apsw.SQLITE_LIMIT_LENGTH: _LONGEST_VALUE,
    apsw.SQLITE_LIMIT_COLUMN: 100,
    apsw.SQLITE_LIMIT_EXPR_DEPTH: 100,
    apsw.SQLITE_LIMIT_COMPOUND_SELECT: 5,
    apsw.SQLITE_LIMIT_TRIGGER_DEPTH: 10,
    apsw.SQLITE_LIMIT_VDBE_OP: 25_000,
}
_PRAGMAS = {
    "data_version",
    "defer_foreign_keys",
    "foreign_keys",
    "ignore_check_constraints",
    "legacy_alter_table",
    "optimize",
    "recursive_triggers",
}
_NOT_HERE = {apsw.SQLITE_TRANSACTION, apsw.SQLITE_SAVEPOINT, apsw.SQLITE_ATTACH, apsw.SQLITE_DETACH}


class LargeImportError(Exception):
    """Why an import failed, in D1's words; nothing of it stays."""


@dataclass(frozen=True)
class Imported:
    """The digest of each statement that ran, and the sums of an import's ``meta``."""

    digests: list[bytes]
    meta: Body


def import_large(live: Path, file: Path, stopped: threading.Event) -> Imported:
    """Run the statements of a file on a database that workerd may have open, as one transaction; give up once ``stopped`` is set.

    Raises LargeImportError.
    """
    began, digests = time.monotonic(), list[bytes]()
    with closing(apsw.Connection(str(live))) as db:
        db.set_busy_timeout(_BUSY_MILLISECONDS)
        db.config(apsw.SQLITE_DBCONFIG_ENABLE_FKEY, 1)
        db.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        try:
            db.execute("BEGIN IMMEDIATE")
            changes = db.total_changes()
            _limit(db)
            for statement in split_file(file):
                _require(statement, stopped)
                for _ in db.execute(statement, can_cache=False):
                    pass
                digests.append(digest_of(statement))
            db.authorizer = None
            db.execute("COMMIT")
        except apsw.Error as error:
            raise LargeImportError(_text(error)) from None
        except Refusal as refusal:
            raise LargeImportError(refusal.message) from None
        except UnicodeDecodeError:
            raise LargeImportError("The file is not UTF-8 text") from None
        written = db.total_changes() - changes
        size = int(str(db.execute("SELECT page_count * page_size FROM pragma_page_count, pragma_page_size").get))
        last = db.last_insert_rowid()
    took = (time.monotonic() - began) * 1000
    sums = {"duration": took, "changes": written, "rows_read": written, "rows_written": written}
    return Imported(digests, {**sums, "last_row_id": last, "size_after": size, "changed_db": True})


def _limit(db: apsw.Connection) -> None:
    for limit, value in _LIMITS.items():
        db.limit(limit, value)
    db.authorizer = _authorized


def _authorized(action: int, first: str | None, second: str | None, _database: str | None, _trigger: str | None) -> int:
    is_pragma = action == apsw.SQLITE_PRAGMA and first not in _PRAGMAS
    is_reserved = any((name or "").lower().startswith("_cf_") for name in (first, second)) and action != apsw.SQLITE_READ
    return apsw.SQLITE_DENY if action in _NOT_HERE or is_pragma or is_reserved else apsw.SQLITE_OK


def _require(statement: str, stopped: threading.Event) -> None:
    if stopped.is_set():
        raise LargeImportError("D1 reset before import completed!")
    if len(statement.encode()) > _LONGEST_STATEMENT:
        raise LargeImportError("statement too long: SQLITE_TOOBIG")
    refuse_foreign(statement)


def _text(error: apsw.Error) -> str:
    return f"{error}: {apsw.mapping_result_codes.get(getattr(error, 'result', 1) & 0xFF, 'SQLITE_ERROR')}"
