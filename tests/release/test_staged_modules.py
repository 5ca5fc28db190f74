"""The provider uploads copies of a release's modules: each under a path that says what it holds, whoever else makes or spoils one."""

import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crane_infra.errors import BundleError
from crane_infra.release.bundle import Module
from crane_infra.release.staged_modules import FOLDER, path_of, size_in, stage_modules

CODE = Module("index.js", "application/javascript+module", b"export default {};\n")
MONTH = 30 * 24 * 3600


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def copies() -> dict[str, bytes]:
    """Every file in the folder, by name."""
    return {path.name: path.read_bytes() for path in FOLDER.iterdir() if path.is_file()}


def test_each_module_is_copied_to_a_path_below_the_program_that_only_depends_on_its_content() -> None:
    same, other = CODE._replace(name="lib/other.js"), CODE._replace(content=b"")
    stage_modules([CODE, same, other])
    assert path_of(CODE) == path_of(same) != path_of(other)
    assert not Path(path_of(CODE)).is_absolute()
    assert {Path(path_of(module)).name: module.content for module in (CODE, other)} == copies()


@given(content=st.binary(max_size=200), folder=st.text(max_size=20))
def test_a_path_says_the_sha256_and_the_size_wherever_it_begins(content: bytes, folder: str) -> None:
    module = CODE._replace(content=content)
    assert size_in(path_of(module)) == size_in(f"{folder}/{path_of(module)}") == (module.sha256, len(content))


@pytest.mark.parametrize("path", ["", "dist/index.js", CODE.sha256, f"{CODE.sha256}-", f"{CODE.sha256}-9x", f"{CODE.sha256[1:]}-9"])
def test_another_path_says_nothing(path: str) -> None:
    assert size_in(path) is None


def write_other(path: Path) -> None:
    path.write_bytes(b"other")


def make_a_link(path: Path) -> None:
    path.unlink()
    Path("elsewhere").write_bytes(CODE.content)
    path.symlink_to(Path("elsewhere").absolute())


@pytest.mark.parametrize("spoil", [write_other, make_a_link, Path.unlink])
def test_a_copy_that_somebody_changed_is_made_again(spoil: Callable[[Path], None]) -> None:
    path = Path(path_of(CODE))
    stage_modules([CODE])
    spoil(path)
    stage_modules([CODE])
    assert (path.is_symlink(), path.read_bytes()) == (False, CODE.content)


def test_runs_at_the_same_moment_make_whole_copies_and_leave_nothing_else() -> None:
    modules = [CODE._replace(content=bytes([number]) * 300_000) for number in range(20)]
    begin = threading.Barrier(4)

    def run(_: int) -> None:
        begin.wait()
        stage_modules(modules)

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(run, range(4)))
    assert copies() == {Path(path_of(module)).name: module.content for module in modules}


def test_copies_that_no_run_has_used_for_a_week_go_and_what_is_not_ours_stays() -> None:
    old, kept, now = (CODE._replace(content=content) for content in (b"old", b"kept", b"now"))
    stage_modules([old, kept])
    (FOLDER / "copying-by a killed run").write_bytes(b"half")
    (FOLDER / "note").write_text("mine")
    for path in FOLDER.iterdir():
        os.utime(path, (time.time() - MONTH,) * 2)
    stage_modules([kept, now])
    assert copies().keys() == {Path(path_of(module)).name for module in (kept, now)} | {"note"}


def test_a_folder_that_cannot_be_written_is_refused_in_one_line() -> None:
    FOLDER.parent.mkdir()
    FOLDER.write_text("a file")
    with pytest.raises(BundleError) as refused:
        stage_modules([CODE])
    assert str(refused.value) == ".crane/modules: modules cannot be copied there (File exists). Make the folder writable."
