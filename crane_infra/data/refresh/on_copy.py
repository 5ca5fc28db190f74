"""Brings a copy of production to staging's schema: runs the migrations that production does not have yet, on the copy alone."""

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import apsw

from crane_infra.data.disk import DISK_FAULTS
from crane_infra.data.local_d1 import runnable, without_values
from crane_infra.errors import DataError
from crane_infra.migrations.files.read import MigrationFile
from crane_infra.migrations.sqlite.engine import FAILURES


def run_pending(copy: Path, files: Sequence[MigrationFile], *, is_whole: bool) -> None:
    """Run each file as one transaction. ``is_whole`` False: tables came without their rows, so foreign keys cannot be required.

    Raises DataError for a file that fails on production's rows: production would refuse it as well.
    """
    with closing(apsw.Connection(str(copy))) as db:
        for file in files:
            db.execute(f"PRAGMA foreign_keys = {'ON' if is_whole else 'OFF'}")
            db.execute("BEGIN")
            for number, statement in enumerate(file.statements, 1):
                try:
                    db.execute(runnable(statement), can_cache=False).fetchall()
                except DISK_FAULTS:
                    raise
                except FAILURES as error:
                    what = f"it fails on a copy of production's rows: {without_values(str(error))}"
                    todo = "A promotion would fail as well. crane migrations rehearse -s production says more"
                    raise DataError(f"{file.path}, statement {number}", what, todo) from None
            db.execute("COMMIT")
