"""What a process does that migrates databases as an update does, by the same step, until it is told no more."""

import asyncio
from collections.abc import Mapping
from multiprocessing.connection import Connection
from pathlib import Path

from crane_infra.config.settings import Settings, parse
from crane_infra.errors import CraneError
from crane_infra.migrations.files.read import SchemaFiles, read_migrations
from crane_infra.program.hooks.steps import Log, Logs, migrate_database

WELL = "ended well"


def settings(environ: Mapping[str, str]) -> Settings:
    """The settings of a stack that has no workers; the account is in the environment."""
    known = {"environment": "staging", "project": "crane-infra", "organization": "organization", "root": str(Path.cwd())}
    config = {"workers-dir": "workers", "workers-subdomain": "crane", "databases": "{}", "workers": "{}"}
    return parse(known, {f"crane-infra:{key}": value for key, value in config.items()}, environ)


def serve(line: Connection, environ: Mapping[str, str], folder: Path, words: str) -> None:
    """Migrate each database that comes over the line, as its id and name, and say how that ended; end with the line.

    Whenever the step says something with ``words`` in it, wait for leave: so a test holds a run where it wants, and no clock is involved.
    """

    def log(output: str) -> None:
        line.send(output)
        if words and words in output:
            line.recv()

    while True:
        try:
            database, name = line.recv()
        except EOFError:
            return
        line.send(_migrate(settings(environ), database, name, folder, log))


def _migrate(given: Settings, database: str, name: str, folder: Path, log: Log) -> str:
    expected = SchemaFiles(read_migrations(folder, "migrations"), None)
    try:
        asyncio.run(migrate_database(given, name, database, expected, release="release-1", logs=Logs(log)))
    except CraneError as error:
        return f"error: {error}"
    return WELL
