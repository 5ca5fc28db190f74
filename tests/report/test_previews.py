"""``crane preview-report`` on previews of the real engine, in a pull request: with staging's passphrase, without production's."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from crane_infra.release.preview_record import VARIABLE, PreviewRecord, RecordedCosts, RecordedDatabase, parse_record
from crane_infra.report.engine import parse_preview
from tests import command_line
from tests.repository import ROOT
from tests.world.copies import fresh_world, promoted_world
from tests.world.engine import Result
from tests.world.world import SETTINGS, World, edited

pytestmark = [pytest.mark.engine, pytest.mark.cloud]

OTHER = "only-production-has-this-passphrase"
CHANGED = RecordedCosts(file="0005_create_notes.sql", table="smoke_writes", size=2, effects=(("changed by statement 2", 1),))
PLANTED = "planted-secret-value-of-staging"


@dataclass(frozen=True)
class Reported:
    """A preview of staging and the comment made from it. ``preview`` is the engine's JSON and ``record`` the program's, empty where none was written."""

    preview: str
    record: str
    ended: Result
    exit: int
    comment: str

    @property
    def refusal(self) -> str:
        """The error of a refused preview."""
        return parse_preview(self.preview, "preview", str).errors[0]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Both environments run one release; production has a passphrase of its own."""
    with promoted_world(tmp_path_factory) as made:
        made.take_passphrase("staging")
        made.take_passphrase("production", OTHER)
        yield made


def report(world: World, **variables: str) -> Reported:
    """Preview staging, take production's outputs, and report: the commands of a pull request."""
    folder = world.project.folder
    record = folder / "record.json"
    record.unlink(missing_ok=True)
    ended = world.engine.run("preview", "--json", "--stack", "staging", **{VARIABLE: str(record), **variables})
    (folder / "preview.json").write_text(ended.out, encoding="utf-8")
    (folder / "output").write_text(ended.output.removeprefix(ended.out), encoding="utf-8")
    (folder / "outputs.json").write_text(
        world.engine.well("stack", "output", "--json", "--stack", "production", **variables), encoding="utf-8"
    )
    words = ["preview-report", "--preview", "preview.json", "--record", "record.json", "--production-outputs", "outputs.json"]
    words += [] if ended.out else ["--failed", "output"]
    environ = {**world.engine.environ, "PULUMI_OPTION_CWD": str(folder), **variables}
    output = command_line.crane(*(_there(folder, word) for word in words), environ=environ, cwd=ROOT)
    assert output.stderr == "", output.stderr
    written = record.read_text(encoding="utf-8") if record.exists() else ""
    return Reported(ended.out, written, ended, output.returncode, output.stdout)


def _there(folder: Path, word: str) -> str:
    return str(folder / word) if (folder / word).is_file() else word


@pytest.fixture(scope="module")
def usual(world: World) -> Reported:
    """New code, a new migration, another variable and a rotated secret, as a branch and its staging have them."""
    world.engine.well("config", "set", "--stack", "staging", "--path", "--secret", "secrets.GEMINI_API_KEY", PLANTED)
    content = world.stack_file("staging")
    content["config"][f"{SETTINGS}:workers"]["crane-context"]["variables"]["IDEMPOTENCY_TTL_SECONDS"] = "7200"
    world.write_stack_file("staging", content)
    migration = world.workers / "crane-context" / "migrations" / "0005_create_notes.sql"
    migration.write_text(
        "CREATE TABLE notes (text TEXT);\nUPDATE smoke_writes SET written_at = '' WHERE name = 'seed';\n", encoding="utf-8"
    )
    with edited(world.workers / "crane-context" / "dist" / "index.js", "export default {", "// Another release.\nexport default {"):
        found = report(world)
    migration.unlink()
    return found


