"""The processor time of lint for 400 migration files, compared with 100, each file judged as a release of its own.

The files hold what people write: tables that refer to each other, columns, indexes, views, triggers, rows and rebuilds.
"""

from __future__ import annotations

import time
import tracemalloc
from typing import TYPE_CHECKING

from bench.rows import Row, at_most, median
from crane_infra.migrations.files.read import read_migrations
from crane_infra.migrations.lint.judge import examine_each

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from crane_infra.migrations.files.read import MigrationFile

_FEW, _MANY, _ROUNDS = 100, 400, 3
_MIB = 1 << 20
_STEPS = (
    (
        "CREATE TABLE {table} (id INTEGER PRIMARY KEY, name TEXT NOT NULL, up INTEGER REFERENCES {table} (id) ON DELETE CASCADE);\n"
        "CREATE TRIGGER {table}_lower AFTER INSERT ON {table} BEGIN UPDATE {table} SET name = lower(name) WHERE id = new.id; END;"
    ),
    "ALTER TABLE {table} ADD COLUMN at TEXT;",
    "CREATE INDEX {table}_at ON {table} (at);\nCREATE VIEW {table}_names AS SELECT id, name FROM {table};",
    "INSERT INTO {table} (name) VALUES ('a');\nUPDATE {table} SET name = name || '!' WHERE at IS NULL;",
    (
        "CREATE TABLE {table}_log (id INTEGER PRIMARY KEY, what TEXT, CHECK (length(what) > 0));\n"
        "INSERT INTO {table}_log (what) SELECT name FROM {table} WHERE id < 100;"
    ),
)


def growth(folder: Path) -> list[Row]:
    """Judge both folders in turn, several times."""
    folders = {count: _written(folder / str(count), count) for count in (_FEW, _MANY)}
    rounds = [{count: _milliseconds(files) for count, files in folders.items()} for _ in range(_ROUNDS + 1)][1:]
    few, many = (median([figures[count] for figures in rounds]) for count in (_FEW, _MANY))
    of = f"{_FEW} files"
    return [
        Row(f"lint of {_MANY} files, processor time", many, "ms", few, of, at_most(5)),
        Row(f"lint of {_MANY} files, memory at most", _mebibytes(folders[_MANY]), "MiB", _mebibytes(folders[_FEW]), of),
    ]


def _written(folder: Path, count: int) -> Sequence[MigrationFile]:
    folder.mkdir(parents=True)
    for number in range(count):
        text = _STEPS[number % len(_STEPS)].format(table=f"t{number // len(_STEPS)}")
        (folder / f"{number + 1:04}_step.sql").write_text(f"{text}\n", encoding="utf-8")
    return read_migrations(folder, "migrations")


def _milliseconds(files: Sequence[MigrationFile]) -> float:
    began = time.process_time()
    examine_each(files)
    return (time.process_time() - began) * 1000


def _mebibytes(files: Sequence[MigrationFile]) -> float:
    """The memory of Python's objects at its peak."""
    tracemalloc.start()
    examine_each(files)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak / _MIB
