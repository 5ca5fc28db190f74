"""``tools/engine.py`` as a process on machines that have this and lack that.

What stands in is the machine: small programs on a PATH of their own, and an installer on a local address.
"""

from __future__ import annotations

import dataclasses
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.pins import PINNED

if TYPE_CHECKING:
    from tests.tools.conftest import Gate, Machine, Site

ENGINE = PINNED["pulumi"]
WHOLE = ["bin/pulumi", "bin/pulumi-language-python", "bin/pulumi-language-python-exec", "brought-by-crane-infra"]
BROUGHT = [f"engine/{name}" for name in WHOLE]

INSTALLER = b"""#!/bin/sh
PATH=/usr/bin:/bin
echo "arguments: $*"
mkdir -p "$4/bin"
for part in pulumi pulumi-language-python pulumi-language-python-exec; do
    printf '#!/bin/sh\\necho v%s\\n' "$2" > "$4/bin/$part"
    chmod +x "$4/bin/$part"
done
"""


# An engine that is there already


@pytest.mark.parametrize("version", ["v3.238.0", f"v{ENGINE}", "v3.1000.2", "v4.0.0"])
def test_a_new_enough_pulumi_on_path_is_taken(machine: Machine, version: str) -> None:
    machine.pulumi(version)
    result = machine.run()
    assert (result.returncode, result.stdout) == (0, f"{machine.programs}\n")
    assert machine.brought() == []


@pytest.mark.parametrize("version", ["v3.238.0", "v3.1000.2"])
def test_a_pulumi_on_path_of_another_version_is_passed_over_where_the_pinned_one_is_asked_for(machine: Machine, version: str) -> None:
    machine.pulumi(version)
    machine.go()
    result = machine.run("--pinned")
    assert (result.returncode, result.stdout) == (0, f"{machine.into}/bin\n")
    assert f"{machine.programs}/pulumi is {version[1:]}, but {ENGINE} is needed" in result.stderr


def test_a_pulumi_on_path_of_the_pinned_version_is_taken_where_that_is_asked_for(machine: Machine) -> None:
    machine.pulumi(f"v{ENGINE}")
    assert machine.run("--pinned").stdout == f"{machine.programs}\n"


@pytest.mark.parametrize("version", ["v3.237.9", "v3.99.0", "v2.300.0"])
def test_a_too_old_pulumi_on_path_is_named_and_passed_over(machine: Machine, version: str) -> None:
    machine.pulumi(version)
    machine.go()
    result = machine.run()
    assert (result.returncode, result.stdout) == (0, f"{machine.into}/bin\n")
    message = f"{machine.programs}/pulumi is {version[1:]}, which is too old: 3.238.0 or newer is needed"
    assert message in result.stderr


@pytest.mark.parametrize("part", ["pulumi-language-python", "pulumi-language-python-exec"])
def test_a_pulumi_without_its_python_language_host_is_passed_over(machine: Machine, part: str) -> None:
    machine.pulumi(f"v{ENGINE}")
    (machine.programs / part).unlink()
    result = machine.run()
    assert result.returncode == 1
    assert f"{machine.programs}/pulumi has no {part} beside it or on PATH" in result.stderr


def test_a_pulumi_that_is_a_link_may_have_its_language_host_beside_the_real_one(machine: Machine, tmp_path: Path) -> None:
    machine.pulumi(f"v{ENGINE}")
    linked = tmp_path / "linked"
    linked.mkdir()
    (linked / "pulumi").symlink_to(machine.programs / "pulumi")
    result = dataclasses.replace(machine, programs=linked).run()
    assert (result.returncode, result.stdout) == (0, f"{linked}\n")


def test_a_pulumi_that_does_not_run_is_passed_over(machine: Machine) -> None:
    machine.pulumi(f"v{ENGINE}")
    machine.program("pulumi", "#!/no/such/interpreter\n")
    result = machine.run()
    assert result.returncode == 1
    assert f"{machine.programs}/pulumi does not print its version" in result.stderr


