"""The names of the tables that keep account of the migrations of a database, and how they are told from the user's own."""

WRANGLER = "d1_migrations"
"""wrangler's own table: which files were applied."""
OURS = "crane_migrations"
"""What we know of each file besides: digest, run, start and end."""
ROWS = "crane_rows"
"""Rows counted before and after a file that could lose some."""
ACCEPTED = "crane_accepted"
"""What of the schema is not as the files make it, and is meant."""
TABLES = frozenset({WRANGLER, OURS, ROWS, ACCEPTED})


def is_users(name: str) -> bool:
    """Tell whether a table is the user's own, and not SQLite's, D1's or one of these."""
    return not name.lower().startswith(("sqlite_", "_cf_")) and name.lower() not in TABLES
