"""The parts of an account that an adoption must not change, as one value, and the differences between two such values."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from crane_infra.counted import counted
from local_cloud.client import Account

Rows = list[dict[str, Any]]
_SETTINGS = ("observability", "tags", "logpush", "tail_consumers")


@dataclass(frozen=True)
class Snapshot:
    """Databases by name: id and rows by table. Workers by name: id and undeclared settings."""

    databases: dict[str, tuple[str, dict[str, Rows]]]
    workers: dict[str, tuple[str, dict[str, Any]]]

    @property
    def rows(self) -> int:
        """The number of rows in all databases."""
        return sum(len(rows) for _, tables in self.databases.values() for rows in tables.values())


def take(account: Account) -> Snapshot:
    """Read the whole account. Raises RehearsalError if it refuses a call."""
    databases = {str(database["name"]): str(database["uuid"]) for database in account.ask("GET", "/d1/database")}
    workers = {str(worker["name"]): worker for worker in account.ask("GET", "/workers/workers")}
    return Snapshot(
        {name: (ident, _tables(account, name)) for name, ident in databases.items()},
        {name: (str(worker["id"]), _settings(account, worker)) for name, worker in workers.items()},
    )


def lost(before: Snapshot, after: Snapshot) -> list[str]:
    """What is missing or different now, in one line each. What was added since does not count."""
    changes = []
    for name, (ident, tables) in before.databases.items():
        ident_now, tables_now = after.databases.get(name, ("", {}))
        changes += [] if ident_now == ident else [f"database {name} is another one"]
        changes += [
            f"{name}: {table} lost {counted(lost_rows, 'row')}"
            for table, rows in tables.items()
            if (lost_rows := _lost_rows(rows, tables_now.get(table, [])))
        ]
    for name, (ident, settings) in before.workers.items():
        ident_now, settings_now = after.workers.get(name, ("", {}))
        changes += [] if ident_now == ident else [f"worker {name} is another one"]
        changes += [f"{name}: its {key} changed" for key, value in settings.items() if settings_now.get(key) != value]
    return changes


def _lost_rows(before: Rows, after: Rows) -> int:
    """How many rows are no longer there. A row that only has more columns still is."""
    keys = tuple(before[0]) if before else ()
    left = [tuple(row.get(key) for key in keys) for row in after]
    return sum(tuple(row.values()) not in left for row in before)


def _tables(account: Account, name: str) -> dict[str, Rows]:
    listed = account.rows(name, "SELECT name FROM sqlite_master WHERE type = 'table'")
    return {table: account.rows(name, f'SELECT * FROM "{table}"') for table in _user_tables(str(row["name"]) for row in listed)}  # noqa: S608


def _user_tables(tables: Iterable[str]) -> list[str]:
    return [table for table in tables if not table.startswith(("_cf_", "sqlite_"))]


def _settings(account: Account, worker: dict[str, Any]) -> dict[str, Any]:
    schedules = account.ask("GET", f"/workers/scripts/{worker['name']}/schedules")["schedules"]
    return {**{key: worker[key] for key in _SETTINGS}, "schedules": [schedule["cron"] for schedule in schedules]}
