"""A first update that stopped half-way: nothing uses the database, so its pending files are judged with those that were applied."""

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from crane_infra.migrations.files.read import SchemaFiles
from crane_infra.migrations.judgement import judge
from crane_infra.migrations.ledger import Ledger, LedgerEntry, Origin
from tests.migrations.builders import write_files

FILES = {
    "0001_users.sql": "CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT, old TEXT);",
    "0002_seed.sql": "INSERT INTO users VALUES (1, 'a', 'b');",
    "0003_drop.sql": "ALTER TABLE users DROP COLUMN old;",
}


def ledger_of(*origins: Origin | None, base: str = "") -> Ledger:
    """A ledger of the first files, each with its origin (None stands for wrangler), and of a base schema with this token."""
    entries = (_entry(name, origin) for name, origin in zip(FILES, origins, strict=False))
    began = replace(_entry("base.sql", "base"), token=base, listed=False) if base else None
    return Ledger(tuple(entries), populated=bool(origins), ready=True, base=began)


def _entry(name: str, origin: Origin | None) -> LedgerEntry:
    if origin is None:
        return LedgerEntry(name, listed=True)
    sha256 = hashlib.sha256(FILES.get(name, "").encode()).hexdigest()
    return LedgerEntry(name, listed=True, sha256=sha256, origin=origin, token="token", release="r", started_at="2026", done_at="2026")


def findings(tmp_path: Path, ledger: Ledger, *, in_use: bool) -> list[str]:
    files = write_files(tmp_path / "files", FILES)
    return [finding.rule for finding in judge("db", SchemaFiles(files, in_use=in_use), ledger).findings]


def test_a_pending_file_may_change_what_applied_ones_made_where_nothing_uses_it(tmp_path: Path) -> None:
    half = ledger_of("applied", "applied")
    assert findings(tmp_path, half, in_use=False) == findings(tmp_path, Ledger(), in_use=True) == []
    assert "contract-not-declared" in findings(tmp_path, half, in_use=True)


@pytest.mark.parametrize("origin", [None, "adopted", "baseline"])
def test_a_database_that_had_a_life_before_is_in_use_whatever_serves(tmp_path: Path, origin: Origin | None) -> None:
    assert "contract-not-declared" in findings(tmp_path, ledger_of("applied", origin), in_use=False)


@pytest.mark.parametrize(
    ("ledger", "ours"),
    [
        (Ledger(), True),
        (Ledger(populated=True), False),
        (ledger_of("applied"), True),
        (ledger_of(None), False),
        (ledger_of("baseline"), False),
        (ledger_of("baseline", base="token"), True),
        (ledger_of("baseline", base="another"), False),
    ],
)
def test_a_ledger_is_ours_if_runs_wrote_all_of_it(ledger: Ledger, ours: bool) -> None:  # noqa: FBT001
    assert ledger.is_ours is ours
