"""Asks the Pulumi CLI about a stack, for what its SDK does not tell: outputs and configuration for commands, and the tags of a stack."""

import atexit
import contextlib
import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from crane_infra import programs
from crane_infra.errors import SettingsError

CONFIG, OUTPUTS, TAGS = ("config", "--json"), ("stack", "output", "--json"), ("stack", "tag", "ls", "--json")
"""What is asked most, as the words of the Pulumi CLI."""
SECONDS = 30.0
"""How long Pulumi may take to read something. A backend that cannot be reached would otherwise hold a command up for minutes."""


def ask_pulumi(
    stack: str, *words: str, cwd: Path | None = None, given: str | None = None, seconds: float | None = None
) -> subprocess.CompletedProcess[str]:
    """Run the Pulumi CLI for a stack, with ``given`` as its input, and return how it ended.

    Raises SettingsError where there is no Pulumi, or it takes more than ``seconds``.
    """
    command = _command(stack, words)
    try:
        if cwd is None and given is None and (begun := _begun.pop(command, None)):
            return programs.finish(begun, seconds)
        return programs.run(command, cwd=cwd, env=_environment(), given=given, seconds=seconds)
    except FileNotFoundError:
        raise SettingsError("pulumi", "is not on PATH", "Run make engine, or open the shell of crane local env") from None
    except subprocess.TimeoutExpired:
        what = f"Pulumi did not answer within {seconds:g} s ({' '.join(words[:2])})"
        raise SettingsError(f"stack {stack}", what, "Check that its backend can be reached, then run the command again") from None


def begin_to_ask(stack: str, *words: str) -> None:
    """Put a question to the Pulumi CLI whose answer a later ``ask_pulumi`` takes: an answer takes as long as a command to import.

    Only for a process that runs one command, and for what the command asks before it changes anything. Whatever it does not ask is ended
    with it.
    """
    if not _begun:
        atexit.register(_end_begun)
    with contextlib.suppress(OSError):  # whoever asks says so
        _begun[_command(stack, words)] = programs.begin(_command(stack, words), _environment())


def ask_for_text(stack: str, *words: str, cwd: Path | None = None, seconds: float = SECONDS) -> str:
    """What the Pulumi CLI prints. Raises SettingsError where it fails, or takes more than ``seconds``."""
    ended = ask_pulumi(stack, *words, cwd=cwd, seconds=seconds)
    if ended.returncode:
        raise pulumi_failed(stack, ended)
    return ended.stdout


def ask_for_object(stack: str, *words: str, cwd: Path | None = None) -> Mapping[str, Any]:
    """The JSON object that the Pulumi CLI prints. Raises SettingsError where it fails or prints something else."""
    try:
        answer = json.loads(ask_for_text(stack, *words, cwd=cwd))
    except (ValueError, RecursionError):
        answer = None
    if not isinstance(answer, dict):
        todo = f"Run it again. This shows what Pulumi prints: pulumi {' '.join(words)} --stack {stack}"
        raise SettingsError(f"stack {stack}", "Pulumi printed something other than one JSON object", todo)
    return answer


def project_folder(environ: Mapping[str, str], here: Path) -> Path:
    """The folder whose stack files Pulumi uses: where it is told to work, else the clone ``here``."""
    return Path(environ.get("PULUMI_OPTION_CWD") or here)


def tags_of(stack: str, cwd: Path | None = None) -> dict[str, str]:
    """The tags of a stack, which every state backend keeps beside it. Raises SettingsError."""
    return {name: str(value) for name, value in ask_for_object(stack, *TAGS, cwd=cwd).items()}


def pulumi_failed(stack: str, ended: subprocess.CompletedProcess[str]) -> SettingsError:
    """The error for a run of the Pulumi CLI that failed."""
    message = _first_error(ended.stderr.strip() or ended.stdout.strip() or "no output")
    todo = f"Log in to its backend, and check the name of the stack there and the file Pulumi.{stack}.yaml"
    return SettingsError(f"stack {stack}", f"Pulumi failed ({message})", todo)


_begun: dict[tuple[str, ...], subprocess.Popen[str]] = {}


def _end_begun() -> None:
    while _begun:
        programs.end(_begun.popitem()[1])


def _command(stack: str, words: tuple[str, ...]) -> tuple[str, ...]:
    return ("pulumi", "--non-interactive", "--color", "never", *words, "--stack", stack)


def _environment() -> dict[str, str]:
    """With less work for the collector of the engine's memory, which takes a fifth of so short a run."""
    return {"GOGC": "400", **os.environ}


def _first_error(output: str) -> str:
    """Without the warnings before it, which a bucket as the backend prints at each run."""
    lines = output.splitlines()
    return next((line for line in lines if line.startswith("error: ")), lines[0]).removeprefix("error: ")
