"""What commands ask Pulumi: an answer that was begun is taken once, and where there is none, its first error is told."""

from pathlib import Path

import pytest

from crane_infra import pulumi_cli
from crane_infra.commands.stack import outputs_of
from crane_infra.errors import SettingsError

WARNING = "SDK 2026/11/24 19:02:40 WARN Response has no supported checksum. Not validating response payload."


def stand_in(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """A program that bears Pulumi's name."""
    program = folder / "pulumi"
    program.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")


@pytest.mark.engine
@pytest.mark.parametrize(
    ("output", "shown"),
    [
        (f"{WARNING}\nerror: no stack named 'staging' found", "no stack named 'staging' found"),
        ("error: passphrase must be set", "passphrase must be set"),
        ("something else", "something else"),
    ],
)
def test_the_error_is_told_and_not_the_warning_before_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, output: str, shown: str) -> None:
    stand_in(tmp_path, monkeypatch, f"cat >&2 <<'END'\n{output}\nEND\nexit 255")
    with pytest.raises(SettingsError) as refused:
        outputs_of("staging")
    assert str(refused.value) == (
        f"stack staging: Pulumi failed ({shown}). Log in to its backend, and check the name of the stack there and the file Pulumi.staging.yaml."
    )


@pytest.mark.engine
@pytest.mark.parametrize("output", ["", "[]", "{", "text", "[" * 100_000])
def test_what_is_no_object_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, output: str) -> None:
    (tmp_path / "output").write_text(output)
    stand_in(tmp_path, monkeypatch, f"cat {tmp_path}/output")
    with pytest.raises(SettingsError, match="stack staging: Pulumi printed something other than one JSON object"):
        outputs_of("staging")


@pytest.mark.engine
def test_an_answer_that_was_begun_is_taken_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second question may come after a change."""
    stand_in(tmp_path, monkeypatch, f'echo "$*" >> {tmp_path}/asked; echo "{{}}"')
    pulumi_cli.begin_to_ask("staging", *pulumi_cli.TAGS)
    other, *same = [pulumi_cli.tags_of(stack) for stack in ("production", "staging", "staging")]
    asked = (tmp_path / "asked").read_text().splitlines()
    assert (other, *same) == ({}, {}, {})
    assert sorted(line.split()[-1] for line in asked) == ["production", "staging", "staging"]


@pytest.mark.engine
@pytest.mark.parametrize("given", [None, "off"])
def test_the_engine_collects_less_garbage_for_a_question_unless_somebody_says_how_much(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: str | None
) -> None:
    monkeypatch.delenv("GOGC", raising=False)
    if given:
        monkeypatch.setenv("GOGC", given)
    stand_in(tmp_path, monkeypatch, 'echo "{\\"GOGC\\": \\"$GOGC\\"}"')
    asked = pulumi_cli.ask_for_object("staging", *pulumi_cli.CONFIG)
    pulumi_cli.begin_to_ask("staging", *pulumi_cli.CONFIG)
    assert asked == pulumi_cli.ask_for_object("staging", *pulumi_cli.CONFIG) == {"GOGC": given or "400"}


@pytest.mark.engine
def test_where_there_is_no_pulumi_the_command_says_so_when_it_asks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    pulumi_cli.begin_to_ask("staging", *pulumi_cli.CONFIG)
    with pytest.raises(SettingsError, match="pulumi: is not on PATH"):
        pulumi_cli.ask_for_object("staging", *pulumi_cli.CONFIG)
