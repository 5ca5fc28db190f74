"""Lint of files accepts what every stack file accepts, refuses in one line what it cannot read, and starts without an HTTP client."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from crane_infra import catalog
from crane_infra.commands.migration_files import accepted_by_all, lint_folders, new_migration
from crane_infra.errors import SettingsError
from tests import command_line
from tests.repository import ROOT
from tests.world.engine import clean_environment

DATABASE = "crane-context-db"
CONTRACT = "ALTER TABLE sessions DROP COLUMN host;\n"
FOLDER = "crane-context/migrations"
FIRST = ("0001_create_sessions.sql", "0002_index_sessions_by_heartbeat.sql")
SLOW_TO_IMPORT = {"asyncio", "cloudflare", "httpx", "pulumi", "rich", "stamina"}
LINT = """import sys
from crane_infra.cli.main import main
sys.argv = ["crane", "migrations", "lint", "--workers-dir", "workers"]
try:
    main()
except SystemExit:
    print(*sys.modules)
"""


def write_stacks(folder: Path, **accepted: object) -> None:
    """Stack files that accept this."""
    for environment, findings in accepted.items():
        databases = {DATABASE: {"name": f"db-{environment}", "accept-findings": findings}}
        (folder / f"Pulumi.{environment}.yaml").write_text(yaml.safe_dump({"config": {"crane-infra:databases": databases}}))


def test_a_finding_is_accepted_where_every_stack_accepts_it(tmp_path: Path) -> None:
    both = {"0004_x.sql": ["contract-not-declared", "loses-rows"]}
    write_stacks(tmp_path, staging=both, production={"0004_x.sql": ["contract-not-declared"]})
    assert accepted_by_all(tmp_path, "crane-infra") == {DATABASE: {"0004_x.sql": ["contract-not-declared"]}}
    write_stacks(tmp_path, production={})
    assert accepted_by_all(tmp_path, "crane-infra") == {DATABASE: {"0004_x.sql": []}}


def test_what_is_accepted_is_reported_as_a_warning(tmp_path: Path) -> None:
    workers = tmp_path / "workers"
    shutil.copytree(ROOT / "workers", workers)
    added = new_migration(catalog.crane(), workers, DATABASE, "drop_host")
    added.write_text(CONTRACT, encoding="utf-8")
    for accepted, levels in (({}, {"error"}), ({DATABASE: {added.name: ["contract-not-declared"]}}, {"warning"})):
        found = {one.file.name: one for one in lint_folders(catalog.crane(), workers, None, accepted)}
        assert {one.level for one in found[added.name].findings if one.rule == "contract-not-declared"} == levels


def test_lint_of_files_imports_no_http_client_and_no_sdk() -> None:
    result = subprocess.run([sys.executable, "-c", LINT], cwd=ROOT, capture_output=True, text=True, check=True)
    summary, modules = result.stdout.splitlines()
    assert summary == "7 files: 0 errors, 0 warnings"
    assert SLOW_TO_IMPORT & set(modules.split()) == set()


@pytest.mark.parametrize(
    ("findings", "text"),
    [
        (
            {"0004_x.sql": ["no-such-rule"]},
            "0004_x.sql.0: there is no rule no-such-rule; docs/lint.md lists the rules. Correct it in the stack file.",
        ),
        (["0004_x.sql"], "Input should be a valid dictionary. Correct it in the stack file."),
    ],
)
def test_what_a_stack_file_cannot_mean_is_one_line(tmp_path: Path, findings: object, text: str) -> None:
    write_stacks(tmp_path, staging=findings, production={})
    with pytest.raises(SettingsError) as caught:
        accepted_by_all(tmp_path, "crane-infra")
    assert str(caught.value).startswith(f"Pulumi.staging.yaml crane-infra:databases.{DATABASE}.accept-findings")
    assert str(caught.value).endswith(text)


def lint_with_base(workers: Path, monkeypatch: pytest.MonkeyPatch) -> subprocess.CompletedProcess[str]:
    """Lint on the command line, with a catalog that names a base schema among the migrations."""
    made = catalog.crane()
    database = made.databases[DATABASE].model_copy(update={"base": f"{FOLDER}/schema.sql", "baseline": 2})
    monkeypatch.setattr(catalog, "crane", lambda: made.model_copy(update={"databases": {**made.databases, DATABASE: database}}))
    return command_line.crane("migrations", "lint", "--workers-dir", str(workers), environ=clean_environment(), cwd=ROOT)


def test_lint_of_a_real_folder_takes_its_base_schema_and_says_what_is_no_migration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    workers = tmp_path / "workers"
    shutil.copytree(ROOT / "workers", workers)
    folder = workers / FOLDER
    (folder / "schema.sql").write_text("".join((folder / name).read_text(encoding="utf-8") for name in FIRST), encoding="utf-8")
    (folder / "0005_A.SQL").write_text("DROP TABLE sessions;\n", encoding="utf-8")
    (folder / "0006_x.sql").mkdir()
    (folder / "meta").mkdir()
    (folder / "meta" / "_journal.json").write_text("{}", encoding="utf-8")
    linted = lint_with_base(workers, monkeypatch)
    assert (linted.returncode, linted.stdout) == (0, "6 files: 0 errors, 0 warnings\n"), linted.stdout
    assert linted.stderr == (
        f"{DATABASE}: left out, because they are no migrations: 0005_A.SQL (only names that end in .sql, in lower case, are migrations), "
        "0006_x.sql/, meta/\n"
    )
    (folder / "schema.sql").write_text("CREATE TABLE sessions (id TEXT, host TEXT);\n", encoding="utf-8")
    linted = lint_with_base(workers, monkeypatch)
    assert linted.returncode == 3
    assert (
        f"error: workers/{FOLDER}/0003_add_host_to_sessions.sql, statement 1: SQLite refuses it (duplicate column name: host)"
        in linted.stdout
    )
    (folder / "0006_x.sql" / "a.sql").write_text("CREATE TABLE x (y TEXT);\n", encoding="utf-8")
    linted = lint_with_base(workers, monkeypatch)
    assert (linted.returncode, linted.stdout) == (1, "")
    assert linted.stderr.startswith(
        f"error: workers/{FOLDER}/0006_x.sql: it holds a.sql but no migration.sql, so it is not a migration. Name the file"
    )
