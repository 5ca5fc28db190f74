"""The local Pulumi home follows the installed plugin: a real directory, whose entries are those of the installed one, as long as there is one."""

import shutil
from pathlib import Path

import pytest

from crane_infra.rehearsal.plugin import FOLDER, PROGRAM, use_installed
from tests.rehearsal import official_plugin


@pytest.fixture
def ours(tmp_path: Path) -> Path:
    """The plugin in the home of a local project, before anything was done."""
    return tmp_path / "local" / "home" / "plugins" / FOLDER


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """The plugin in the home of a user."""
    return official_plugin.install(tmp_path / "user")


def use(ours: Path, user: Path) -> bool:
    """Use what is installed in a user's Pulumi home."""
    return use_installed(ours.parents[1], {"PULUMI_HOME": str(user)})


def entries(folder: Path) -> dict[str, Path]:
    """Where each entry of a real directory leads."""
    assert folder.is_dir()
    assert not folder.is_symlink()
    return {path.name: path.resolve() for path in folder.iterdir()}


def files(folder: Path) -> dict[str, Path]:
    """The entries of an installed plugin."""
    return {path.name: path for path in folder.iterdir()}


def follows(ours: Path, installed: Path) -> bool:
    """Whether the local home has the installed plugin, and a second look changes nothing."""
    assert use(ours, installed.parents[1])
    before = {path: path.lstat().st_mtime_ns for path in ours.parent.rglob("*")}
    assert use(ours, installed.parents[1])
    assert {path: path.lstat().st_mtime_ns for path in ours.parent.rglob("*")} == before
    return entries(ours) == files(installed)


# What is installed is followed


def test_its_directory_is_a_real_one_with_the_files_of_the_installed_plugin(ours: Path, installed: Path) -> None:
    assert follows(ours, installed)
    assert list(ours.parent.iterdir()) == [ours]


def test_the_link_of_an_earlier_version_is_replaced(ours: Path, installed: Path) -> None:
    ours.parent.mkdir(parents=True)
    ours.symlink_to(installed)
    assert follows(ours, installed)


def test_files_that_come_and_go_are_followed(ours: Path, installed: Path) -> None:
    use(ours, installed.parents[1])
    (installed / "schema.json").touch()
    (installed / "README.md").unlink()
    assert follows(ours, installed)


def test_a_plugin_that_is_installed_again_elsewhere_is_followed(ours: Path, installed: Path, tmp_path: Path) -> None:
    use(ours, installed.parents[1])
    shutil.rmtree(installed)
    assert follows(ours, official_plugin.install(tmp_path / "other"))


def test_an_installation_that_broke_off_in_the_local_home_is_replaced(ours: Path, installed: Path) -> None:
    """Pulumi skips a plugin with such a mark beside it."""
    (ours / "half").mkdir(parents=True)
    mark = ours.with_name(f"{FOLDER}.partial")
    mark.touch()
    assert follows(ours, installed)
    assert not mark.exists()


# What a shell of the local project sees


def test_a_shell_of_the_local_project_keeps_the_plugin(ours: Path, installed: Path) -> None:
    use(ours, installed.parents[1])
    assert use(ours, ours.parents[1])
    assert entries(ours) == files(installed)
    (installed / "schema.json").touch()
    assert use(ours, ours.parents[1])
    assert entries(ours) == files(installed)


def test_a_shell_of_the_local_project_replaces_the_link_of_an_earlier_version(ours: Path, installed: Path) -> None:
    ours.parent.mkdir(parents=True)
    ours.symlink_to(installed)
    assert use(ours, ours.parents[1])
    assert entries(ours) == files(installed)


@pytest.mark.parametrize("shell", ["of the local project", "of a user"])
def test_a_plugin_that_was_installed_into_the_local_home_is_used_as_it_is(ours: Path, tmp_path: Path, shell: str) -> None:
    official_plugin.install(ours.parents[1])
    before = entries(ours)
    assert use(ours, ours.parents[1] if shell == "of the local project" else tmp_path / "user")
    assert entries(ours) == before
    assert set(before.values()) == set(files(ours).values())


# What is not installed is not used


@pytest.mark.parametrize("shell", ["of the local project", "of a user"])
@pytest.mark.parametrize("was", ["a directory", "a link"])
def test_a_plugin_that_is_gone_is_removed(ours: Path, installed: Path, was: str, shell: str) -> None:
    if was == "a directory":
        use(ours, installed.parents[1])
    else:
        ours.parent.mkdir(parents=True)
        ours.symlink_to(installed)
    shutil.rmtree(installed)
    assert not use(ours, ours.parents[1] if shell == "of the local project" else installed.parents[1])
    assert list(ours.parent.iterdir()) == []


@pytest.mark.parametrize("fault", ["not finished", "no program", "not executable", "a folder for a program", "another version"])
def test_a_plugin_that_the_engine_could_not_start_is_not_used(ours: Path, installed: Path, fault: str) -> None:
    program = installed / PROGRAM
    if fault == "not finished":
        installed.with_name(f"{FOLDER}.partial").touch()
    elif fault == "not executable":
        program.chmod(0o644)
    elif fault == "another version":
        installed.rename(installed.with_name("resource-cloudflare-v0.0.1"))
    else:
        program.unlink()
        if fault == "a folder for a program":
            program.mkdir()
    assert not use(ours, installed.parents[1])
    assert not ours.exists()


def test_an_installation_under_way_in_the_local_home_is_left_alone(ours: Path, tmp_path: Path) -> None:
    official_plugin.install(ours.parents[1])
    ours.with_name(f"{FOLDER}.partial").touch()
    before = entries(ours)
    assert not use(ours, tmp_path / "user")
    assert entries(ours) == before
