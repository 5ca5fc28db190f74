"""What a backup or a restore is asked for and cannot do is one line that says where, before anything is read or written."""

import gzip
import hashlib
import os
from pathlib import Path
from typing import Any, cast

import pytest
from typer.testing import CliRunner

from crane_infra.cli.app import make_app
from crane_infra.commands.backup import BackupWish, RestoreWish, Talk, back_up, restore_into_new
from crane_infra.data.backup.stores import store_at
from crane_infra.data.copy import Watch
from crane_infra.errors import DataError, SettingsError

NOBODY = cast("Any", None)
"""Settings, catalog or outputs that nothing may ask for yet."""


def refused(place: Path, wish: RestoreWish) -> str:
    """The line that a restore ends with."""
    said = list[str]()
    with pytest.raises(DataError) as error:
        restore_into_new(NOBODY, store_at(str(place), {}), wish, "new", Talk(said.append))
    assert (said, "\n" in str(error.value)) == ([], False)
    return str(error.value)


def kept(folder: Path, content: bytes, database: str = "shop") -> str:
    """A file whose name fits its bytes; returns the name."""
    name = f"{database}-20261129T030000Z-{hashlib.sha256(content).hexdigest()[:16]}.sqlite.gz"
    (folder / name).write_bytes(content)
    return name


def test_a_backup_that_is_not_there_is_said_with_those_that_are(tmp_path: Path) -> None:
    assert (
        refused(tmp_path, RestoreWish("shop"))
        == f"{tmp_path}: it has no backup of database shop. It has no backups at all: name another place."
    )
    name = kept(tmp_path, b"x")
    assert refused(tmp_path, RestoreWish("shøp\n'")) == f"{tmp_path}: it has no backup of database shøp '. It has backups of shop."
    line = refused(tmp_path, RestoreWish("shop", "../../etc/passwd"))
    assert line == f"{tmp_path}: it has no backup ../../etc/passwd of database shop. It has of this database: {name}."
    assert refused(tmp_path / "gone", RestoreWish("shop")).startswith(f"{tmp_path}/gone: it cannot be read: No such file or directory. ")


@pytest.mark.parametrize(
    "content",
    [b"", b"no gzip", gzip.compress(b"no database"), gzip.compress(os.urandom(9000))[:4000]],
    ids=["empty", "no gzip", "no database", "cut off"],
)
def test_a_file_that_is_no_whole_backup_is_named_as_it_is_kept(tmp_path: Path, content: bytes) -> None:
    """Not as the copy of it, whose folder is gone by then."""
    name = kept(tmp_path, content)
    assert refused(tmp_path, RestoreWish("shop")) == f"{name}: it is damaged, or not a backup. Take another backup."


def test_a_place_that_cannot_be_written_is_refused_before_production_is_read(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(DataError, match="file: it cannot be written: File exists"):
        back_up(NOBODY, NOBODY, NOBODY, BackupWish(None, 1), store_at(str(tmp_path / "file"), {}), Watch())


def test_a_name_from_a_variable_that_is_not_set_does_not_mean_stagings_own_database(tmp_path: Path) -> None:
    words = ["data", "restore", "-s", "staging", "--from", str(tmp_path), "-d", "shop", "--yes", "--into"]
    ended = CliRunner().invoke(make_app(*words), [*words, ""])
    assert isinstance(ended.exception, SettingsError)
    assert str(ended.exception) == "--into: names no database. Name the new database, or leave the option out."
