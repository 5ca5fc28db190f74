"""A file of SQL for an import: flat in memory, for one user only, and refused in one line where it cannot be."""

import errno
import os
import re
import stat
import tracemalloc
from pathlib import Path

import pytest

from crane_infra.data import sql_file
from crane_infra.data.sql_file import SqlFile
from crane_infra.errors import DataError


def test_it_has_each_statement_and_is_gone_at_the_end(tmp_path: Path) -> None:
    (tmp_path / "rows.sql").write_text("left by a run that was killed", encoding="utf-8")
    with SqlFile(tmp_path / "rows.sql", "database shop", "Delete rows") as file:
        file.add("INSERT INTO t VALUES ('é')")
        file.add("SELECT 1")
        file.close()
        assert file.path.read_text(encoding="utf-8") == "INSERT INTO t VALUES ('é');\nSELECT 1;\n"
        assert (file.statements, stat.S_IMODE(file.path.stat().st_mode)) == (2, 0o600)
    assert list(tmp_path.iterdir()) == []


def test_it_is_written_without_being_held(tmp_path: Path) -> None:
    statement = "x" * 90_000
    tracemalloc.start()
    try:
        with SqlFile(tmp_path / "rows.sql", "database shop", "Delete rows") as file:
            for _ in range(200):
                file.add(statement)
            file.close()
            assert file.path.stat().st_size > 18_000_000
        assert tracemalloc.get_traced_memory()[1] < 2_000_000
    finally:
        tracemalloc.stop()


def test_more_than_one_import_takes_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sql_file, "LARGEST", 1000)
    what = "database shop: its rows are more than 1,000 bytes of SQL, which is what one import of D1 takes. Delete rows"
    with SqlFile(tmp_path / "rows.sql", "database shop", "Delete rows") as file:
        file.add("x" * 998)
        with pytest.raises(DataError, match=what):
            file.add("")
    assert list(tmp_path.iterdir()) == []


def written(folder: Path) -> None:
    """Write far more than a buffer holds to a disk that is full."""
    with SqlFile(folder / "rows.sql", "database shop", "Delete rows") as file, Path("/dev/full").open("wb") as full:
        os.dup2(full.fileno(), file._file.fileno())
        file.add("x" * 90_000)


def test_a_full_disk_is_said_in_one_line(tmp_path: Path) -> None:
    what = f"database shop: the SQL of its rows cannot be written to {tmp_path}: {os.strerror(errno.ENOSPC)}"
    with pytest.raises(DataError, match=re.escape(what)):
        written(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there_is_said_in_one_line(tmp_path: Path) -> None:
    what = r"cannot be written to .*gone: No such file"
    with pytest.raises(DataError, match=what), SqlFile(tmp_path / "gone" / "rows.sql", "database shop", "Delete rows"):
        pytest.fail("it cannot begin")
