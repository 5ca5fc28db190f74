"""crane migrations, as a person runs it beside Pulumi: it tells where the databases of a stack stand, and wrangler agrees."""

import hashlib
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from crane_infra.rehearsal import project
from tests import command_line
from tests.repository import ROOT
from tests.world.copies import promoted_world
from tests.world.engine import clean_environment
from tests.world.world import World, edited
from tests.wrangler import Wrangler

pytestmark = [pytest.mark.engine, pytest.mark.cloud, pytest.mark.npm]

DATABASE, SHOWN = "crane-context-db", "crane-context-db-staging"
LAST = "0004_create_smoke_writes.sql"
NOTHING = "It needs no baseline. To record a difference of its schema, name it with --accept"


@pytest.fixture(autouse=True)
def files_stay(world: World) -> Iterator[None]:
    """Put the migrations back as they were."""
    folder = world.workers / "crane-context" / "migrations"
    kept = {path.name for path in folder.iterdir()}
    yield
    for path in folder.iterdir():
        if path.name not in kept:
            path.unlink()


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Staging deployed and proven, and production with the same release."""
    with promoted_world(tmp_path_factory) as made:
        yield made


def crane(world: World, *words: str, stack: str = "staging") -> subprocess.CompletedProcess[str]:
    """Run ``crane migrations`` on a stack."""
    environ = {**world.engine.environ, "PULUMI_OPTION_CWD": str(world.project.folder)}
    return command_line.crane("migrations", *words, "-s", stack, environ=environ, cwd=ROOT)


def lint(workers: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run ``crane migrations lint`` on a folder, with no stack and no credentials."""
    return command_line.crane("migrations", "lint", "--workers-dir", str(workers), *words, environ=clean_environment(), cwd=ROOT)


def new_file(world: World, name: str, text: str) -> Path:
    """Make the next migration of the context database."""
    path = Path(crane(world, "new", name, "-d", DATABASE).stdout.strip())
    path.write_text(text, encoding="utf-8")
    return path


