"""``crane data backup``, ``restore``, ``restore-production`` and ``test-backup``: files of a stack's databases, and the way back."""

import os
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer
from pydantic import SecretStr

from crane_infra import catalog
from crane_infra.cli.clone import root
from crane_infra.cli.confirm import confirmed
from crane_infra.cli.progress import shown_on
from crane_infra.commands.backup import BackupWish, RestoreWish, Talk, back_up, restore_into_new, restore_into_stack
from crane_infra.commands.stack import settings_and_outputs, settings_of
from crane_infra.data.backup.stores import store_at
from crane_infra.data.copy import Limits, Watch
from crane_infra.errors import CraneError, SettingsError, refuse
from local_cloud import daemon

CHANGED = 3
StackOption = Annotated[str, typer.Option("--stack", "-s", help="The environment: staging or production.")]
DatabaseOption = Annotated[str | None, typer.Option("--database", "-d", help="Its name in the catalog. Default: all databases.")]
DatabaseArgument = Annotated[str, typer.Option("--database", "-d", help="Its name in the catalog.")]
ToOption = Annotated[str, typer.Option("--to", help="A folder, or s3://bucket/prefix.")]
FromOption = Annotated[str, typer.Option("--from", help="Where the backups are: a folder, or s3://bucket/prefix.")]
BackupOption = Annotated[str | None, typer.Option("--backup", help="The name of the backup. Default: the newest one of the database.")]
KeepOption = Annotated[int | None, typer.Option("--keep", min=1, help="How many backups of each database stay. Default: all.")]
RowsOption = Annotated[int, typer.Option("--rows", min=1, help="The most rows that may be read of each database.")]
LoseOption = Annotated[bool, typer.Option("--lose-writes", help="The rows that it names may be lost.")]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


def backup(
    stack: StackOption, to: ToOption, database: DatabaseOption = None, keep: KeepOption = None, rows: RowsOption = Limits.rows
) -> None:
    """Copy each database into one compressed file. The file has checksums. It only reads at Cloudflare.

    Exits 0, or 3 where a table kept changing while it was read; the file is kept all the same.
    """
    store = store_at(to, os.environ)
    settings, outputs = settings_and_outputs(stack, root())
    watch = Watch(typer.echo, shown_on(sys.stderr))
    copies = back_up(settings, catalog.crane(), outputs, BackupWish(database, rows, keep), store, watch)
    if any(copied.unsettled for copied in copies):
        raise typer.Exit(CHANGED)


def restore(
    stack: StackOption,
    place: FromOption,
    database: DatabaseArgument,
    backup: BackupOption = None,
    into: Annotated[str | None, typer.Option("--into", help="The name of a new database. Default: staging's own, whose rows go.")] = None,
    yes: YesOption = False,  # noqa: FBT002 - a flag of the command line
) -> None:
    """Restore a backup, and compare every row with it. It goes into a new database, or into staging."""
    store, wish = store_at(place, os.environ), RestoreWish(database, backup)
    if into is not None:
        if not into.strip():  # an unset variable must not mean staging's own database
            raise SettingsError("--into", "names no database", "Name the new database, or leave the option out")
        restore_into_new(settings_of(stack, root()), store, wish, into, Talk(typer.echo))
        return
    if stack == "production":
        raise SettingsError("--into", "is missing: this command never replaces the rows of production", "See crane data restore-production")
    settings, outputs = settings_and_outputs(stack, root())
    talk = Talk(typer.echo, lambda: confirmed("Replace all rows of this database?", sure=yes))
    restore_into_stack(settings, catalog.crane(), outputs, store, wish, talk)


def restore_production(
    place: FromOption,
    database: DatabaseArgument,
    backup: BackupOption = None,
    lose_writes: LoseOption = False,  # noqa: FBT002 - a flag of the command line
    yes: YesOption = False,  # noqa: FBT002
) -> None:
    """Replace a database of production with a backup. Says first, table by table, which rows are lost."""
    store = store_at(place, os.environ)
    settings, outputs = settings_and_outputs("production", root())
    talk = Talk(typer.echo, lambda: confirmed("Replace all rows of this database of production?", sure=yes))
    restore_into_stack(settings, catalog.crane(), outputs, store, RestoreWish(database, backup, lose_writes), talk)


def try_backup(stack: StackOption, place: FromOption, database: DatabaseOption = None) -> None:
    """Restore the newest backups into a local cloud. Compares every row, and touches no account."""
    store, settings, errors = store_at(place, os.environ), settings_of(stack, root()), list[CraneError]()
    with tempfile.TemporaryDirectory(prefix="crane-") as folder:
        running = daemon.start(Path(folder), runtime_cache=root() / ".crane" / "runtime")
        local = {"api_url": running.api_url, "api_token": SecretStr(running.token), "account_id": running.account_id}
        try:
            for name in [database] if database else list(catalog.crane().databases):
                try:
                    restore_into_new(settings.model_copy(update=local), store, RestoreWish(name), f"{name}-restored", Talk(typer.echo))
                except CraneError as error:
                    errors.append(error)
        finally:
            daemon.stop(Path(folder))
    refuse(errors)
