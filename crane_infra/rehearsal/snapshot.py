"""What an account holds that an adoption must not touch, as one value, and what differs between two of them."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

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
        """How many rows there are."""
        return sum(len(rows) for _, tables in self.databases.values() for rows in tables.values())


def take(account: Account) -> Snapshot:
    """Look at the whole account; raises RehearsalError."""
    databases = {str(one["name"]): str(one["uuid"]) for one in account.ask("GET", "/d1/database")}
    workers = {str(one["name"]): one for one in account.ask("GET", "/workers/workers")}
    return Snapshot(
        {name: (ident, _tables(account, name)) for name, ident in databases.items()},
        {name: (str(one["id"]), _settings(account, one)) for name, one in workers.items()},
    )


def lost(before: Snapshot, after: Snapshot) -> list[str]:
    """What was there before and is not any more, or is something else now; what came since does not count."""
    told = []
    for name, (ident, tables) in before.databases.items():
        now, there = after.databases.get(name, ("", {}))
        told += [] if now == ident else [f"database {name} is another one"]
        told += [
            f"{name}: {gone} rows of {table} are gone" for table, rows in tables.items() if (gone := _gone(rows, there.get(table, [])))
        ]
    for name, (ident, settings) in before.workers.items():
        now, own = after.workers.get(name, ("", {}))
        told += [] if now == ident else [f"worker {name} is another one"]
        told += [f"{name}: its {key} changed" for key, value in settings.items() if own.get(key) != value]
    return told


def _gone(before: Rows, after: Rows) -> int:
    """How many rows are not there any more; a row that has got more columns is."""
    keys = tuple(before[0]) if before else ()
    left = [tuple(row.get(key) for key in keys) for row in after]
    return sum(tuple(row.values()) not in left for row in before)


def _tables(account: Account, name: str) -> dict[str, Rows]:
    listed = account.rows(name, "SELECT name FROM sqlite_master WHERE type = 'table'")
    return {table: account.rows(name, f'SELECT * FROM "{table}"') for table in _own(str(row["name"]) for row in listed)}  # noqa: S608


def _own(tables: Iterable[str]) -> list[str]:
    return [table for table in tables if not table.startswith(("_cf_", "sqlite_"))]


def _settings(account: Account, worker: dict[str, Any]) -> dict[str, Any]:
    schedules = account.ask("GET", f"/workers/scripts/{worker['name']}/schedules")["schedules"]
    return {**{key: worker[key] for key in _SETTINGS}, "schedules": [one["cron"] for one in schedules]}
