"""crane migrations, as a person runs it beside Pulumi: it tells where the databases of a stack stand, and wrangler agrees."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engine.runs import ROOT, clean_environment
from tests.engine.world import World, local_world
from tests.wrangler import Wrangler

DATABASE, SHOWN = "crane-context-db", "crane-context-db-staging"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Staging deployed and proven."""
    with local_world(tmp_path_factory.mktemp("commands")) as made:
        run = made.up("staging")
        assert run.exit == 0, run.said
        yield made


def crane(world: World, *words: str) -> subprocess.CompletedProcess[str]:
    """Run ``crane migrations`` on staging."""
    environ = {**world.engine.environ, "PULUMI_OPTION_CWD": str(world.project.folder)}
    command = [str(Path(sys.executable).parent / "crane"), "migrations", *words, "-s", "staging"]
    return subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False)


def pending_for_wrangler(world: World, tmp_path: Path) -> str:
    """What wrangler lists as pending."""
    found = world.api("GET", f"/d1/database?name={SHOWN}")["result"][0]["uuid"]
    migrations = str(world.workers / "crane-context" / "migrations")
    bound = {"binding": "DB", "database_name": SHOWN, "database_id": found, "migrations_dir": migrations}
    (tmp_path / "wrangler.json").write_text(json.dumps({"name": "w", "compatibility_date": "2026-01-01", "d1_databases": [bound]}))
    return Wrangler(world.cloud, tmp_path)("d1", "migrations", "list", "DB", "--remote", cwd=tmp_path).stdout


def test_all_is_settled_after_an_update_and_wrangler_agrees(world: World, tmp_path: Path) -> None:
    said = crane(world, "status")
    assert (said.returncode, said.stdout.count("; 0 pending")) == (0, 2), said.stderr
    assert "No migrations to apply" in pending_for_wrangler(world, tmp_path)
    assert crane(world, "verify").returncode == 0


def test_a_new_file_takes_the_next_number_and_is_pending_for_both(world: World, tmp_path: Path) -> None:
    made = crane(world, "new", "add_notes", "-d", DATABASE)
    assert made.returncode == 0, made.stderr
    path = Path(made.stdout.strip())
    assert path.name == "0005_add_notes.sql"
    path.write_text("CREATE TABLE notes (text TEXT);\n", encoding="utf-8")
    said = crane(world, "status", "--json")
    (context, _) = json.loads(said.stdout)["databases"]
    assert (said.returncode, context["pending"], context["refusal"]) == (3, ["0005_add_notes.sql"], None)
    assert "0005_add_notes.sql" in pending_for_wrangler(world, tmp_path)
    path.unlink()


def test_a_schema_that_was_changed_by_hand_is_shown_as_a_diff(world: World) -> None:
    world.rows(SHOWN, "ALTER TABLE sessions ADD COLUMN by_hand TEXT")
    said = crane(world, "verify", "-d", DATABASE)
    assert said.returncode == 3
    assert any(line.startswith("+CREATE TABLE sessions") and "by_hand" in line for line in said.stdout.splitlines())
    world.rows(SHOWN, "ALTER TABLE sessions DROP COLUMN by_hand")


def test_what_is_wrong_is_one_line(world: World) -> None:
    for words, line in (
        (
            ("status", "-d", "nothing"),
            "error: database nothing: the catalog has no such database. Use one of crane-context-db, crane-classifier-db.\n",
        ),
        (("new", "a b", "-d", DATABASE), "error: a b: it is no name of a migration. Use letters, digits, - and _.\n"),
        (
            ("baseline", "-d", DATABASE),
            f"error: {SHOWN}: its ledger has 4 migrations already, up to 0004_create_smoke_writes.sql. There is nothing to take on.\n",
        ),
    ):
        said = crane(world, *words)
        assert (said.returncode, said.stderr) == (1, line)


def test_without_pulumi_on_the_path_it_says_so(world: World) -> None:
    environ = {**clean_environment(), "PATH": str(world.project.folder)}
    command = [str(Path(sys.executable).parent / "crane"), "migrations", "status", "-s", "staging"]
    said = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False)
    assert (said.returncode, said.stderr) == (
        1,
        "error: pulumi: is not on PATH. Run make engine, or open the shell of crane local env.\n",
    )
