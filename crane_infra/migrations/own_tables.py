"""The names of the tables that record the migrations of a database, and how to tell them from the user's tables."""

WRANGLER = "d1_migrations"
"""wrangler's own table: which files were applied."""
OURS = "crane_migrations"
"""Our record of each file: digest, run, start and end."""
ROWS = "crane_rows"
"""Rows counted before and after a file that could lose rows."""
ACCEPTED = "crane_accepted"
"""Accepted differences between the schema and the files."""
TABLES = frozenset({WRANGLER, OURS, ROWS, ACCEPTED})
EDITS = "crane_edits"
"""Edits of applied files that changed no meaning: both digests. Only a database that has accepted some has this table."""
SEEDS = "crane_seeds"
"""Which seeds ran, each with its digest. Only a staging database that has some has this table."""
REFRESHES = "crane_refreshes"
"""Refreshes of a staging database: when one began, had replaced the rows and was complete. Only a database that was refreshed has this table."""
ON_DEMAND = frozenset({EDITS, SEEDS, REFRESHES})
"""The tables of ours that not every database has."""

CREATE = (
    f"""CREATE TABLE IF NOT EXISTS {WRANGLER} (
    id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT UNIQUE, applied_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP NOT NULL)""",
    f"""CREATE TABLE IF NOT EXISTS {OURS} (
    name TEXT PRIMARY KEY NOT NULL, sha256 TEXT NOT NULL, origin TEXT NOT NULL, token TEXT NOT NULL, "release" TEXT NOT NULL,
    bookmark TEXT, started_at TEXT NOT NULL, done_at TEXT)""",
    f"""CREATE TABLE IF NOT EXISTS {ROWS} (
    migration TEXT NOT NULL, counted TEXT NOT NULL, before INTEGER NOT NULL, after INTEGER, PRIMARY KEY (migration, counted))""",
    f"""CREATE TABLE IF NOT EXISTS {ACCEPTED} (
    object TEXT PRIMARY KEY NOT NULL, sql TEXT, after TEXT, accepted_at TEXT NOT NULL)""",
)
"""The statements that create these tables where they do not exist."""
CREATE_EDITS = f"""CREATE TABLE IF NOT EXISTS {EDITS} (
    migration TEXT NOT NULL, was TEXT NOT NULL, became TEXT NOT NULL, accepted_at TEXT NOT NULL, PRIMARY KEY (migration, was))"""

CREATE_SEEDS = f"""CREATE TABLE IF NOT EXISTS {SEEDS} (
    name TEXT PRIMARY KEY NOT NULL, sha256 TEXT NOT NULL, applied_at TEXT NOT NULL)"""

CREATE_REFRESHES = f"""CREATE TABLE IF NOT EXISTS {REFRESHES} (
    token TEXT PRIMARY KEY NOT NULL, began_at TEXT NOT NULL, loaded_at TEXT, done_at TEXT)"""


def is_users(name: str) -> bool:
    """Tell whether a table belongs to the user, not to SQLite, D1 or this record."""
    return not name.lower().startswith(("sqlite_", "_cf_")) and name.lower() not in TABLES | ON_DEMAND