class TestAUsualChange:
    def test_passes_and_says_what_happens_to_data_code_and_secrets(self, usual: Reported) -> None:
        assert usual.exit == 0, usual.comment
        shown = usual.comment.splitlines()
        assert "`0005_create_notes.sql`" in usual.comment
        assert any(line.endswith("| `notes`: adds; `smoke_writes`: writes rows | changed | staging, production |") for line in shown)
        assert "- **staging**, `0005_create_notes.sql`: `smoke_writes` has 2 rows: `1 changed by statement 2`" in shown
        assert "| `crane-context` | variable `IDEMPOTENCY_TTL_SECONDS` | `3600` → `7200` | unchanged |" in shown
        assert "| `crane-classifier` | secret `GEMINI_API_KEY` | `set` → `new value` | not compared here |" in shown
        (module,) = (line for line in shown if "module `index.js`" in line)
        assert module.count("bytes, sha256") == 4

    def test_is_not_proven_yet_which_the_comment_calls_normal(self, usual: Reported) -> None:
        assert "**Production gate:** not proven yet, which is normal in a pull request" in usual.comment

    def test_is_recorded_with_the_files_that_are_pending_by_the_ledgers(self, usual: Reported) -> None:
        record = parse_record(usual.record, "record")
        assert isinstance(record, PreviewRecord)
        assert record.databases == {
            "crane-context-db": RecordedDatabase(pending=("0005_create_notes.sql",), costs=(CHANGED,)),
            "crane-classifier-db": RecordedDatabase(),
        }
        assert usual.comment.count("0005_create_notes.sql") == 2

    def test_shows_no_secret_in_the_preview_its_record_or_the_comment(self, world: World, usual: Reported) -> None:
        values = {*world.secrets("staging").values(), PLANTED, OTHER, world.cloud.token, world.engine.environ["PULUMI_CONFIG_PASSPHRASE"]}
        assert len(values) > 8
        assert [value for value in values if value in usual.comment + usual.preview + usual.record] == []


def test_no_pull_request_can_preview_production(world: World) -> None:
    ended = world.engine.run("preview", "--json", "--stack", "production")
    assert (ended.exit != 0, "incorrect passphrase" in ended.output) == (True, True)


@contextmanager
def a_taken_number(world: World) -> Iterator[None]:
    """Two files with one number."""
    path = world.workers / "crane-context" / "migrations" / "0004_other.sql"
    path.write_text("SELECT 1;\n", encoding="utf-8")
    yield
    path.unlink()


@contextmanager
def no_bundle(world: World) -> Iterator[None]:
    """A worker that was not built."""
    folder = world.workers / "crane-context" / "dist"
    folder.rename(folder.parent / "elsewhere")
    yield
    (folder.parent / "elsewhere").rename(folder)


@contextmanager
def another_name(world: World) -> Iterator[None]:
    """A renamed database."""
    was = world.stack_file("staging")
    content = world.stack_file("staging")
    content["config"][f"{SETTINGS}:databases"]["crane-context-db"]["name"] = "another"
    world.write_stack_file("staging", content)
    yield
    world.write_stack_file("staging", was)


@contextmanager
def one_worker_less(world: World) -> Iterator[None]:
    """A worker that is missing from the settings."""
    was = world.stack_file("staging")
    content = world.stack_file("staging")
    del content["config"][f"{SETTINGS}:workers"]["crane-classifier"]
    world.write_stack_file("staging", content)
    yield
    world.write_stack_file("staging", was)


@pytest.mark.parametrize("bad", [a_taken_number, no_bundle, another_name, one_worker_less])
def test_what_a_run_refuses_at_its_start_fails_the_check_in_the_words_of_the_run(
    world: World, bad: Callable[[World], AbstractContextManager[None]]
) -> None:
    with bad(world):
        found = report(world)
        refused = world.up("staging")
    assert found.exit == 3
    assert [found.refusal] == refused.errors
    assert f"> - `{found.refusal}`" in found.comment.splitlines()


