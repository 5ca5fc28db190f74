"""One SQLite everywhere, brought along and newer than many machines have: what D1's takes is no finding, and the schema can be compared."""

import subprocess
import sys
from pathlib import Path

import apsw
import pytest
from typer.testing import CliRunner

from crane_infra.cli.app import make_app
from crane_infra.migrations.files.read import MigrationFile
from crane_infra.migrations.sqlite.schema import expected_schema
from tests.migrations.builders import file
from tests.migrations.lint.linting import Lint, findings
from tests.repository import ROOT

TABLE = "CREATE TABLE t (a INTEGER, b TEXT);"
NEWER = {
    "ORDER BY in an aggregate": "CREATE VIEW v AS SELECT group_concat(b, ',' ORDER BY a) AS joined FROM t;",
    "underscores in a number": "UPDATE t SET a = 1_000_000 WHERE a > 0xF_F + 1_0;",
    "an option of FTS5": "CREATE VIRTUAL TABLE words USING fts5 (word, content='', contentless_unindexed=1);",
    "a locale in FTS5": "CREATE VIRTUAL TABLE words USING fts5 (word, locale=1);",
    "a function of this decade": "UPDATE t SET b = concat_ws('-', b, octet_length(b)) WHERE a = 1;",
    "a limited change": "DELETE FROM t WHERE a > 1 ORDER BY b LIMIT 10;",
    "a limited change with a FROM": "UPDATE t SET b = 'x' WHERE a > 1 LIMIT 10 OFFSET 1;",
}


@pytest.mark.parametrize("sql", NEWER.values(), ids=NEWER)
def test_what_d1_takes_is_no_finding(judge: Lint, sql: str) -> None:
    assert judge(sql, before=TABLE) == ()


@pytest.mark.parametrize("sql", NEWER.values(), ids=NEWER)
def test_the_schema_of_such_a_file_can_be_compared(sql: str) -> None:
    made = (file("1_a.sql", statements=(TABLE,)), file("2_b.sql", statements=(sql.rstrip(";"),)))
    assert expected_schema(made)["table t"] == TABLE.rstrip(";")


def test_the_tail_of_a_limited_change_is_judged_too() -> None:
    wrong = file("2_b.sql", statements=("DELETE FROM t WHERE a > 1 ORDER BY nothing LIMIT 10",))
    files: list[MigrationFile] = [file("1_a.sql", statements=(TABLE,)), wrong]
    assert [(found.rule, "nothing" in found.what) for found in findings(files, files[1:])] == [("not-understood", True)]


def test_the_help_of_lint_says_which_sqlite_judges() -> None:
    shown = CliRunner().invoke(make_app("migrations"), ["migrations", "lint", "--help"])
    assert f"SQLite {apsw.sqlite_lib_version()}" in " ".join(shown.output.split())


def test_no_other_sqlite_is_imported() -> None:
    code = "import sys, crane_infra.cli.migrations_plan, crane_infra.cli.migrations_baseline; sys.exit('sqlite3' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def test_the_project_names_one_exact_version() -> None:
    pinned = [line for line in Path(ROOT / "pyproject.toml").read_text(encoding="utf-8").splitlines() if '"apsw' in line]
    assert len(pinned) == 1
    assert f'"apsw=={apsw.sqlite_lib_version()}' in pinned[0]
