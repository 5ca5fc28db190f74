"""What a preview says about migrations: each thing once, and forty lines at most, however many files are pending."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from crane_infra.migrations.files.read import SchemaFiles
from crane_infra.migrations.judgement import Judgement, judge
from crane_infra.migrations.ledger import Ledger
from crane_infra.program.announce.migration_lines import cost_lines, migration_lines
from tests.migrations.builders import applied, ledger, write_files

MOST = 40
REBUILD = (
    "PRAGMA foreign_keys=OFF; CREATE TABLE new_t{n} (x TEXT NOT NULL); INSERT INTO new_t{n} SELECT x FROM t{n}; DROP TABLE t{n}; "
    "ALTER TABLE new_t{n} RENAME TO t{n}; PRAGMA foreign_keys=ON;"
)


def judged(folder: Path, count: int, text: str, *, imported: int = 0) -> Judgement:
    """A database that gets so many files with this text, after files that wrangler applied."""
    names = {f"{number:04}_f.sql": text.format(n=number) for number in range(1, imported + count + 1)}
    files = write_files(folder / "files", names)
    known = ledger(*(applied(file, by_wrangler=True) for file in files[:imported])) if imported else Ledger()
    return judge("db-staging", SchemaFiles(files), known)


def lines_of(judgement: Judgement) -> list[str]:
    return [line for message in migration_lines(judgement) for line in message.text.splitlines()]


def test_up_to_ten_pending_files_have_a_line_each_below_a_heading(tmp_path: Path) -> None:
    judgement = judged(tmp_path, 10, "CREATE TABLE t{n} (x TEXT);")
    first, tenth = judgement.plan.apply[0], judgement.plan.apply[-1]
    heading, *files = lines_of(judgement)
    assert heading == "db-staging: 10 pending migrations"
    assert files[0] == f"db-staging: pending 0001_f.sql (expand, {first.sha256[:12]}, tables t1)"
    assert files[-1] == f"db-staging: pending 0010_f.sql (expand, {tenth.sha256[:12]}, tables t10)"
    assert len(files) == 10


def test_more_are_summed_up(tmp_path: Path) -> None:
    judgement = judged(tmp_path, 500, "CREATE TABLE t{n} (x TEXT);")
    assert lines_of(judgement) == ["db-staging: 500 files, 0001_f.sql to 0500_f.sql are pending: 500 expand"]


def test_many_imports_and_many_findings_are_summed_up_too(tmp_path: Path) -> None:
    imports, pending, *findings = lines_of(judged(tmp_path, 30, "CREATE TABLE t{n} (x TEXT); " + REBUILD, imported=20))
    assert imports == "db-staging: imports from wrangler: 20 files, 0001_f.sql to 0020_f.sql"
    assert pending == "db-staging: 30 files, 0021_f.sql to 0050_f.sql are pending: 30 expand"
    assert findings[0] == "db-staging: lint has 60 warnings; crane migrations lint shows each"
    assert "db-staging: ignored-pragma: 60, the first in workers/x/migrations/0021_f.sql, statement 2" in findings


@pytest.mark.parametrize("count", [1, 10, 11, 500])
@pytest.mark.parametrize("text", ["SELECT 1;", "CREATE TABLE t{n} (x TEXT);", "CREATE TABLE t{n} (x TEXT); " + REBUILD])
def test_no_line_stands_twice_and_there_are_forty_at_most(tmp_path: Path, count: int, text: str) -> None:
    lines = lines_of(judged(tmp_path, count, text))
    assert 0 < len(lines) <= MOST
    assert Counter(lines).most_common(1)[0][1] == 1
    messages = list(migration_lines(judged(tmp_path, count, text)))
    assert len(messages) == len({message.is_warning for message in messages}), "the engine repeats the first line of each message"


def test_what_the_files_cost_is_one_message_with_ten_lines_below_its_heading(tmp_path: Path) -> None:
    costs = ("counted", *(f"{number:04}_f.sql: of the 5 rows of t: 1 deleted by statement 1" for number in range(1, 13)))
    (message,) = cost_lines(replace(judged(tmp_path, 1, "SELECT 1;"), costs=costs), lambda text: text.replace("0001", "***"))
    heading, first, *more, last = message.text.splitlines()
    assert heading == "db-staging: counted"
    assert first == "db-staging: ***_f.sql: of the 5 rows of t: 1 deleted by statement 1"
    assert (len(more), last) == (9, "db-staging: 2 more lines; crane migrations plan shows each")
    assert not list(cost_lines(judged(tmp_path, 1, "SELECT 1;"), str))
