"""Asks the Pulumi CLI about a stack, for what its SDK does not tell: outputs and configuration for commands, and the tags of a stack."""

import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from crane_infra.errors import SettingsError
from crane_infra.programs import run

_OBJECT = TypeAdapter(dict[str, Any])
SECONDS = 30.0
"""How long Pulumi may take to read something. A backend that cannot be reached would otherwise hold a command up for minutes."""


def ask_pulumi(
    stack: str, *words: str, cwd: Path | None = None, given: str | None = None, seconds: float | None = None
) -> subprocess.CompletedProcess[str]:
    """Run the Pulumi CLI for a stack, with ``given`` as its input, and return how it ended.

    Raises SettingsError where there is no Pulumi, or it takes more than ``seconds``.
    """
    command = ["pulumi", "--non-interactive", "--color", "never", *words, "--stack", stack]
    try:
        return run(command, cwd=cwd, given=given, seconds=seconds)
    except FileNotFoundError:
        raise SettingsError("pulumi", "is not on PATH", "Run make engine, or open the shell of crane local env") from None
    except subprocess.TimeoutExpired:
        what = f"Pulumi did not answer within {seconds:g} s ({' '.join(words[:2])})"
        raise SettingsError(f"stack {stack}", what, "Check that its backend can be reached, then run the command again") from None


def ask_for_text(stack: str, *words: str, cwd: Path | None = None, seconds: float = SECONDS) -> str:
    """What the Pulumi CLI prints. Raises SettingsError where it fails, or takes more than ``seconds``."""
    ended = ask_pulumi(stack, *words, cwd=cwd, seconds=seconds)
    if ended.returncode:
        raise pulumi_failed(stack, ended)
    return ended.stdout


def ask_for_object(stack: str, *words: str, cwd: Path | None = None) -> Mapping[str, Any]:
    """The JSON object that the Pulumi CLI prints. Raises SettingsError where it fails or prints something else."""
    try:
        return _OBJECT.validate_json(ask_for_text(stack, *words, cwd=cwd))
    except ValidationError:
        todo = f"Run it again. This shows what Pulumi prints: pulumi {' '.join(words)} --stack {stack}"
        raise SettingsError(f"stack {stack}", "Pulumi printed something other than one JSON object", todo) from None


def project_folder(environ: Mapping[str, str], here: Path) -> Path:
    """The folder whose stack files Pulumi uses: where it is told to work, else the clone ``here``."""
    return Path(environ.get("PULUMI_OPTION_CWD") or here)


def tags_of(stack: str, cwd: Path | None = None) -> dict[str, str]:
    """The tags of a stack, which every state backend keeps beside it. Raises SettingsError."""
    return {name: str(value) for name, value in ask_for_object(stack, "stack", "tag", "ls", "--json", cwd=cwd).items()}


def pulumi_failed(stack: str, ended: subprocess.CompletedProcess[str]) -> SettingsError:
    """The error for a run of the Pulumi CLI that failed."""
    message = _first_error(ended.stderr.strip() or ended.stdout.strip() or "no output")
    todo = f"Log in to its backend, and check the name of the stack there and the file Pulumi.{stack}.yaml"
    return SettingsError(f"stack {stack}", f"Pulumi failed ({message})", todo)


def _first_error(output: str) -> str:
    """Without the warnings before it, which a bucket as the backend prints at each run."""
    lines = output.splitlines()
    return next((line for line in lines if line.startswith("error: ")), lines[0]).removeprefix("error: ")
