"""A release that staging takes and that the rows of production do not fit, and what of production has to stay as it is."""

from collections.abc import Iterator
from contextlib import contextmanager

from tests.workflows.place import Place
from tests.workflows.runner import Json

CONTEXT, DATABASE, OTHER = "crane-context", "crane-context-db-prod", "crane-classifier-db"


def add_migration(there: Place, name: str, sql: str) -> None:
    """Write a migration of crane-context into what is checked out."""
    (there.workers / CONTEXT / "migrations" / name).write_text(f"{sql}\n", encoding="utf-8")


def rows_that_do_not_fit(there: Place) -> None:
    """Give production rows, and write three files: one overwrites some, one loses one, and two stand in the way of one."""
    there.account.rows(DATABASE, "INSERT INTO smoke_writes VALUES ('one', '2026'), ('two', '2026'), ('three', '')")
    there.account.rows(
        DATABASE,
        "INSERT INTO sessions (id, agent, started_at, last_heartbeat_at) "
        "VALUES ('a', 'x', '', ''), ('b', 'canary-row-agent', '', ''), ('c', 'z', '', ''), ('d', 'z', '', '')",
    )
    there.account.rows(
        OTHER, "INSERT INTO deliveries (id, event, received_at, repository) VALUES ('1', 'push', '', 'same'), ('2', 'push', '', 'same')"
    )
    add_migration(
        there,
        "0007_agents.sql",
        "-- crane: overwrites-rows sessions\n"
        "INSERT OR REPLACE INTO sessions (id, agent, started_at, last_heartbeat_at) "
        "VALUES ('a', 'new', '', ''), ('b', 'new', '', ''), ('c', 'new', '', '');",
    )
    add_migration(
        there,
        "0008_smoke_writes.sql",
        "CREATE TABLE made (name TEXT PRIMARY KEY, written_at TEXT NOT NULL);\n"
        "INSERT INTO made (name, written_at) SELECT name, written_at FROM smoke_writes WHERE written_at <> '';\n"
        "DROP TABLE smoke_writes;\nALTER TABLE made RENAME TO smoke_writes;",
    )
    (there.workers / "crane-classifier" / "migrations" / "0004_one_delivery.sql").write_text(
        "-- crane: contract\nCREATE UNIQUE INDEX one_delivery ON deliveries (repository);\n", encoding="utf-8"
    )


MANY = 300_000


@contextmanager
def many_rows(there: Place) -> Iterator[None]:
    """Let the table of which one row would be lost have 300,000."""
    there.account.rows(
        DATABASE,
        f"WITH RECURSIVE n (i) AS (SELECT 4 UNION ALL SELECT i + 1 FROM n WHERE i < {MANY}) "  # noqa: S608
        "INSERT INTO smoke_writes SELECT 'more ' || i, '2026' FROM n",
    )
    try:
        yield
    finally:
        there.account.rows(DATABASE, "DELETE FROM smoke_writes WHERE name LIKE 'more %'")


def read_hosts_in_health(there: Place) -> None:
    """Let the health of crane-context read the hosts of its sessions as JSON, which fails for one that has a quotation mark."""
    module = there.workers / CONTEXT / "dist" / "index.js"
    code = module.read_text(encoding="utf-8")
    sql = """SELECT COUNT(json_extract('{"host": "' || host || '"}', '$.host')) FROM sessions"""
    changed = code.replace('env.DB.prepare("SELECT 1")', f"env.DB.prepare(`{sql}`)")
    assert changed != code
    module.write_text(f"// notes\n{changed}", encoding="utf-8")


@contextmanager
def a_row_that_fails_health(there: Place) -> Iterator[None]:
    """Production has a session whose host has a quotation mark."""
    there.account.rows(
        DATABASE, "INSERT INTO sessions (id, agent, started_at, last_heartbeat_at, host) VALUES ('q', 'x', '', '', 'canary-row-\"host')"
    )
    try:
        yield
    finally:
        there.account.rows(DATABASE, "DELETE FROM sessions WHERE id = 'q'")


def production(there: Place) -> Json:
    """What production serves and holds."""
    return {
        "serving": [there.account.serving(script) for script in (CONTEXT, "crane-classifier")],
        "ledgers": [there.account.ledger(name) for name in (DATABASE, OTHER)],
        "sessions": there.account.rows(DATABASE, "SELECT * FROM sessions ORDER BY 1"),
        "smoke_writes": there.account.rows(
            DATABASE, "SELECT COUNT(*), SUM(length(name)), SUM(length(written_at)), MIN(name), MAX(name) FROM smoke_writes"
        ),
    }
