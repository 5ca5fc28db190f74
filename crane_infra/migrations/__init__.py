"""Numbered migrations for D1: read the files, read the ledger, plan, apply each file exactly once."""

from crane_infra.migrations.apply import Outcome, migrate
from crane_infra.migrations.files import MigrationFile, read_migrations
from crane_infra.migrations.ledger import Ledger, LedgerEntry, LedgerHead, head_of, read_ledger
from crane_infra.migrations.plan import Plan, StartedNotDoneError, make_plan

__all__ = [
    "Ledger",
    "LedgerEntry",
    "LedgerHead",
    "MigrationFile",
    "Outcome",
    "Plan",
    "StartedNotDoneError",
    "head_of",
    "make_plan",
    "migrate",
    "read_ledger",
    "read_migrations",
]
