"""``crane local`` starts the local cloud, shows its status, keeps plain pulumi on this machine, and stops it; it changes no committed file."""

from pathlib import Path

import pytest
import yaml

from crane_infra.alone import alone
from crane_infra.errors import RehearsalError
from local_cloud.ids import ACCOUNT_ID
from tests.clone import CRANE, Run
from tests.ports import free_port
from tests.repository import ROOT

pytestmark = [pytest.mark.engine, pytest.mark.cloud]

REAL = {"CLOUDFLARE_API_TOKEN": "canary-real-token", "CLOUDFLARE_ACCOUNT_ID": "f" * 32, "CLOUDFLARE_API_KEY": "canary-real-key"}


def test_before_it_was_started_it_says_so(run: Run) -> None:
    assert run(CRANE, "local", "status").returncode == 3
    env = run(CRANE, "local", "env")
    assert (env.returncode, env.stdout, env.stderr) == (1, "", "error: local cloud: it is not running. Start it with crane local up.\n")


def test_it_starts_and_makes_a_project_that_leads_only_to_this_machine(run: Run, clone: Path) -> None:
    up = run(CRANE, "local", "up", "--port", str(free_port()), **REAL)
    assert up.returncode == 0, up.stderr
    assert run(CRANE, "local", "status").returncode == 0
    salts = set()
    for environment in ("staging", "production"):
        written = (clone / ".crane" / "local" / f"Pulumi.{environment}.yaml").read_text(encoding="utf-8")
        salts.add(yaml.safe_load(written)["encryptionsalt"])
        config = yaml.safe_load(written)["config"]
        assert config["crane-infra:account-id"] == ACCOUNT_ID
        assert config["cloudflare:baseUrl"].startswith("http://127.0.0.1:")
        assert "adopt" not in written
        assert all(set(secret) == {"secure"} for secret in config["crane-infra:secrets"].values())
        assert ("crane-infra:signing-key" in config) is (environment == "staging")
        assert [len(key) for key in config.get("crane-infra:proof-keys", [])] == ([44] if environment == "production" else [])
    assert len(salts) == 1  # one passphrase, so one key: a run derives it once for both stacks
    assert (clone / ".crane" / "local").stat().st_mode & 0o077 == 0
    project = yaml.safe_load((clone / ".crane" / "local" / "Pulumi.yaml").read_text(encoding="utf-8"))
    assert project["backend"]["url"].startswith("file://")


def test_a_second_start_says_that_one_is_running_and_leaves_it_so(run: Run) -> None:
    before = run(CRANE, "local", "status").stdout
    second = run(CRANE, "local", "up")
    assert second.returncode == 0, second.stderr
    assert second.stdout.startswith("The local cloud is already running: http://127.0.0.1:")
    assert run(CRANE, "local", "status").stdout == before


def test_the_shell_it_makes_forgets_the_real_account_and_plain_pulumi_works_in_it(run: Run) -> None:
    asked = f'eval "$({CRANE} local env)"; env; pulumi preview --stack staging --non-interactive --color never'
    output = run("sh", "-c", asked, **REAL)
    assert output.returncode == 0, output.stderr
    assert "canary-real" not in output.stdout
    assert f"CLOUDFLARE_ACCOUNT_ID={ACCOUNT_ID}" in output.stdout
    assert "20 to create" in output.stdout


def test_no_committed_file_was_written(run: Run, clone: Path) -> None:
    run(CRANE, "local", "status")
    for name in ("Pulumi.yaml", "Pulumi.staging.yaml", "Pulumi.production.yaml"):
        assert (clone / name).read_bytes() == (ROOT / name).read_bytes()


def test_it_stops_and_a_later_start_finds_its_project_again(run: Run, clone: Path) -> None:
    files = [clone / ".crane" / "local" / f"Pulumi.{environment}.yaml" for environment in ("staging", "production")]
    before = [yaml.safe_load(file.read_text(encoding="utf-8")) for file in files]
    assert run(CRANE, "local", "down").returncode == 0
    assert run(CRANE, "local", "status").returncode == 3
    assert run(CRANE, "local", "up").returncode == 0
    assert [yaml.safe_load(file.read_text(encoding="utf-8")) for file in files] == before
    assert run(CRANE, "local", "down").stdout == "The local cloud stopped.\n"
    assert run(CRANE, "local", "down").stdout == "The local cloud is not running.\n"


def test_a_second_rehearsal_in_a_clone_is_refused_before_it_touches_the_first(run: Run, clone: Path) -> None:
    with alone(clone / ".crane" / "rehearsal.lock", RehearsalError("", "", "")):
        second = run(CRANE, "rehearse")
    line = "error: rehearsal: another one of this account runs in this clone. Let that one end, then run the same command again.\n"
    assert (second.returncode, second.stdout, second.stderr) == (1, "", line)
    assert not (clone / ".crane" / "rehearsal").exists()


def test_outside_of_a_clone_it_says_where_to_go(run: Run) -> None:
    output = run("sh", "-c", f"cd / && {CRANE} local status")
    assert output.returncode == 1
    assert output.stderr == "error: /: is not in a clone of crane-infra. Change into the clone first.\n"
