"""A backup restores to a database that is equal to the last byte, and one that is damaged is refused."""

import asyncio
import gzip
import hashlib
import tempfile
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import apsw
import pytest
from hypothesis import HealthCheck, given, settings

from crane_infra.d1.errors import WriteOutcomeUnknown
from crane_infra.data.backup.compare import compare
from crane_infra.data.backup.file import check_file, make_backup, of_database, read_name, unpack
from crane_infra.data.backup.load import load
from crane_infra.data.backup.sql import BEGIN, dropping_statements, restoring_statements
from crane_infra.data.copy import copy_database, read_schema
from crane_infra.data.source import LocalSource
from crane_infra.errors import DataError
from tests.data.any_database import EXAMPLES, AnyTable, databases, fill
from tests.data.d1_like import D1Like, dump
from tests.data.test_copy import EVERYTHING, MANY, PLACES

NOW = datetime(2026, 11, 29, 3, 0, 0, tzinfo=UTC)


async def backup_of(source: D1Like, folder: Path) -> Path:
    """A backup of a database."""
    return make_backup(await copy_database(source, folder / "copy.sqlite"), "crane-test", NOW, folder)


async def restored(backup: Path, path: Path) -> None:
    """Make a database out of a backup, as D1's import does: one transaction with foreign keys."""
    plain = path.with_suffix(".plain")
    note = unpack(backup, plain)
    with closing(apsw.Connection(str(plain))) as db, closing(apsw.Connection(str(path))) as target:
        await check_file(db, note, str(backup))
        target.execute("PRAGMA foreign_keys = ON")
        target.execute("BEGIN")
        for statement in [*BEGIN, *[statement async for statement in restoring_statements(db, "backup")]]:
            assert len(statement.encode()) < 100_000
            target.execute(statement).fetchall()
        target.execute("COMMIT")
        assert await compare(LocalSource(target, "target"), db) == []


