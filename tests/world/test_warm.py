"""A program that starts from the warm Python is what it is from a Python of its own: arguments, streams, environment, exit, death."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.world import warm
from tests.world.copies import proven_world
from tests.world.engine import Engine, Result, clean_environment
from tests.world.world import World

SHOWS = """
import os, sys
print(sys.argv, sys.path[:3], os.getcwd(), sorted({**os.environ, "_": ""}.items()), __name__, __file__, sys.stdin.read(), sys.flags)
print("pulumi" in sys.modules, os.getpid() == os.getpgid(0), file=sys.stderr)
"""


@pytest.fixture
def script(tmp_path: Path) -> Path:
    """A script with the name of the one that runs programs."""
    return tmp_path / "pulumi-language-python-exec"


def run(python: str, script: Path, content: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a script that contains this, in its folder."""
    script.write_text(content, encoding="utf-8")
    return subprocess.run(
        [python, str(script), "--stack", "staging"],
        cwd=script.parent,
        env={**clean_environment(), "PWD": str(script.parent), **variables},
        input="what comes in",
        capture_output=True,
        text=True,
        check=False,
    )


def warm_python() -> str:
    return warm.python(*warm.PROGRAM)


def test_a_script_has_the_arguments_folder_environment_and_streams_that_it_was_given(script: Path) -> None:
    own, forked = (run(python, script, SHOWS, VALUE="ä = 1", PYTHONPATH="/one:/two") for python in (sys.executable, warm_python()))
    assert "what comes in" in own.stdout
    assert forked.stdout == own.stdout
    assert (own.stderr.split()[0], forked.stderr.split()[0]) == ("False", "True")


@pytest.mark.parametrize(
    "content",
    [
        "raise SystemExit(32)",
        "raise SystemExit('a text')",
        "raise ValueError('a traceback')",
        "import os, signal; os.kill(os.getpid(), signal.SIGTERM)",
        "import atexit; atexit.register(print, 'at the end'); import threading; threading.Timer(0, print, ['from a thread']).start()",
    ],
)
def test_a_script_ends_as_it_would_have_ended(content: str, script: Path) -> None:
    own, forked = (run(python, script, content) for python in (sys.executable, warm_python()))
    assert (forked.returncode, forked.stdout) == (own.returncode, own.stdout)
    assert forked.stderr.splitlines()[-1:] == own.stderr.splitlines()[-1:]


def test_the_output_of_a_script_ends_with_it_while_one_that_began_later_goes_on(script: Path) -> None:
    script.write_text("print('begun', flush=True); input()", encoding="utf-8")
    words = [warm_python(), str(script)]
    with (
        subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as first,
        subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as later,
    ):
        for command in (first, later):
            assert command.stdout
            assert command.stdout.readline() == "begun\n"
        assert first.communicate("\n", timeout=60)[0] == ""
        assert later.poll() is None
        later.communicate("\n", timeout=60)


def test_a_script_ends_when_its_command_is_killed(script: Path) -> None:
    script.write_text("import os, sys, time; print(os.getpid(), flush=True); time.sleep(300)", encoding="utf-8")
    with subprocess.Popen([warm_python(), str(script)], stdout=subprocess.PIPE, text=True) as command:
        assert command.stdout
        program = psutil.Process(int(command.stdout.readline()))
        assert warm.fork_of(command.pid) == program.pid
        command.kill()
        assert program.wait(60) is None or not program.is_running()


def test_the_program_of_a_run_that_is_to_be_interrupted_has_a_python_of_its_own(script: Path) -> None:
    assert run(warm.own_python(), script, SHOWS).stderr.split()[0] == "False"


def test_another_script_gets_a_python_of_its_own(tmp_path: Path) -> None:
    assert run(warm_python(), tmp_path / "other", SHOWS).stderr.split()[0] == "False"


def test_a_program_that_a_test_has_changed_is_imported_anew_beside_libraries_that_are_warm(script: Path) -> None:
    content = "import sys; print(*('pulumi' in sys.modules, any(name.startswith('crane_infra') for name in sys.modules)))"
    assert run(warm.python(*warm.LIBRARIES), script, content).stdout == "True False\n"


def test_crane_is_warm_as_a_rehearsal_starts_it_and_other_code_is_not(tmp_path: Path) -> None:
    cold = warm.environment(tmp_path)
    python = cold.with_name("python")
    code = "from crane_infra.cli.main import main; main()"
    own, forked = (
        subprocess.run([start, "-c", code, "lock", "--help"], capture_output=True, text=True, check=True).stdout for start in (cold, python)
    )
    assert forked == own
    shown = subprocess.run(
        [python, "-c", "import sys; print(sys.argv, 'pulumi' in sys.modules)", "a"], capture_output=True, text=True, check=True
    )
    assert shown.stdout == "['-c', 'a'] False\n"


@pytest.mark.parametrize("words", [["-m", "pip", "list", "-v", "--format", "json"], ["--version"]], ids=["packages", "version"])
def test_the_language_host_is_told_what_it_is_told_otherwise(words: list[str]) -> None:
    own, *known = (
        subprocess.run([python, *words], capture_output=True, text=True, check=True).stdout
        for python in (sys.executable, warm_python(), warm.own_python())
    )
    assert known == [own, own]


def told(run: Result) -> tuple[int, list[str], list[str]]:
    """What a run of the engine ended with, its errors, and its lines, which come in any order."""
    return run.exit, run.errors, sorted(set(run.output.splitlines()))


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Staging has proven a release."""
    with proven_world(tmp_path_factory) as world:
        yield world


@pytest.mark.engine
@pytest.mark.cloud
@pytest.mark.parametrize(
    ("code", "variables"), [pytest.param(0, {}, id="a preview"), pytest.param(1, {"CLOUDFLARE_API_TOKEN": ""}, id="a refusal")]
)
def test_a_run_of_the_engine_says_the_same_and_ends_the_same(code: int, variables: dict[str, str], world: World) -> None:
    cold = Engine(world.engine.folder, world.engine.environ)
    own, forked = (
        told(engine.run("preview", "--stack", "production", "--suppress-progress", **variables)) for engine in (cold, world.engine)
    )
    assert own[0] == code
    assert len(own[1]) == (code != 0)
    assert forked == own
