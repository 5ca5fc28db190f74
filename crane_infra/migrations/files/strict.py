"""What is wrong with files that are pending, and would not matter in files that a database has: their content, and doubled numbers (pure).

An empty database gets files that other databases have had for long, so only what cannot be applied matters there.
"""

from collections.abc import Sequence

from crane_infra.migrations.files.faults import Fault
from crane_infra.migrations.files.names import serial_of
from crane_infra.migrations.files.read import MigrationFile


def faults_of_pending(pending: Sequence[MigrationFile], files: Sequence[MigrationFile], *, from_empty: bool = False) -> dict[str, Fault]:
    """The fault of each of the ``pending`` files, by name and in order: it could not be applied.

    Unless the database is empty, a blemish and the number of another of ``files`` are faults, too.
    """
    doubled = {} if from_empty else _doubled(pending, files)
    faults = {file.name: file.fault or (None if from_empty else file.blemish) or doubled.get(file.name) for file in pending}
    return {name: fault for name, fault in faults.items() if fault}


def _doubled(pending: Sequence[MigrationFile], files: Sequence[MigrationFile]) -> dict[str, Fault]:
    """Two branches took the same number. An applied file has its number already; of two pending ones the first keeps it."""
    names, doubled = {file.name for file in pending}, dict[str, Fault]()
    taken: dict[int, MigrationFile] = {}
    for file in sorted(files, key=lambda file: file.name in names):
        number = serial_of(file.name)
        other = None if number is None else taken.setdefault(number, file)
        if other and other is not file and file.name in names:
            doubled[file.name] = (file.path, f"the number {number} is taken by {other.name}", "Give the newer file the next free number")
    return doubled
