"""What a run refuses is said at once, in the order of the files: what the ledger contradicts, what cannot be run, and what lint stops."""

from pathlib import Path

from crane_infra.cli import migrations_text
from crane_infra.migrations.files.read import SchemaFiles, read_base
from crane_infra.migrations.judgement import judge
from crane_infra.migrations.ledger import Ledger, LedgerEntry
from tests.migrations.builders import applied, write_files

FILES = {
    "0001_a.sql": "CREATE TABLE a (x TEXT, y TEXT);",
    "0002_b.sql": "CREATE TABLE b (x TEXT);",
    "0003_drops.sql": "ALTER TABLE a DROP COLUMN y;",
    "0004_cut.sql": "DELETE FROM b",
    "0005_drops.sql": "DROP TABLE b;",
}


def ledger(tmp_path: Path, *edited: str) -> tuple[SchemaFiles, Ledger]:
    """A database that has the first two files, of which some were edited since."""
    files = write_files(tmp_path / "files", FILES)
    entries = (LedgerEntry(**{**vars(applied(file)), **({"sha256": "other"} if file.name in edited else {})}) for file in files[:2])
    return SchemaFiles(files), Ledger(tuple(entries), populated=True, ready=True)


def test_every_file_that_is_refused_for_whatever_reason_is_named_in_order(tmp_path: Path) -> None:
    judgement = judge("db", *ledger(tmp_path, "0002_b.sql"))
    assert judgement.refusal is not None
    where = [error.where.removeprefix("workers/x/migrations/") for error in judgement.refusal.errors]
    names = [text.partition(",")[0] for text in where]
    assert names == sorted(names)
    assert set(names) == {"0002_b.sql", "0003_drops.sql", "0004_cut.sql", "0005_drops.sql"}
    assert [line.split()[0] for line in migrations_text.plan(judgement).splitlines()[1:]] == ["refused"] * len(where)


def test_a_file_that_a_run_started_and_did_not_end_comes_alone(tmp_path: Path) -> None:
    schema, known = ledger(tmp_path)
    first, second = known.entries
    started = Ledger((first, LedgerEntry(**{**vars(second), "done_at": None})), populated=True, ready=True)
    refusal = judge("db", schema, started).refusal
    assert refusal is not None
    assert [error.where for error in refusal.errors] == ["workers/x/migrations/0002_b.sql"]


def test_what_the_base_schema_of_a_new_database_makes_is_not_in_use_yet(tmp_path: Path) -> None:
    path = tmp_path / "schema.sql"
    path.write_text(f"{FILES['0001_a.sql']}\n{FILES['0002_b.sql']}\n", encoding="utf-8")
    schema, _ = ledger(tmp_path)
    refusal = judge("db", SchemaFiles(schema.files, read_base(path, "workers/x/schema.sql", 2)), Ledger()).refusal
    assert refusal is not None
    assert {error.where.partition(",")[0].rpartition("/")[2] for error in refusal.errors} == {"0004_cut.sql"}


def test_a_database_whose_ledger_says_nothing_is_refused_alone(tmp_path: Path) -> None:
    schema, _ = ledger(tmp_path)
    refusal = judge("db", schema, Ledger(populated=True)).refusal
    assert refusal is not None
    assert [error.where for error in refusal.errors] == ["db"]
