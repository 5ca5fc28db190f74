"""The schema that migrations make, and the one that a database has: tables, indexes, views and triggers, compared by name and text.

The expected one is made by running the files in SQLite itself. Knows nothing of rows. Prevents a table that was dropped or changed by
hand from going unnoticed because the ledger still looks right.
"""

import difflib
import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import closing

from crane_infra.d1.database import Database
from crane_infra.errors import MigrationError
from crane_infra.migrations.files import MigrationFile
from crane_infra.migrations.ledger import OURS, WRANGLER

Schema = Mapping[str, str]
"""The SQL that made each object, by ``kind name``."""
_READ = "SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL"
_BOOKKEEPING = ("sqlite_", "_cf_", "d1_")


def expected_schema(files: Iterable[MigrationFile]) -> Schema:
    """The schema of an empty database after these files.

    Raises MigrationError that names the file which SQLite refuses.
    """
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as db:
        db.execute("PRAGMA foreign_keys = ON")
        for file in files:
            try:
                db.execute("BEGIN")
                for statement in file.statements:
                    db.execute(statement)
                db.execute("COMMIT")
            except sqlite3.Error as error:
                raise MigrationError(file.path, f"SQLite refuses it: {error}", "Correct the file") from None
        return _schema(db.execute(_READ).fetchall())


async def live_schema(db: Database) -> Schema:
    """The schema that a database has; raises ApiError."""
    rows = await db.read(_READ)
    return _schema((str(row.get("type")), str(row.get("name")), str(row.get("sql"))) for row in rows)


def differences(expected: Schema, live: Schema) -> list[str]:
    """What a person would say of the live schema, one sentence for each object that is not as expected."""
    told = [f"{name} is gone" for name in expected if name not in live]
    told += [f"{name} was added" for name in live if name not in expected]
    return told + [f"{name} was changed" for name, sql in expected.items() if name in live and live[name] != sql]


def difference(expected: Schema, live: Schema) -> str:
    """A unified diff of both schemas, object by object; empty where they are equal."""
    before, after = (_lines(one) for one in (expected, live))
    return "\n".join(difflib.unified_diff(before, after, "as the migrations make it", "as it is", lineterm="", n=1))


def _lines(schema: Schema) -> list[str]:
    return [line for name in sorted(schema) for line in (f"-- {name}", schema[name] + ";")]


def _schema(rows: Iterable[tuple[str, str, str]]) -> Schema:
    ours = {WRANGLER, OURS}
    return {f"{kind} {name}": " ".join(sql.split()) for kind, name, sql in rows if name not in ours and not name.startswith(_BOOKKEEPING)}
