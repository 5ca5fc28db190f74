"""What ``pulumi`` gets to see in a rehearsal: our addresses and identities, nobody else's."""

import sys
from pathlib import Path

import pytest
import yaml

from crane_infra.errors import RehearsalError
from crane_infra.rehearsal import engine
from crane_infra.rehearsal.project import Project, shell, write
from local_cloud.daemon import Running
from tests.rehearsal import official_plugin
from tests.repository import ROOT
from tests.world.engine import clean_environment

RUNNING = Running(
    folder=Path("cloud"),
    pid=1,
    instance_id="i",
    port=8787,
    api_url="http://127.0.0.1:8787/client/v4",
    edge_url="http://127.0.0.1:8787/edge",
    admin_url="http://127.0.0.1:8788",
    account_id="10ca" * 8,
    token="local-token",
    admin_token="local-admin-token",
    provider_port=8789,
)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A clone that has an engine."""
    programs = tmp_path / ".crane" / "engine" / "bin"
    programs.mkdir(parents=True)
    for name in ("pulumi", "pulumi-language-python"):
        (programs / name).write_text("#!/bin/sh\n", encoding="utf-8")
        (programs / name).chmod(0o755)
    return Project(tmp_path, tmp_path / ".crane" / "local")


@pytest.mark.parametrize(
    "name",
    [
        "CLOUDFLARE_API_KEY",
        "CLOUDFLARE_EMAIL",
        "CF_API_TOKEN",
        "PULUMI_ACCESS_TOKEN",
        "PULUMI_CONFIG_PASSPHRASE_FILE",
        "PULUMI_OPTION_STACK",
        "HTTPS_PROXY",
        "https_proxy",
        "http_proxy",
    ],
)
def test_whatever_names_another_account_backend_or_proxy_is_left_behind(project: Project, name: str) -> None:
    environ = {name: "canary", "LANG": "C.UTF-8"}
    seen = engine.environment(project, RUNNING, environ)
    assert name not in seen
    assert seen["LANG"] == "C.UTF-8"
    assert shell({}, engine.foreign(environ)) == f"unset {name}"


def test_what_is_ours_replaces_what_was_there(project: Project) -> None:
    real = {"CLOUDFLARE_API_TOKEN": "canary", "CLOUDFLARE_ACCOUNT_ID": "f" * 32, "PULUMI_BACKEND_URL": "s3://real", "PULUMI_HOME": "/real"}
    seen = engine.environment(project, RUNNING, real)
    assert (seen["CLOUDFLARE_API_TOKEN"], seen["CLOUDFLARE_ACCOUNT_ID"]) == ("local-token", "10ca" * 8)
    assert seen["CLOUDFLARE_BASE_URL"] == seen["CLOUDFLARE_API_BASE_URL"] == RUNNING.api_url
    assert seen["PULUMI_BACKEND_URL"].startswith("file://")
    assert Path(seen["PULUMI_HOME"]).is_relative_to(project.folder)


@pytest.mark.parametrize("given", [{}, {"GOGC": "off"}], ids=["as a rule", "what is set stays"])
def test_the_engine_collects_less_of_its_memory(project: Project, given: dict[str, str]) -> None:
    assert engine.environment(project, RUNNING, given)["GOGC"] == given.get("GOGC", "400")


def test_the_engine_gets_a_file_where_it_would_log_all_that_it_does(project: Project) -> None:
    for _ in range(2):
        home = Path(engine.environment(project, RUNNING, {})["PULUMI_HOME"])
        assert (home / "logs").read_text(encoding="utf-8") == f"{engine.NO_LOG}\n"


def test_logs_that_are_there_stay_and_go_on(project: Project) -> None:
    log = Path(engine.environment(project, RUNNING, {})["PULUMI_HOME"]) / "logs" / "pulumi.log"
    log.parent.unlink()
    log.parent.mkdir()
    log.write_text("what the engine did", encoding="utf-8")
    engine.environment(project, RUNNING, {})
    assert log.read_text(encoding="utf-8") == "what the engine did"


def test_the_program_runs_with_the_python_that_wrote_the_project(tmp_path: Path) -> None:
    """So an environment with other packages than .venv is tried as a whole."""
    here = Project(ROOT, tmp_path)
    write(here, RUNNING)
    runtime = yaml.safe_load((tmp_path / "Pulumi.yaml").read_text(encoding="utf-8"))["runtime"]
    assert runtime == {"name": "python", "options": {"toolchain": "pip", "virtualenv": sys.prefix}}


def test_the_clone_runs_with_its_own_packages_whether_or_not_uv_is_there() -> None:
    """Without a toolchain, engines since 3.227 find uv.lock: they fail where uv is not on PATH, and let it install what the lock has before each run."""
    runtime = yaml.safe_load((ROOT / "Pulumi.yaml").read_text(encoding="utf-8"))["runtime"]
    assert (ROOT / "uv.lock").is_file()
    assert runtime == {"name": "python", "options": {"toolchain": "pip", "virtualenv": ".venv"}}


def test_without_the_official_plugin_the_engine_attaches_to_the_stand_in(project: Project, tmp_path: Path) -> None:
    seen = engine.environment(project, RUNNING, {"PULUMI_HOME": str(tmp_path / "none")})
    assert seen["PULUMI_DEBUG_PROVIDERS"] == "cloudflare:8789"
    assert seen["PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION"] == "true"


def test_the_worlds_of_the_tests_have_the_stand_in_whatever_is_installed_on_this_machine(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    official_plugin.install(tmp_path / ".pulumi")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert "PULUMI_DEBUG_PROVIDERS" not in engine.environment(project, RUNNING, {})
    assert "PULUMI_DEBUG_PROVIDERS" in engine.environment(project, RUNNING, clean_environment())


def test_with_the_official_plugin_the_engine_attaches_to_nothing(project: Project, tmp_path: Path) -> None:
    official_plugin.install(tmp_path / "home")
    seen = engine.environment(project, RUNNING, {"PULUMI_HOME": str(tmp_path / "home")})
    assert "PULUMI_DEBUG_PROVIDERS" not in seen
    assert seen["PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION"] == "true"


def test_the_passphrase_is_made_once_and_is_its_owners_alone(project: Project) -> None:
    one, other = (engine.environment(project, RUNNING, {})["PULUMI_CONFIG_PASSPHRASE"] for _ in range(2))
    assert one == other
    assert (project.folder / "passphrase").stat().st_mode & 0o077 == 0


def test_a_missing_engine_is_said_with_the_way_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(RehearsalError) as caught:
        engine.environment(Project(tmp_path, tmp_path / "local"), RUNNING, {"PATH": ""})
    assert str(caught.value) == "pulumi: is neither on PATH nor in .crane/engine. Run make engine."


def test_a_value_with_quotes_and_spaces_survives_the_shell() -> None:
    assert shell({"A": 'it\'s a "b"'}, ()) == "export A='it'\"'\"'s a \"b\"'"
