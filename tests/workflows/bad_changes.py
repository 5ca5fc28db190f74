"""Changes that a pull request must not get in with, and what its comment says of each."""

import shutil
from collections.abc import Callable

from tests.workflows.misfit import CONTEXT, add_migration
from tests.workflows.place import Place, change_stack_file, own_program, stack_setting


def taken_number(there: Place) -> None:
    add_migration(there, "0004_again.sql", "CREATE TABLE again (id INTEGER PRIMARY KEY);")


def edited_migration(there: Place) -> None:
    path = there.workers / CONTEXT / "migrations" / "0002_index_sessions_by_heartbeat.sql"
    path.write_text(f"{path.read_text(encoding='utf-8')}-- more\n", encoding="utf-8")


def dropped_table(there: Place) -> None:
    add_migration(there, "0007_drop_sessions.sql", "-- crane: contract\nDROP TABLE sessions;")


def renamed_database(there: Place) -> None:
    databases = stack_setting(there.origin, "staging", "databases")
    databases["crane-context-db"]["name"] = "crane-context-db-better"
    change_stack_file(there.origin, "staging", {"databases": databases})


def removed_worker(there: Place) -> None:
    catalog = own_program(there.origin) / "catalog.py"
    text = catalog.read_text(encoding="utf-8")
    catalog.write_text(text.replace(', "crane-classifier": _classifier()', ""), encoding="utf-8")
    for environment in ("staging", "production"):
        workers = stack_setting(there.origin, environment, "workers")
        del workers["crane-classifier"]
        change_stack_file(there.origin, environment, {"workers": workers})


def no_bundle(there: Place) -> None:
    shutil.rmtree(there.workers / CONTEXT / "dist")


BAD: dict[str, tuple[Callable[[Place], None], str]] = {
    "taken-number": (taken_number, "0004_again.sql: the number 4 is taken by 0004_create_smoke_writes.sql"),
    "edited-migration": (edited_migration, "0002_index_sessions_by_heartbeat.sql: edited after it was applied"),
    "dropped-table": (dropped_table, "0007_drop_sessions.sql"),
    "renamed-database": (renamed_database, "was renamed from crane-context-db-staging to crane-context-db-better"),
    "removed-worker": (removed_worker, "was removed, but crane-classifier-staging is deployed"),
    "no-bundle": (no_bundle, "the folder does not exist"),
}
