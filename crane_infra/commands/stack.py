"""What the Pulumi CLI says about a stack, for commands that run without the SDK: the last outputs and the plain configuration."""

import os
import subprocess
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from crane_infra.config.settings import ENVIRONMENTS, Settings, parse
from crane_infra.config.stackfile import project_name
from crane_infra.errors import SettingsError
from crane_infra.release.outputs import StackOutputs, read_outputs

_OBJECT = TypeAdapter(dict[str, Any])
DATABASE = "cloudflare:index/d1Database:D1Database"


def outputs_of(stack: str) -> StackOutputs:
    """The last outputs of a stack; raises SettingsError where Pulumi fails or they cannot be read."""
    return read_outputs(_ask(stack, "stack", "output", "--json"), stack)


def created_databases(stack: str) -> dict[str, str]:
    """The ids of the databases in the state of a stack, by their names in the catalog: those of updates that failed are there too.

    Raises SettingsError.
    """
    deployment = _ask(stack, "stack", "export").get("deployment")
    resources = deployment.get("resources") if isinstance(deployment, dict) else None
    return {
        str(resource["urn"]).rpartition("::")[2]: str(resource["id"])
        for resource in resources or ()
        if resource.get("type") == DATABASE and resource.get("id") and not resource.get("delete")
    }


def settings_of(stack: str, root: Path) -> Settings:
    """The settings of a stack, as a run would read them; its secrets stay encrypted, so the API token comes from the environment.

    Raises SettingsError.
    """
    if stack not in ENVIRONMENTS:
        raise SettingsError(f"stack {stack}", "is not an environment", "Use one of " + ", ".join(ENVIRONMENTS))
    known = {"environment": stack, "project": project_name(root), "organization": "organization", "root": str(root)}
    config = {key: str(one["value"]) for key, one in _ask(stack, "config", "--json").items() if isinstance(one, dict) and "value" in one}
    return parse(known, config, os.environ)


def settings_and_outputs(stack: str, root: Path) -> tuple[Settings, StackOutputs]:
    """Both, asked for at once, since each costs a start of the engine; raises SettingsError."""
    with ThreadPoolExecutor(1) as thread:
        outputs = thread.submit(outputs_of, stack)
        return settings_of(stack, root), outputs.result()


def ask_pulumi(stack: str, *words: str, given: str | None = None) -> subprocess.CompletedProcess[str]:
    """Run the Pulumi CLI for a stack, and return how it ended; ``given`` is what it reads, so that no list of processes shows it.

    Raises SettingsError where there is no Pulumi.
    """
    command = ["pulumi", "--non-interactive", "--color", "never", *words, "--stack", stack]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False, input=given)  # noqa: S603
    except FileNotFoundError:
        raise SettingsError("pulumi", "is not on PATH", "Run make engine, or open the shell of crane local env") from None


def pulumi_failed(stack: str, ended: subprocess.CompletedProcess[str]) -> SettingsError:
    """The error for a run of the Pulumi CLI that failed."""
    message = _first_error(ended.stderr.strip() or ended.stdout.strip() or "no output")
    return SettingsError(f"stack {stack}", f"Pulumi failed ({message})", "Log in to its backend, and check the name of the stack there")


def _ask(stack: str, *words: str) -> Mapping[str, Any]:
    ended = ask_pulumi(stack, *words)
    if ended.returncode:
        raise pulumi_failed(stack, ended)
    try:
        return _OBJECT.validate_json(ended.stdout)
    except ValidationError:
        todo = f"Run it again. This shows what Pulumi prints: pulumi {' '.join(words)} --stack {stack}"
        raise SettingsError(f"stack {stack}", "Pulumi printed something other than one JSON object", todo) from None


def _first_error(output: str) -> str:
    """Without the warnings before it, which a bucket as the backend prints at each run."""
    lines = output.splitlines()
    return next((line for line in lines if line.startswith("error: ")), lines[0]).removeprefix("error: ")