async def test_everything_that_a_database_may_hold_comes_back(tmp_path: Path) -> None:
    source = D1Like(tmp_path / "source.sqlite")
    source.db.execute(EVERYTHING + PLACES)
    await restored(await backup_of(source, tmp_path), tmp_path / "target.sqlite")
    assert dump(tmp_path / "target.sqlite") == dump(tmp_path / "source.sqlite")
    with closing(apsw.Connection(str(tmp_path / "target.sqlite"))) as db:
        assert db.execute("SELECT rowid FROM found('apples') ORDER BY 1").fetchall() == [(5,), (6,)]


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(databases())
def test_any_database_comes_back_to_the_last_byte(tables: list[AnyTable]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        source = D1Like(Path(folder) / "source.sqlite")
        fill(source.db, tables)

        async def there_and_back() -> None:
            await restored(await backup_of(source, Path(folder)), Path(folder) / "target.sqlite")

        asyncio.run(there_and_back())
        assert dump(Path(folder) / "target.sqlite") == dump(Path(folder) / "source.sqlite")


@dataclass
class LosesReplies(D1Like):
    """A target whose replies to imports are lost: the rows are there after so many pauses, and never where that is None."""

    done_after: int | None = 0
    paused: list[float] = field(default_factory=list)
    _sql: str = ""

    async def import_file(self, file: Path) -> None:
        self._sql = file.read_text(encoding="utf-8")  # noqa: ASYNC240 (a small file)
        self._go_on()
        raise WriteOutcomeUnknown("database crane-test", "the connection was lost", "Look")

    async def pause(self, seconds: float) -> None:
        self.paused.append(seconds)
        self._go_on()

    def _go_on(self) -> None:
        if len(self.paused) == self.done_after:
            self.db.execute(f"BEGIN; {self._sql} COMMIT")


class TestALostReplyToTheImport:
    @pytest.mark.parametrize("done_after", [0, 3])
    async def test_is_settled_by_the_rows_also_where_d1_gets_to_it_later(self, tmp_path: Path, done_after: int) -> None:
        target, said = LosesReplies(tmp_path / "target.sqlite", done_after=done_after), list[str]()
        target.db.execute(MANY)
        with closing(apsw.Connection(str(tmp_path / "backup.sqlite"))) as backup:
            backup.execute(EVERYTHING)
            await load(target, backup, said.append, target.pause)
            assert await compare(target, backup) == []
        assert said[-1] == "crane-test: every row was compared with the backup, and all are equal"
        assert len(target.paused) == done_after

    async def test_that_never_ran_is_said(self, tmp_path: Path) -> None:
        target = LosesReplies(tmp_path / "target.sqlite", done_after=None)
        with closing(apsw.Connection(str(tmp_path / "backup.sqlite"))) as backup:
            backup.execute(EVERYTHING)
            with pytest.raises(DataError) as unknown:
                await load(target, backup, lambda _: None, target.pause)
        assert str(unknown.value) == (
            "database crane-test: whether the backup is there is unknown (the connection was lost): the database has all of it or is as before. "
            "Wait until D1 is done with it, then restore again."
        )


async def test_a_database_that_is_in_use_is_emptied_first(tmp_path: Path) -> None:
    target = D1Like(tmp_path / "target.sqlite")
    target.db.execute(EVERYTHING)
    schema = await read_schema(target)
    target.db.execute("PRAGMA foreign_keys = ON")
    for statement in dropping_statements(target.db, schema, "target"):
        target.db.execute(statement)
    assert await read_schema(target) == []


class TestTheFile:
    async def test_its_name_has_the_database_the_time_and_a_checksum(self, tmp_path: Path) -> None:
        source = D1Like(tmp_path / "source.sqlite")
        source.db.execute(MANY)
        backup = await backup_of(source, tmp_path)
        name = read_name(backup.name)
        assert name
        assert (name.database, name.time) == ("crane-test", "20261129T030000Z")
        assert backup.stat().st_mode & 0o077 == 0
        assert backup.stat().st_size < (tmp_path / "copy.sqlite").stat().st_size / 2

    @pytest.mark.parametrize("place", [0, 40, -1])
    async def test_a_changed_byte_is_noticed(self, tmp_path: Path, place: int) -> None:
        source = D1Like(tmp_path / "source.sqlite")
        source.db.execute(MANY)
        backup = await backup_of(source, tmp_path)
        content = bytearray(backup.read_bytes())
        content[place] ^= 1
        backup.write_bytes(content)
        with pytest.raises(DataError, match="its bytes are not those that were written"):
            unpack(backup, tmp_path / "plain.sqlite")

    async def test_rows_that_are_not_the_ones_written_are_noticed(self, tmp_path: Path) -> None:
        source = D1Like(tmp_path / "source.sqlite")
        source.db.execute(MANY)
        note = unpack(await backup_of(source, tmp_path), tmp_path / "plain.sqlite")
        with closing(apsw.Connection(str(tmp_path / "plain.sqlite"))) as db:
            await check_file(db, note, "backup")
            db.execute("UPDATE t SET n = n + 1 WHERE id = 5")
            with pytest.raises(DataError, match="table t has 2,000 rows that are not the 2,000 rows which were written"):
                await check_file(db, note, "backup")

    def test_another_file_is_no_backup(self, tmp_path: Path) -> None:
        other = tmp_path / "db.sqlite.gz"
        other.write_bytes(b"x")
        with pytest.raises(DataError, match="its name is not that of a backup"):
            unpack(other, tmp_path / "plain.sqlite")
        content = gzip.compress(b"no database")
        wrong = tmp_path / "db-20261129T030000Z-0123456789abcdef.sqlite.gz"
        wrong.write_bytes(content)
        right = wrong.rename(tmp_path / f"db-20261129T030000Z-{hashlib.sha256(content).hexdigest()[:16]}.sqlite.gz")
        with pytest.raises(DataError, match="it is damaged, or not a backup"):
            unpack(right, tmp_path / "plain.sqlite")

    def test_the_newest_comes_first_and_others_do_not_count(self) -> None:
        names = ["a-20260101T000000Z-0123456789abcdef.sqlite.gz", "a-20270101T000000Z-0123456789abcdef.sqlite.gz", "b.gz"]
        other = "a-b-20280101T000000Z-0123456789abcdef.sqlite.gz"
        assert [name.time[:4] for name in of_database([*names, other], "a")] == ["2027", "2026"]


class TestComparing:
    @pytest.mark.parametrize(
        ("change", "what"),
        [
            ("UPDATE t SET n = 0.25 WHERE id = 7", "t has 2 rows missing, or not in the file"),
            ("DELETE FROM codes WHERE k = 'm100'", "codes has 1 row missing, or not in the file"),
            ("INSERT INTO t VALUES (999999, 'x', 1)", "t has 1 row missing, or not in the file"),
            ("CREATE INDEX more ON t (n)", "index more is not as in the file"),
            ("DROP TABLE codes", "table codes is missing"),
        ],
    )
    async def test_each_row_and_object_that_differs_is_counted(self, tmp_path: Path, change: str, what: str) -> None:
        source = D1Like(tmp_path / "source.sqlite")
        source.db.execute(MANY)
        copied = await copy_database(source, tmp_path / "copy.sqlite")
        source.db.execute(change)
        with closing(apsw.Connection(str(copied.path))) as db:
            assert list(map(str, await compare(source, db))) == [what]
