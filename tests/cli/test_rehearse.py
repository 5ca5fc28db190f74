"""A rehearsal ends 0 with every step told, or names the step that failed."""

import os
from pathlib import Path

import pytest

from crane_infra.local import daemon
from tests.cli.conftest import CRANE, Run


def test_the_whole_flow_holds_on_an_empty_account_whatever_credentials_are_at_hand(run: Run, clone: Path) -> None:
    said = run(CRANE, "rehearse", COLUMNS="200", CLOUDFLARE_API_TOKEN="canary-real-token", PULUMI_ACCESS_TOKEN="canary-access")
    assert said.returncode == 0, said.stdout + said.stderr
    assert "Rehearsal: every step held" in said.stdout
    assert "production gate closed: staging has not proven any release." in said.stdout
    assert said.stdout.count("unchanged") == 2
    assert daemon.status(clone / ".crane" / "rehearsal" / "cloud") is None
    for path in (clone / ".crane" / "rehearsal").rglob("*"):
        if path.is_file() and not path.is_symlink():
            assert b"canary-" not in path.read_bytes(), path


def test_a_step_that_fails_is_named_and_nothing_is_left_running(run: Run, clone: Path) -> None:
    (clone / "workers" / "crane-context" / "migrations" / "0005_broken.sql").write_text("SELECT * FROM nowhere;\n", encoding="utf-8")
    said = run(CRANE, "rehearse", COLUMNS="200")
    assert said.returncode == 1
    assert said.stderr.startswith("error: step 4, update staging: deployed, migrated, checked, proven: ")
    assert "0005_broken.sql" in said.stderr
    assert "Traceback" not in said.stderr
    assert daemon.status(clone / ".crane" / "rehearsal" / "cloud") is None


@pytest.mark.parametrize("missing", ["pulumi"])
def test_without_an_engine_the_way_to_get_one_is_said(run: Run, clone: Path, missing: str) -> None:
    (clone / ".crane" / "engine").unlink()
    path = os.pathsep.join(one for one in os.environ["PATH"].split(os.pathsep) if not (Path(one) / missing).exists())
    said = run(CRANE, "rehearse", PATH=path)
    assert said.returncode == 1
    assert said.stderr.endswith("pulumi: it is not on PATH nor in .crane/engine. Run make engine.\n")