def test_an_engine_brought_before_is_used_again_without_a_word(machine: Machine) -> None:
    machine.go()
    first = machine.run()
    calls = machine.go_calls()
    second = machine.run()
    assert (second.returncode, second.stdout, second.stderr) == (0, first.stdout, "")
    assert machine.go_calls() == calls


def test_an_engine_of_another_version_brought_before_is_replaced(machine: Machine) -> None:
    machine.go()
    machine.run()
    (machine.into / "bin/pulumi").write_text("#!/bin/sh\necho v3.250.0\n", encoding="utf-8")
    assert machine.run().returncode == 0
    assert ENGINE in (machine.into / "bin/pulumi").read_text(encoding="utf-8")
    assert machine.brought() == BROUGHT


def test_an_engine_that_lost_a_part_is_brought_anew(machine: Machine) -> None:
    machine.go()
    machine.run()
    (machine.into / "bin/pulumi-language-python").unlink()
    assert machine.run().returncode == 0
    assert machine.brought() == BROUGHT


def test_an_outdated_engine_gives_way_to_a_good_one_on_path(machine: Machine) -> None:
    """Otherwise the outdated one would still come first on the PATH of the Makefile's recipes."""
    machine.go()
    machine.run()
    (machine.into / "bin/pulumi").write_text("#!/bin/sh\necho v3.100.0\n", encoding="utf-8")
    machine.pulumi("v3.1000.2")
    assert machine.run().stdout == f"{machine.programs}\n"
    assert machine.brought() == []


def test_a_folder_with_other_things_is_never_replaced(machine: Machine) -> None:
    machine.go()
    machine.into.mkdir(parents=True)
    (machine.into / "notes.txt").write_text("mine", encoding="utf-8")
    result = machine.run()
    assert result.returncode == 1
    assert result.stderr == (
        f"engine: {machine.into}: it contains something that this tool did not install. Move it, or choose another folder with --into.\n"
    )
    assert machine.brought() == ["engine/notes.txt"]


# The official installer


def test_the_installer_is_run_before_anything_is_built(machine: Machine, site: Site) -> None:
    site.page = INSTALLER
    machine.go()
    machine.program("sh", '#!/bin/sh\nexec /bin/sh "$@"\n')
    result = dataclasses.replace(machine, installer=site.url).run()
    assert (result.returncode, result.stdout) == (0, f"{machine.into}/bin\n")
    assert machine.go_calls() == []
    assert set(BROUGHT) <= set(machine.brought())
    log = machine.into.with_name("engine.log").read_text(encoding="utf-8")
    assert log.startswith(f"arguments: --version {ENGINE} --install-root ")
    assert log.endswith(" --no-edit-path\n")


@pytest.mark.parametrize(
    ("page", "why"),
    [
        (b"#!/bin/sh\necho this platform is not supported\nexit 1\n", "this platform is not supported"),
        (b"#!/bin/sh\n", "the result has no pulumi"),
        (INSTALLER.replace(b'"$2"', b"3.200.0"), f"the result is a pulumi 3.200.0, but {ENGINE} is needed"),
        (b"<html>Please log in</html>", "its answer is not a script"),
    ],
)
def test_an_installer_that_brings_no_good_engine_leaves_nothing(machine: Machine, site: Site, page: bytes, why: str) -> None:
    site.page = page
    machine.program("sh", '#!/bin/sh\nexec /bin/sh "$@"\n')
    result = dataclasses.replace(machine, installer=site.url).run()
    assert result.returncode == 1
    assert f"2. the official installer ({site.url}): {why}\n" in result.stderr
    assert machine.brought() == []


# The Go modules


