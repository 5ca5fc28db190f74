"""``crane`` starts fast: its help and the commands that read files only import no library that they do not use."""

import atexit
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from crane_infra.cli.app import COMMANDS, make_app
from crane_infra.cli.main import main
from tests.repository import ROOT

HEAVY = {"cloudflare", "httpx", "pulumi", "pulumi_cloudflare", "rich", "stamina", "starlette", "uvicorn", "yaml"}
RUN = """
import sys
sys.argv = ["crane", *sys.argv[1:]]
from crane_infra.cli.main import main
try:
    main()
finally:
    print(*sys.modules, file=sys.stderr)
"""


def imported(*words: str) -> set[str]:
    """The modules that a command imports."""
    ended = subprocess.run([sys.executable, "-c", RUN, *words], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (ended.returncode, bool(ended.stdout)) == (0, True), ended.stderr
    return set(ended.stderr.split())


@pytest.mark.parametrize("words", [("--help",), ("release", "--help"), ("release", "digest", "--workers-dir", "workers")], ids=" ".join)
def test_a_command_that_reads_only_files_imports_no_heavy_library(words: tuple[str, ...]) -> None:
    modules = imported(*words)
    assert HEAVY & modules == set()
    assert {name for name in modules if name.split(".")[0] == "local_cloud"} <= {"local_cloud", "local_cloud.errors"}


def test_the_help_imports_no_command() -> None:
    ours = {name for name in imported("--help") if name.startswith("crane_infra.")}
    cli = {f"crane_infra.cli{name}" for name in ("", ".ahead", ".app", ".clone", ".main")}
    assert ours == {*cli, "crane_infra.errors", "crane_infra.imports", "crane_infra.programs", "crane_infra.pulumi_cli"}


def test_the_digest_imports_neither_the_settings_nor_the_stacks() -> None:
    modules = imported("release", "digest", "--workers-dir", "workers")
    assert {"crane_infra.commands.stack", "crane_infra.config.settings", "crane_infra.cli.report"} & modules == set()


def test_lint_of_files_imports_neither_the_stacks_nor_the_ledger() -> None:
    modules = imported("migrations", "lint", "--workers-dir", "workers")
    assert HEAVY & modules <= {"yaml"}
    assert {
        "crane_infra.cli.migrations",
        "crane_infra.commands.stack",
        "crane_infra.migrations.ledger",
        "crane_infra.d1",
    } & modules == set()


@pytest.mark.parametrize("name", ["status", "apply", "baseline", "lint"])
def test_a_command_of_a_group_imports_none_of_the_others(name: str) -> None:
    others = {place.partition(":")[0] for other, place in COMMANDS["migrations"].apart.items() if other != name}
    of_its_own = COMMANDS["migrations"].apart[name].partition(":")[0]
    assert {f"crane_infra.cli.{module}" for module in others - {of_its_own}} & imported("migrations", name, "--help") == set()


def test_applying_imports_nothing_that_rehearses() -> None:
    rooms = {".".join(name.split(".")[:2]) for name in imported("migrations", "apply", "--help")}
    assert rooms & {"crane_infra.data", "crane_infra.rehearsal", "local_cloud.daemon", "crane_infra.report"} == set()


def test_a_command_ends_without_a_search_for_garbage_in_what_it_imported() -> None:
    code = "import atexit, gc; atexit.register(lambda: print(gc.get_freeze_count() > 10000)); import sys; sys.argv = ['crane', '--help']\n"
    run = [sys.executable, "-c", f"{code}from crane_infra.cli.main import main; main()"]
    ended = subprocess.run(run, cwd=ROOT, capture_output=True, text=True, check=True)
    assert ended.stdout.splitlines()[-1] == "True"


@pytest.mark.parametrize("name", ["release", "github", "verify", "proof", "preview-report"])
def test_a_summary_is_how_the_help_of_its_command_begins(name: str) -> None:
    shown = CliRunner().invoke(make_app(name), [name, "--help"])
    assert shown.exit_code == 0, shown.output
    assert COMMANDS[name].summary in " ".join(shown.output.split())


def test_the_help_lists_every_command_with_its_summary_in_80_columns() -> None:
    lines = [line.split() for line in CliRunner().invoke(make_app(), ["--help"], terminal_width=80).output.splitlines()]
    assert [command.summary for name, command in COMMANDS.items() if [name, *command.summary.split()] not in lines] == []


@pytest.mark.parametrize("group", [name for name, command in COMMANDS.items() if command.place.endswith(":app")])
def test_the_help_of_a_group_cuts_no_summary_in_80_columns(group: str) -> None:
    listed = CliRunner().invoke(make_app(group), [group, "--help"], terminal_width=80).output.partition("Commands:")[2]
    assert listed
    assert [line for line in listed.splitlines() if line.endswith("...")] == []


APART = [(group, name) for group, command in COMMANDS.items() for name in command.apart]


@pytest.mark.parametrize(("group", "name"), APART)
def test_a_command_that_stands_apart_is_one_of_its_group(group: str, name: str) -> None:
    listed = CliRunner().invoke(make_app(group), [group, "--help"]).output
    alone = CliRunner().invoke(make_app(group, name), [group, name, "--help"])
    assert alone.output == CliRunner().invoke(make_app(group), [group, name, "--help"]).output
    assert name in [line.split()[0] for line in listed.splitlines() if line.strip()]


def test_a_command_that_does_not_exist_is_named() -> None:
    shown = CliRunner().invoke(make_app("relase"), ["relase"])
    assert shown.exit_code == 2
    assert "No such command 'relase'" in shown.output


@pytest.mark.parametrize(
    "words",
    [
        ("github", "summary", "printed", "--artifact", "a", "--whole", "gone/x"),
        ("migrations", "rehearse", "-s", "staging", "--summary", "gone/x"),
        ("migrations", "rehearse", "-s", "staging", "--outputs", "gone/x"),
    ],
    ids=" ".join,
)
def test_a_file_that_cannot_be_written_is_one_line(
    words: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A rehearsal says so before it begins, not after minutes."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "printed").write_text("x")
    monkeypatch.setattr(sys, "argv", ["crane", *words])
    monkeypatch.setattr(atexit, "register", lambda _: None)
    with pytest.raises(SystemExit, match="1"):
        main()
    line = capsys.readouterr().err
    assert (
        line
        == "error: gone/x: the system refuses it (No such file or directory). Check the path, its permissions and the room on its disk.\n"
    )
