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


def is_users(name: str) -> bool:
    """Tell whether a table belongs to the user, not to SQLite, D1 or this record."""
    return not name.lower().startswith(("sqlite_", "_cf_")) and name.lower() not in TABLES
