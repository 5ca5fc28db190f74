"""What the tests of lint share: tables that refer to each other, findings in short form, and SQLite to check against."""

# ruff: noqa: S608 - SQL in memory, made by the tests themselves

import sqlite3
from collections.abc import Callable, Sequence

from crane_infra.migrations.files.read import MigrationFile
from crane_infra.migrations.files.split import split_statements
from crane_infra.migrations.lint.finding import Finding
from crane_infra.migrations.lint.judge import examine, examine_each

Lint = Callable[..., tuple[Finding, ...]]
"""Lints files given by their text; ``before`` is what the database has."""
USERS = "CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT, old TEXT);"
CHILD = "CREATE TABLE notes (id INTEGER PRIMARY KEY, user INTEGER REFERENCES users (id) ON DELETE {action}, text TEXT);"
REBUILD = (
    "CREATE TABLE users_new (id INTEGER PRIMARY KEY, name TEXT, old TEXT, more TEXT);"
    "INSERT INTO users_new (id, name, old) SELECT id, name, old FROM users; DROP TABLE users; ALTER TABLE users_new RENAME TO users;"
)
LEAVES_OUT = (
    "CREATE TABLE u (id INTEGER PRIMARY KEY, name TEXT); INSERT INTO u SELECT id, name FROM users WHERE id < 9; DROP VIEW names;"
    "DROP TABLE users; ALTER TABLE u RENAME TO users; CREATE VIEW names AS SELECT id, name FROM users;"
)
SAFE_REBUILD = (
    "CREATE TABLE users_new (id INTEGER PRIMARY KEY, name TEXT, old TEXT, more TEXT);"
    "INSERT INTO users_new (id, name, old) SELECT id, name, old FROM users;"
    "CREATE TABLE notes_new (id INTEGER PRIMARY KEY, user INTEGER REFERENCES users_new (id) ON DELETE CASCADE, text TEXT);"
    "INSERT INTO notes_new SELECT * FROM notes; DROP TABLE notes; DROP TABLE users;"
    "ALTER TABLE users_new RENAME TO users; ALTER TABLE notes_new RENAME TO notes;"
)


def findings(files: Sequence[MigrationFile], pending: Sequence[MigrationFile]) -> tuple[Finding, ...]:
    """What lint finds in the pending files, as one release."""
    return tuple(finding for examined in examine(files, pending) for finding in examined.findings)


def findings_one_by_one(files: Sequence[MigrationFile]) -> tuple[Finding, ...]:
    """What lint finds in the files, each as a release of its own."""
    return tuple(finding for examined in examine_each(files) for finding in examined.findings)


def rules(findings: Sequence[Finding], *, level: str = "") -> list[tuple[str, int | None]]:
    return [(finding.rule, finding.statement) for finding in findings if level in {"", finding.level}]


def errors(findings: Sequence[Finding]) -> list[tuple[str, int | None]]:
    return rules(findings, level="error")


def cascading(action: str = "CASCADE") -> str:
    return USERS + CHILD.format(action=action)


def rows_of(made: str) -> sqlite3.Connection:
    """A database with a row in each table, all referring to row 1."""
    db = sqlite3.connect(":memory:", isolation_level=None)
    for statement in split_statements(made)[0]:
        db.execute(statement)
    for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
        columns = len(db.execute(f"PRAGMA table_info({name})").fetchall())
        db.execute(f"INSERT INTO {name} VALUES ({', '.join(['1'] * columns)})")
    db.execute("PRAGMA foreign_keys = ON")
    return db


def run(db: sqlite3.Connection, text: str) -> None:
    """Run a file as D1 does, as one transaction."""
    db.execute("BEGIN")
    for statement in split_statements(text)[0]:
        db.execute(statement)
    db.execute("COMMIT")
