"""What the Pulumi CLI says about a stack, for commands that run without the SDK: the last outputs and the plain configuration."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from crane_infra.config.environments import ENVIRONMENTS
from crane_infra.config.settings import Settings, parse
from crane_infra.config.stackfile import project_name
from crane_infra.errors import SettingsError
from crane_infra.pulumi_cli import CONFIG, OUTPUTS, SECONDS, ask_for_object, ask_for_text
from crane_infra.release.outputs import StackOutputs, read_outputs
from crane_infra.status.updates import Updates, read_updates

DATABASE = "cloudflare:index/d1Database:D1Database"
_SECONDS_OF_A_HISTORY = 300.0
"""A bucket holds each entry of a history as a file of its own."""


def outputs_of(stack: str) -> StackOutputs:
    """The last outputs of a stack; raises SettingsError where Pulumi fails or they cannot be read."""
    return read_outputs(ask_for_object(stack, *OUTPUTS), stack)


def created_databases(stack: str) -> dict[str, str]:
    """The ids of the databases in the state of a stack, by their names in the catalog: those of updates that failed are there too.

    Raises SettingsError.
    """
    deployment = ask_for_object(stack, "stack", "export").get("deployment")
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
    config = {key: str(one["value"]) for key, one in ask_for_object(stack, *CONFIG).items() if isinstance(one, dict) and "value" in one}
    return parse(known, config, os.environ)


def settings_and_outputs(stack: str, root: Path) -> tuple[Settings, StackOutputs]:
    """Both, asked for at once, since each costs a start of the engine; raises SettingsError."""
    with ThreadPoolExecutor(1) as thread:
        outputs = thread.submit(outputs_of, stack)
        return settings_of(stack, root), outputs.result()


def updates_of(stack: str, newest: int | None = None) -> Updates:
    """The whole history of a stack, or its ``newest`` entries; raises SettingsError where Pulumi fails or prints no history."""
    seconds = SECONDS if newest else _SECONDS_OF_A_HISTORY
    return read_updates(ask_for_text(stack, "stack", "history", "--json", "--page-size", str(newest or 0), seconds=seconds), stack, newest)