def test_the_go_modules_are_built_as_they_are_pinned(machine: Machine) -> None:
    machine.go()
    assert machine.run().returncode == 0
    engine, host, sdk = machine.go_calls()
    assert "build -mod=readonly -trimpath" in engine
    assert f"sdk/v3/go/common/version.Version=v{ENGINE}" in engine
    assert "pkg/v3/cmd/pulumi auto " in engine
    assert "build -mod=readonly -trimpath" in host
    assert "sdk/v3/python/cmd/pulumi-language-python auto " in host
    assert sdk.startswith("list -mod=readonly -m ")
    assert machine.brought() == BROUGHT


def test_all_parts_can_be_run(machine: Machine) -> None:
    """Files from Go's module cache are read-only and not executable."""
    machine.go()
    machine.run()
    assert all(os.access(path, os.X_OK) for path in (machine.into / "bin").iterdir())


def test_a_build_that_fails_leaves_no_half_engine(machine: Machine) -> None:
    machine.go(then="print('go: verifying module: checksum mismatch'); sys.exit(1)")
    result = machine.run()
    assert result.returncode == 1
    assert "3. the Go modules: go: verifying module: checksum mismatch\n" in result.stderr
    assert machine.brought() == []


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGINT, 130)])
def test_an_interrupted_build_ends_the_compiler_and_leaves_no_half_engine(
    machine: Machine, gate: Gate, number: signal.Signals, code: int
) -> None:
    machine.go(then=f"open({str(gate.path)!r}, 'w').write(str(os.getpid())); signal.pause()")
    with machine.started() as process:
        compiler = int(gate.wait())
        process.send_signal(number)
        _, err = process.communicate(timeout=60)
    assert process.returncode == code
    assert "Traceback" not in err
    assert machine.brought() == []
    with pytest.raises(ProcessLookupError):
        os.kill(compiler, 0)


def test_a_run_after_a_killed_one_clears_up_and_succeeds(machine: Machine) -> None:
    left = machine.into.parent / "engine.site-left" / "bin"
    left.mkdir(parents=True)
    (left / "pulumi").write_text("half", encoding="utf-8")
    machine.go()
    assert machine.run().returncode == 0
    assert machine.brought() == BROUGHT


def test_two_runs_at_once_build_once(machine: Machine, gate: Gate, second_gate: Gate) -> None:
    """The first run is held in its build until the second one has said that it waits."""
    machine.go(then=f"if 'pkg/v3' in sys.argv[-1]: open({str(gate.path)!r}, 'w').write('building'); open({str(second_gate.path)!r}).read()")
    with machine.started() as first:
        assert gate.wait() == "building"
        with machine.started() as second:
            assert second.stderr is not None
            assert second.stderr.readline() == "engine: another run is installing the engine; waiting for it\n"
            second_gate.open()
            results = [process.communicate(timeout=60)[0] for process in (first, second)]
    assert results == [f"{machine.into}/bin\n"] * 2
    assert len(machine.go_calls()) == len(["pulumi", "the language host", "where the SDK is"])


# No way at all


def test_without_any_way_one_message_names_all_three_and_what_to_do(machine: Machine) -> None:
    result = machine.run()
    assert (result.returncode, result.stdout) == (1, "")
    message = result.stderr[result.stderr.index("engine: there is no Pulumi engine, and") :]
    assert message == (
        "engine: there is no Pulumi engine, and none could be installed:\n"
        "  1. a pulumi on PATH: there is none\n"
        f"  2. the official installer ({machine.installer}): it cannot be reached (Connection refused)\n"
        "  3. the Go modules: go is not on PATH\n"
        "Install Pulumi 3.238.0 or newer (https://www.pulumi.com/docs/install/) or Go 1.26 or newer "
        f"(https://go.dev/doc/install), then run this again. The whole output is in {machine.into}.log.\n"
    )
    assert "Traceback" not in result.stderr
    assert machine.brought() == []


def test_an_address_that_is_none_is_named(machine: Machine) -> None:
    result = dataclasses.replace(machine, installer="nowhere").run()
    assert "2. the official installer (nowhere): nowhere is not a web address\n" in result.stderr
