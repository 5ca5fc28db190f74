"""A full disk is one line that says so, wherever rows are written to this machine: never a damaged backup, a migration that fails, or a traceback."""

import errno
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

import apsw
import pytest

from crane_infra.config.data_rules import TableRule
from crane_infra.data import partial
from crane_infra.data.backup.file import make_backup, unpack
from crane_infra.data.backup.stores import store_at
from crane_infra.data.copy import copy_database
from crane_infra.data.disk import disk_faults
from crane_infra.data.refresh.on_copy import run_pending
from crane_infra.data.scrub import run
from crane_infra.data.scrub.run import ScrubJob, scrub
from crane_infra.data.trial import Attempt, try_migrations
from crane_infra.errors import DataError
from crane_infra.migrations.files.read import SchemaFiles
from tests.data.d1_like import D1Like
from tests.data.scrub.files import KEY, made
from tests.data.test_copy import MANY
from tests.migrations.builders import write_files

NOW = datetime(2026, 11, 29, 3, 0, 0, tzinfo=UTC)
FULL = r": the disk is full\. Free some space, then run the same command again\."
SMALL = "PRAGMA max_page_count = 1"
"""SQLite then finds no room for one more page, as on a disk that is full."""


def no_room(*_: object) -> NoReturn:
    """What the system says when a disk is full."""
    raise OSError(errno.ENOSPC, "No space left on device")


def test_while_a_copy_is_scrubbed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = made(tmp_path / "source.sqlite", "CREATE TABLE t (a); INSERT INTO t SELECT zeroblob(90000) FROM json_each('[1, 2, 3]')")
    monkeypatch.setattr(run, "_FAST", (*run._FAST, SMALL))
    with pytest.raises(DataError, match=FULL), disk_faults(tmp_path):
        scrub(source, tmp_path / "scrubbed.sqlite", ScrubJob("shop", {"t": TableRule(columns={"a": "keep"})}, KEY))
    assert [path.name for path in tmp_path.iterdir()] == ["source.sqlite"]


async def test_before_the_first_row_of_a_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = D1Like(tmp_path / "source.sqlite")
    source.db.execute(MANY)

    def no_page(*_: object) -> NoReturn:
        message = "database or disk is full"
        raise apsw.FullError(message)

    monkeypatch.setattr(partial, "create_tables", no_page)
    with pytest.raises(DataError, match=r"part: the disk is full\. Free some space, then run the same command again\."):
        await copy_database(source, tmp_path / "copy.sqlite")


def test_while_migrations_run_on_a_copy(tmp_path: Path) -> None:
    copy = made(tmp_path / "copy.sqlite", "CREATE TABLE t (a)")
    files = write_files(tmp_path / "files", {"0001_a.sql": f"{SMALL};\nINSERT INTO t VALUES (zeroblob(90000));"})
    with pytest.raises(DataError, match=FULL), disk_faults(tmp_path):
        run_pending(copy, files, is_whole=True)


@pytest.fixture
async def backup(tmp_path: Path) -> Path:
    """A backup."""
    source = D1Like(tmp_path / "source.sqlite")
    source.db.execute(MANY)
    return make_backup(await copy_database(source, tmp_path / "copy.sqlite"), "crane-test", NOW, tmp_path)


async def test_while_a_backup_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = D1Like(tmp_path / "source.sqlite")
    source.db.execute(MANY)
    copied = await copy_database(source, tmp_path / "copy.sqlite")
    monkeypatch.setattr(shutil, "copyfileobj", no_room)
    with pytest.raises(DataError, match=r"it cannot be written: No space left on device\. Check the disk, then run the same command again"):
        make_backup(copied, "crane-test", NOW, tmp_path)


def test_while_a_backup_is_unpacked_which_is_not_called_damaged(backup: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "copyfileobj", no_room)
    with pytest.raises(DataError, match=FULL):
        unpack(backup, tmp_path / "plain.sqlite")


def test_while_a_backup_is_fetched_which_is_not_called_missing(backup: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "into").mkdir()
    monkeypatch.setattr(shutil, "copy", no_room)
    with pytest.raises(DataError, match=FULL):
        store_at(str(tmp_path), {}).get(backup.name, tmp_path / "into")


async def test_while_migrations_are_rehearsed_which_is_no_failure_of_theirs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = D1Like(tmp_path / "source.sqlite")
    source.db.execute(MANY)
    copied = await copy_database(source, tmp_path / "copy.sqlite")
    files = write_files(tmp_path / "files", {"0001_a.sql": "CREATE TABLE u (a);"})
    monkeypatch.setattr(shutil, "copyfile", no_room)
    with pytest.raises(DataError, match=FULL):
        await try_migrations(copied, Attempt("db", SchemaFiles(files), "release"))
