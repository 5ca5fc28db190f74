"""What commands say where Pulumi cannot tell: its first error, not a warning that came before it."""

from pathlib import Path

import pytest

from crane_infra.commands.stack import outputs_of
from crane_infra.errors import SettingsError

WARNING = "SDK 2026/11/24 19:02:40 WARN Response has no supported checksum. Not validating response payload."


@pytest.mark.engine  # a stand-in that bears its name
@pytest.mark.parametrize(
    ("output", "shown"),
    [
        (f"{WARNING}\nerror: no stack named 'staging' found", "no stack named 'staging' found"),
        ("error: passphrase must be set", "passphrase must be set"),
        ("something else", "something else"),
    ],
)
def test_the_error_is_told_and_not_the_warning_before_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, output: str, shown: str) -> None:
    program = tmp_path / "pulumi"
    program.write_text(f"#!/bin/sh\ncat >&2 <<'END'\n{output}\nEND\nexit 255\n", encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with pytest.raises(SettingsError) as refused:
        outputs_of("staging")
    assert str(refused.value) == (
        f"stack staging: Pulumi failed ({shown}). Log in to its backend, and check the name of the stack there and the file Pulumi.staging.yaml."
    )
