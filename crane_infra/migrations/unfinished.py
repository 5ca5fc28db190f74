"""A migration that a run started and never marked as done, and the ways out (pure)."""

from crane_infra.errors import MigrationError
from crane_infra.migrations.ledger import LedgerEntry
from crane_infra.migrations.own_tables import OURS, WRANGLER


class StartedNotDoneError(MigrationError):
    """A run started a file and never marked it as done; ``entry`` is its record in the ledger."""

    def __init__(self, path: str, entry: LedgerEntry, database: str, cause: str = "") -> None:
        self.path, self.entry = path, entry
        what = f"started in {database} at {entry.started_at} but never marked as done, so parts of it may have been applied"
        super().__init__(path, f"{what}{cause and f' ({cause})'}", _ways_out(entry, database))


def _ways_out(entry: LedgerEntry, database: str) -> str:
    name = entry.name.replace("'", "''")
    back = f"wrangler d1 time-travel restore {database} --bookmark={entry.bookmark}" if entry.bookmark else "no bookmark was recorded"
    return (
        f"Look at the schema, then do one of these: return to the state before it ({back}); or, if none of it was applied, run "  # noqa: S608 - for a person
        f"DELETE FROM {OURS} WHERE name = '{name}'; or finish it by hand, then run {listing(entry.name)} unless that row exists, "
        f"and UPDATE {OURS} SET done_at = CURRENT_TIMESTAMP WHERE name = '{name}'"
    )


def listing(name: str) -> str:
    """The statement that lists a migration in wrangler's table, for a person."""
    quoted = name.replace("'", "''")
    return f"INSERT INTO {WRANGLER} (name) VALUES ('{quoted}')"  # noqa: S608 - for a person
