"""Migrations that production lacks run on its copy: whole files or not at all, also where tables came without their rows."""

from pathlib import Path

import pytest

from crane_infra.data.refresh.on_copy import run_pending
from crane_infra.errors import DataError
from tests.data.scrub.files import made, rows
from tests.migrations.builders import write_files

SHOP = """CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT);
CREATE TABLE orders (id INTEGER PRIMARY KEY, user INTEGER NOT NULL REFERENCES users (id), note TEXT);
INSERT INTO orders VALUES (1, 7, 'planted@corp.test'), (2, 7, 'planted@corp.test');"""
REBUILD = """CREATE TABLE new (id INTEGER PRIMARY KEY, user INTEGER NOT NULL REFERENCES users (id), note TEXT, paid INTEGER DEFAULT 0);
INSERT INTO new (id, user, note) SELECT * FROM orders; DROP TABLE orders; ALTER TABLE new RENAME TO orders;"""


def test_a_rebuild_runs_although_the_rows_that_it_refers_to_were_not_read(tmp_path: Path) -> None:
    copy = made(tmp_path / "copy.sqlite", SHOP)
    run_pending(
        copy,
        write_files(tmp_path / "files", {"0001_a.sql": REBUILD, "0002_b.sql": "DELETE FROM orders ORDER BY id LIMIT 1;"}),
        is_whole=False,
    )
    assert rows(copy, "SELECT id, paid FROM orders") == [(2, 0)]


def test_a_file_that_fails_is_named_without_a_value_and_nothing_of_it_stays(tmp_path: Path) -> None:
    copy = made(tmp_path / "copy.sqlite", SHOP.replace("VALUES (1, 7", "VALUES (1, 8"))
    text = "ALTER TABLE orders ADD COLUMN paid; CREATE UNIQUE INDEX one ON orders (note);"
    with pytest.raises(
        DataError, match=r"0001_a\.sql, statement 2: it fails on a copy of production's rows: UNIQUE constraint failed: orders\.note"
    ) as caught:
        run_pending(copy, write_files(tmp_path / "files", {"0001_a.sql": text}), is_whole=True)
    assert "planted" not in str(caught.value)
    assert rows(copy, "SELECT COUNT(*) FROM pragma_table_info('orders')") == [(3,)]
    with pytest.raises(DataError, match="FOREIGN KEY constraint failed"):
        run_pending(copy, write_files(tmp_path / "files", {"0001_a.sql": REBUILD}), is_whole=True)