def sha256(path: Path) -> str:
    """The digest of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def pending_for_wrangler(world: World, tmp_path: Path) -> str:
    """What wrangler lists as pending."""
    found = world.api("GET", f"/d1/database?name={SHOWN}")["result"][0]["uuid"]
    migrations = str(world.workers / "crane-context" / "migrations")
    bound = {"binding": "DB", "database_name": SHOWN, "database_id": found, "migrations_dir": migrations}
    (tmp_path / "wrangler.json").write_text(json.dumps({"name": "w", "compatibility_date": "2026-01-01", "d1_databases": [bound]}))
    return Wrangler(world.cloud, tmp_path)("d1", "migrations", "list", "DB", "--remote", cwd=tmp_path).stdout


def test_a_rehearsal_says_what_pending_files_do_to_the_rows_and_applies_nothing(world: World, tmp_path: Path) -> None:
    assert "nothing is pending, so nothing was tried" in crane(world, "rehearse").stdout
    new_file(world, "notes", "CREATE TABLE notes (id INTEGER PRIMARY KEY);\nINSERT INTO notes VALUES (1), (2);\n")
    output = crane(world, "rehearse", "-d", DATABASE, "--summary", str(tmp_path / "summary.md"))
    assert (output.returncode, output.stderr) == (0, "")
    assert "    notes: is new, with 2 rows\n  foreign keys and integrity: sound" in output.stdout
    assert "| `crane-context-db` | `0005_notes.sql` | `notes` | none | 2 | 2 | 0 | 0 | 0 |" in (tmp_path / "summary.md").read_text()
    assert "; 1 pending" in crane(world, "status", "-d", DATABASE).stdout


def test_a_rehearsal_runs_the_checks_of_the_stack_over_its_rows_and_says_where_it_did_not(world: World) -> None:
    new_file(world, "notes", "CREATE TABLE notes (id INTEGER PRIMARY KEY);\n")
    output = crane(world, "rehearse", "--json")
    shown = json.loads(output.stdout)["checks"]
    assert (output.returncode, shown["ran"], shown["passes"], len(shown["results"])) == (0, True, True, 9)
    assert {"worker": "crane-context", "check": "writes D1", "passed": True, "expected": "", "came": ""}.keys() == shown["results"][
        0
    ].keys()
    assert "writes D1" in [result["check"] for result in shown["results"]]
    assert world.rows("crane-context-db-staging", "SELECT name FROM sqlite_master WHERE name = 'notes'") == []

    alone = crane(world, "rehearse", "-d", DATABASE).stdout
    assert "the checks of the release were not run: they need crane-classifier-db too; leave --database out" in alone
    project.configure(world.project, "production", {"require-rehearsal": True})
    left_open = crane(world, "rehearse", "--no-checks", stack="production")
    project.configure(world.project, "production", {"require-rehearsal": None})
    assert (left_open.returncode, "\nRehearsed: " in left_open.stdout) == (0, False)
    assert left_open.stdout.endswith(
        "the checks of the release were not run: --no-checks says so\n"
        "Not rehearsed: require-rehearsal needs the checks of the release, on the local cloud\n"
    )


def test_a_backup_of_a_stack_is_restored_into_a_local_cloud_and_compared(world: World, tmp_path: Path) -> None:
    environ = {**world.engine.environ, "PULUMI_OPTION_CWD": str(world.project.folder)}

    def data(*words: str) -> subprocess.CompletedProcess[str]:
        return command_line.crane("data", *words, "-s", "staging", "-d", DATABASE, environ=environ, cwd=ROOT)

    output = data("backup", "--to", str(tmp_path), "--keep", "1")
    assert (output.returncode, output.stderr) == (0, "")
    (backup,) = tmp_path.iterdir()
    assert f"in {backup.name} (" in output.stdout
    output = data("test-backup", "--from", str(tmp_path))
    assert (output.returncode, output.stderr) == (0, "")
    assert f"{DATABASE}-restored: every row was compared with the backup, and all are equal" in output.stdout


def test_all_is_settled_after_an_update_and_wrangler_agrees(world: World, tmp_path: Path) -> None:
    output = crane(world, "status")
    assert (output.returncode, output.stdout.count("; 0 pending")) == (0, 2), output.stderr
    assert "No migrations to apply" in pending_for_wrangler(world, tmp_path)
    assert crane(world, "verify").returncode == 0


def test_a_new_file_takes_the_next_number_and_is_pending_for_both(world: World, tmp_path: Path) -> None:
    made = crane(world, "new", "add_notes", "-d", DATABASE)
    assert made.returncode == 0, made.stderr
    path = Path(made.stdout.strip())
    assert path.name == "0005_add_notes.sql"
    path.write_text("CREATE TABLE notes (text TEXT);\n", encoding="utf-8")
    output = crane(world, "status", "--json")
    (context, _) = json.loads(output.stdout)["databases"]
    assert (output.returncode, context["pending"], context["refusal"]) == (3, ["0005_add_notes.sql"], None)
    assert "0005_add_notes.sql" in pending_for_wrangler(world, tmp_path)
    path.unlink()


def refusals_in(output: str) -> list[str]:
    """The findings that stop a run in an output, each from the path of its file on and up to its rule, in the order of the output."""
    text = re.findall(r"^ *(?:error:|refused)? *(\S*migrations/\d+_\w+\.sql(?:, statement \d+)?: .*?)\.?$", output, re.MULTILINE)
    return list(dict.fromkeys(text))


def test_a_plan_says_of_each_pending_file_what_it_does_and_lint_a_preview_and_an_update_refuse_the_same_at_once(world: World) -> None:
    bad, good = new_file(world, "drop_hosts", "DROP TABLE sessions;\n"), new_file(world, "notes", "CREATE TABLE notes (text TEXT);\n")
    more = new_file(world, "more", "ALTER TABLE smoke_writes ADD COLUMN a TEXT NOT NULL;\nDELETE FROM smoke_writes;\n")
    other = world.workers / "crane-classifier" / "migrations" / "0004_other.sql"
    other.write_text("DROP TABLE missing;\n", encoding="utf-8")
    planned = crane(world, "plan", "-d", DATABASE)
    assert f"  apply  0005_drop_hosts.sql  contract  {sha256(bad)[:12]}  tables sessions\n" in planned.stdout
    assert f"  apply  0006_notes.sql  expand  {sha256(good)[:12]}  tables notes\n" in planned.stdout
    with edited(world.workers / "crane-context" / "migrations" / "0002_index_sessions_by_heartbeat.sql", "CREATE INDEX", "CREATE  INDEX"):
        refused = crane(world, "plan")
        preview, update = world.engine.run("preview", "--stack", "staging"), world.up("staging")
    linted = lint(world.workers)
    other.unlink()
    more.unlink()
    assert (refused.returncode, preview.exit != 0, update.exit != 0, linted.returncode) == (3, True, True, 3)
    told = [refusals_in(output) for output in (refused.stdout, preview.output, update.output)]
    assert told[0] == told[1] == told[2]
    by_file = [text.rpartition("migrations/")[2][:4] for text in told[0]]
    assert by_file == ["0002", "0005", "0007", "0007", "0004"]
    assert refusals_in(linted.stdout) == told[0][1:]
    for output in (refused.stdout, preview.output, update.output, linted.stdout):
        assert str(world.project.folder) not in output, "every path is short"
    bad.write_text("CREATE TABLE hosts (name TEXT);\n", encoding="utf-8")
    planned = crane(world, "plan", "-d", DATABASE, "--json")
    (database,) = json.loads(planned.stdout)["databases"]
    assert (planned.returncode, database["refusal"]) == (0, None)
    assert [(one["name"], one["class"], one["tables"]) for one in database["pending"]] == [
        ("0005_drop_hosts.sql", "expand", ["hosts"]),
        ("0006_notes.sql", "expand", ["notes"]),
    ]
    shown = world.engine.run("preview", "--stack", "staging", "--diff").output
    assert f"{SHOWN}: pending 0006_notes.sql (expand, {sha256(good)[:12]}, tables notes)" in shown
    assert sha256(good) not in shown, "the record of the migrations says nothing that this line does not say"


def test_lint_judges_files_without_a_database_and_those_since_a_revision_alone(world: World, tmp_path: Path) -> None:
    made = tmp_path / "workers"
    shutil.copytree(world.workers, made)
    for words in (("init", "-q"), ("add", "-A"), ("-c", "user.name=n", "-c", "user.email=e", "commit", "-qm", "m")):
        subprocess.run(["git", "-C", str(made), *words], check=True)
    assert lint(made).returncode == 0
    folder = made / "crane-context" / "migrations"
    (folder / "0005_a.sql").write_text("ALTER TABLE sessions ADD COLUMN a TEXT;\n", encoding="utf-8")
    (folder / "0006_b.sql").write_text("-- crane: contract\nALTER TABLE sessions DROP COLUMN host;\n", encoding="utf-8")
    assert lint(made).returncode == 0, "one after the other, in releases of their own, they may run"
    since = lint(made, "--since", "HEAD", "--json")
    found = json.loads(since.stdout)["files"]
    assert (since.returncode, [one["name"] for one in found]) == (3, ["0005_a.sql", "0006_b.sql"])
    assert [one["rule"] for one in found[1]["findings"] if one["level"] == "error"] == ["contract-with-expand"]
    assert lint(made, "--since", "nothing").stderr.endswith("Name a revision of the repository that contains it.\n")
    (folder / "0006_c.sql").write_text("SELECT 1;\n", encoding="utf-8")
    taken = "workers/crane-context/migrations/0006_c.sql: the number 6 is taken by 0006_b.sql. Give the newer file the next free number"
    assert f"warning: {taken}. (cannot-run)" in lint(made).stdout.splitlines(), "a database may have got both from wrangler"
    since = lint(made, "--since", "HEAD")
    assert (since.returncode, f"error: {taken}. (cannot-run)" in since.stdout.splitlines()) == (3, True)


def test_a_schema_that_was_changed_by_hand_is_shown_as_a_diff_stops_every_run_and_can_be_accepted(world: World) -> None:
    world.rows(SHOWN, "CREATE INDEX by_hand ON sessions (host)")
    path = new_file(world, "notes", "CREATE TABLE notes (text TEXT);\n")
    output = crane(world, "verify", "-d", DATABASE)
    assert (output.returncode, "+CREATE INDEX by_hand ON sessions (host);" in output.stdout.splitlines()) == (3, True)
    (found,) = json.loads(crane(world, "verify", "-d", DATABASE, "--json").stdout)["databases"]
    assert (found["as_expected"], found["differs"]) == (False, ["index by_hand"])
    text = f"{SHOWN}: its schema differs from the one that its migrations make (index by_hand), so nothing was applied"
    for run in (crane(world, "plan"), crane(world, "apply")):
        assert (run.returncode != 0, text in run.stdout + run.stderr) == (True, True)
    assert text in world.up("staging").output
    assert crane(world, "baseline", "-d", DATABASE, "--accept", "index by_hand").returncode == 0
    assert crane(world, "verify").returncode == 0
    assert crane(world, "apply").returncode == 0
    assert crane(world, "verify").returncode == 0
    world.rows(SHOWN, "DROP TABLE notes; DROP INDEX by_hand; DELETE FROM crane_accepted")
    world.rows(SHOWN, f"DELETE FROM d1_migrations WHERE name = '{path.name}'; DELETE FROM crane_migrations WHERE name = '{path.name}'")  # noqa: S608
    path.unlink()
    assert crane(world, "status").returncode == 0


def test_an_edit_without_a_change_of_meaning_is_accepted_from_the_history_of_the_clone_or_from_a_folder(
    world: World, tmp_path: Path
) -> None:
    path = world.workers / "crane-context" / "migrations" / "0001_create_sessions.sql"
    was, earlier = path.read_bytes(), tmp_path / "earlier"
    for words in (("init", "-q"), ("add", "-A"), ("-c", "user.name=n", "-c", "user.email=e", "commit", "-qm", "m")):
        subprocess.run(["git", "-C", str(world.workers), *words], check=True)
    path.write_bytes(b"-- who is alive\n" + was)
    early = crane(world, "accept-edit", "-d", DATABASE, stack="production")
    assert (early.returncode, "staging has not accepted this version of it" in early.stderr) == (1, True), early.stderr
    assert "edited after it was applied to" in crane(world, "plan", "-d", DATABASE).stdout
    linted = crane(world, "lint")
    assert (linted.returncode, "error: workers/crane-context/migrations/0001_create_sessions.sql: edited" in linted.stdout) == (3, True)
    accepted = crane(world, "accept-edit", "-d", DATABASE)
    assert (accepted.returncode, accepted.stdout) == (0, f"{DATABASE}: accepted: {path.name}\n"), accepted.stderr
    assert crane(world, "status", "-d", DATABASE).returncode == 0
    earlier.mkdir()
    (earlier / path.name).write_bytes(path.read_bytes())
    path.write_bytes(b"-- who is alive, and since when\n" + was)
    refused = crane(world, "accept-edit", "-d", DATABASE)
    assert (refused.returncode, "is not in the history of this clone" in refused.stderr) == (1, True)
    assert crane(world, "accept-edit", "-d", DATABASE, "--before", str(earlier)).returncode == 0
    assert crane(world, "plan", "-d", DATABASE, stack="production").returncode == 3, "a pull request is still red"
    released = crane(world, "accept-edit", "-d", DATABASE, "--before", str(earlier), stack="production")
    assert (released.returncode, released.stdout) == (0, f"{DATABASE}: accepted: {path.name}\n"), released.stderr
    assert crane(world, "plan", "-d", DATABASE, stack="production").returncode == 0, "and now it is not"
    path.write_bytes(was)
    assert crane(world, "verify").returncode == 0
    for stack in ("staging", "production"):
        assert crane(world, "status", stack=stack).returncode == 0, "what was applied goes on as well"
    shutil.rmtree(world.workers / ".git")


def test_a_database_that_was_set_back_is_refused_with_the_way_out(world: World, tmp_path: Path) -> None:
    world.rows(SHOWN, "DROP TABLE smoke_writes")
    world.rows(SHOWN, f"DELETE FROM d1_migrations WHERE name = '{LAST}'; DELETE FROM crane_migrations WHERE name = '{LAST}'")  # noqa: S608
    assert LAST in pending_for_wrangler(world, tmp_path)
    for words in (("preview", "--stack", "staging"), ("up", "--stack", "staging", "--yes", "--skip-preview")):
        output = world.engine.run(*words).output
        assert (
            f"database {SHOWN}: its ledger lacks {LAST}, which this stack has applied: the database was restored to an earlier state."
            in output
        )
        assert f"crane migrations apply -s staging -d {DATABASE}." in output
    applied = crane(world, "apply", "-d", DATABASE)
    assert (applied.returncode, applied.stdout.splitlines()[-1]) == (0, f"{SHOWN}: 1 applied, ledger at {LAST}")
    assert "No migrations to apply" in pending_for_wrangler(world, tmp_path)
    again = world.up("staging")
    assert (again.exit, again.line("unchanged")) == (0, "20 unchanged"), again.output


def test_production_gets_by_hand_only_what_staging_has_proven(world: World) -> None:
    new_file(world, "notes", "CREATE TABLE notes (text TEXT);\n")
    refused = crane(world, "apply", stack="production")
    assert refused.returncode == 1
    assert refused.stderr.startswith("error: production gate closed: release ")


def test_listing_never_writes(world: World) -> None:
    new_file(world, "notes", "CREATE TABLE notes (text TEXT);\n")
    world.faults.reset()
    for words in (("status",), ("plan",), ("lint",), ("verify",)):
        assert crane(world, *words).returncode in {0, 3}
    sent = [call for call in world.faults.calls() if call["method"] != "GET"]
    assert sent
    assert all(call["path"].endswith("/query") for call in sent)
    assert world.faults.executed("CREATE TABLE notes (text TEXT)") == 0
    assert world.rows(SHOWN, "SELECT name FROM sqlite_master WHERE name = 'notes'") == []


def test_what_is_wrong_is_one_line(world: World) -> None:
    for words, line in (
        (
            ("status", "-d", "nothing"),
            "error: database nothing: is not in the catalog. Use one of crane-context-db, crane-classifier-db.\n",
        ),
        (("new", "a b", "-d", DATABASE), "error: a b: is not a valid name of a migration. Use letters, digits, - and _.\n"),
        (
            ("baseline", "-d", DATABASE),
            f"error: {SHOWN}: its ledger already has 4 migrations, up to {LAST}. {NOTHING}.\n",
        ),
        (
            ("baseline", "-d", DATABASE, "--accept", "table x"),
            f"error: {SHOWN}: table x does not differ. Accept only what differs: nothing does.\n",
        ),
    ):
        output = crane(world, *words)
        assert (output.returncode, output.stderr) == (1, line)


def test_without_pulumi_on_the_path_it_says_so(world: World) -> None:
    environ = {**clean_environment(), "PATH": str(world.project.folder)}
    command = [str(Path(sys.executable).parent / "crane"), "migrations", "status", "-s", "staging"]
    output = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False)
    assert (output.returncode, output.stderr) == (
        1,
        "error: pulumi: is not on PATH. Run make engine, or open the shell of crane local env.\n",
    )
