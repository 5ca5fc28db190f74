"""crane lock says who holds a lock of a stack, and never takes silence for "not locked". The real engine says it in tests/workflows/test_cancelled.py."""

import json
from pathlib import Path
from typing import Any

import pytest

from crane_infra.commands.lock import locks_of
from crane_infra.errors import SettingsError
from tests import command_line
from tests.repository import ROOT

pytestmark = pytest.mark.engine  # a stand-in that bears its name

WARNING = "SDK 2026/11/24 19:02:40 WARN Response has no supported checksum. Not validating response payload."
HELD = "s3://state/.pulumi/locks/organization/crane-infra/staging/1.json: created by runner@fv-az1 (pid 7) at 2026-11-28T17:58:19Z"
LOCKED = f"error: the stack is currently locked by 1 lock(s). Either wait or delete the lock file with `pulumi cancel`.\n  {HELD}"
FREE = "error: a stack named staging already exists"
BUCKET = {"name": "staging", "current": False, "lastUpdate": "2026-11-28T18:27:01.608Z"}
CLOUD = {"name": "acme/crane-infra/staging", "current": False, "url": "https://app.pulumi.com/acme/crane-infra/staging"}


class StandIn:
    """A program that is called pulumi: what it lists, and how it ends when it is asked to rename."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def answers(self, listed: list[dict[str, Any]], renaming: str) -> None:
        (self.folder / "listed.json").write_text(json.dumps(listed), encoding="utf-8")
        (self.folder / "renaming.txt").write_text(renaming, encoding="utf-8")
        program = self.folder / "pulumi"
        program.write_text(
            f'#!/bin/sh\necho "$@" >> {self.folder}/asked\ncase "$*" in\n*" ls "*) cat {self.folder}/listed.json ;;\n'
            f"*) cat {self.folder}/renaming.txt >&2; exit 255 ;;\nesac\n",
            encoding="utf-8",
        )
        program.chmod(0o755)

    @property
    def asked(self) -> list[str]:
        return [line.partition("never ")[2] for line in (self.folder / "asked").read_text(encoding="utf-8").splitlines()]


@pytest.fixture
def pulumi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StandIn:
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    return StandIn(tmp_path)


def test_each_lock_is_said_as_the_engine_says_it_and_warnings_are_not(pulumi: StandIn) -> None:
    pulumi.answers([BUCKET], f"{WARNING}\n{LOCKED}\n  {HELD}\n{WARNING}")
    assert locks_of("staging") == [HELD, HELD]


def test_a_stack_that_is_free_has_none(pulumi: StandIn) -> None:
    pulumi.answers([{**BUCKET, "name": "production"}, BUCKET], f"{WARNING}\n{FREE}")
    assert locks_of("staging") == []
    assert pulumi.asked == ["stack ls --json --stack staging", "stack rename staging --stack staging"]


def test_what_the_engine_does_not_say_is_not_taken_for_free(pulumi: StandIn) -> None:
    pulumi.answers([BUCKET], f"{WARNING}\nerror: read state: access denied")
    with pytest.raises(SettingsError) as refused:
        locks_of("staging")
    assert str(refused.value) == (
        "stack staging: Pulumi failed (read state: access denied). Log in to its backend, and check the name of the stack there and the file Pulumi.staging.yaml."
    )


@pytest.mark.parametrize("in_progress", [True, False])
def test_pulumi_cloud_is_asked_for_the_update_that_goes_on_and_for_nothing_else(pulumi: StandIn, in_progress: bool) -> None:  # noqa: FBT001
    pulumi.answers([{**CLOUD, "updateInProgress": in_progress}], "error: this would rename")
    said = f"an update is in progress; its page says who runs it and since when: {CLOUD['url']}"
    assert locks_of("staging") == ([said] if in_progress else [])
    assert pulumi.asked == ["stack ls --json --stack staging"]


@pytest.mark.parametrize(("renaming", "code"), [(LOCKED, 3), (FREE, 0), ("error: no", 1)], ids=["locked", "free", "unknown"])
def test_the_exit_code_tells_them_apart(pulumi: StandIn, tmp_path: Path, renaming: str, code: int) -> None:
    pulumi.answers([BUCKET], renaming)
    ended = command_line.crane("lock", "-s", "staging", environ={"PATH": f"{tmp_path}:/usr/bin:/bin"}, cwd=ROOT)
    assert (ended.returncode, HELD in ended.stdout) == (code, code == 3), ended.stderr