def test_an_edited_migration_fails_the_check_in_the_words_of_the_run(world: World) -> None:
    with edited(world.workers / "crane-context" / "migrations" / "0001_create_sessions.sql", "CREATE TABLE", "CREATE  TABLE"):
        found = report(world)
        refused = world.up("staging")
    assert (found.exit, refused.exit != 0) == (3, True)
    (line,) = (line for line in found.comment.splitlines() if "edited after it was applied to crane-context-db-staging" in line)
    assert line.removeprefix("> - `").removesuffix("`") in refused.output
    assert "edited after it was applied to crane-context-db-prod " in found.comment


def test_a_dropped_table_that_others_refer_to_fails_the_check(world: World) -> None:
    folder = world.workers / "crane-context" / "migrations"
    (folder / "0005_child.sql").write_text("CREATE TABLE c (id TEXT REFERENCES sessions (id) ON DELETE CASCADE);\n", encoding="utf-8")
    assert world.up("staging").exit == 0
    (folder / "0006_drop.sql").write_text("-- crane: contract\nDROP TABLE sessions;\n", encoding="utf-8")
    found = report(world)
    (folder / "0006_drop.sql").unlink()
    assert found.exit == 3
    assert "(drops-referenced-table)" in found.comment
    assert "**may be lost in `c`**" in found.comment


def test_a_line_that_quotes_a_secret_is_recorded_without_it(world: World, usual: Reported, tmp_path: Path) -> None:
    assert usual.exit == 0
    path, record = world.workers / "crane-context" / "migrations" / "0007_planted.sql", tmp_path / "record.json"
    path.write_text(f'CREATE TABLE "{PLANTED}" (id INTEGER PRIMARY KEY);\n', encoding="utf-8")
    ended = world.engine.run("preview", "--stack", "staging", **{VARIABLE: str(record)})
    path.unlink()
    assert ended.exit == 0, ended.output
    text = record.read_text(encoding="utf-8")
    assert PLANTED not in text
    assert "tables [secret GEMINI_API_KEY])" in text


def test_an_update_records_nothing(world: World, tmp_path: Path) -> None:
    record = tmp_path / "record.json"
    assert world.up("staging", **{VARIABLE: str(record)}).exit == 0
    assert not record.exists()


def test_a_record_that_cannot_be_written_stops_the_preview_in_one_line(world: World) -> None:
    ended = world.engine.run("preview", "--stack", "staging", **{VARIABLE: "/nowhere/record.json"})
    assert ended.errors == [
        "CRANE_PREVIEW_RECORD /nowhere/record.json: cannot be written (No such file or directory). Name a file in a folder that exists."
    ]


def test_a_preview_that_did_not_begin_is_reported_with_what_it_printed(world: World) -> None:
    found = report(world, PULUMI_CONFIG_PASSPHRASE="wrong-passphrase")
    assert (found.exit, found.preview) == (3, "")
    assert "incorrect passphrase" in found.comment
    assert "wrong-passphrase" not in found.comment


def test_a_database_that_the_engine_would_replace_fails_the_check(tmp_path_factory: pytest.TempPathFactory) -> None:
    with fresh_world(tmp_path_factory) as world:
        ident = str(world.api("POST", "/d1/database", {"name": "crane-context-db-staging"})["result"]["uuid"])
        world.faults.fail("POST /accounts/{a}/workers/workers/{id}/versions", times=100, status=403)
        for adopt in (False, True):
            content = world.stack_file("staging")
            own = {"name": "crane-context-db-staging" if adopt else "made-first"} | ({"adopt": ident} if adopt else {})
            content["config"][f"{SETTINGS}:databases"]["crane-context-db"] = own
            world.write_stack_file("staging", content)
            if not adopt:
                assert world.up("staging").exit != 0
        (world.project.folder / "preview.json").write_text(
            world.engine.run("preview", "--json", "--stack", "staging").out, encoding="utf-8"
        )
        environ = {**world.engine.environ, "PULUMI_OPTION_CWD": str(world.project.folder)}
        output = command_line.crane("preview-report", "--preview", str(world.project.folder / "preview.json"), environ=environ, cwd=ROOT)
    assert output.returncode == 3, output.stderr
    assert "**Something would be replaced or deleted.**" in output.stdout
