"""The settings of the stack that Pulumi runs."""

import os
from pathlib import Path

import pulumi
from pulumi.runtime import config as pulumi_config

from crane_infra.config.environments import ENVIRONMENTS
from crane_infra.config.settings import Settings, parse
from crane_infra.errors import SettingsError


def own_settings() -> Settings:
    """The settings of the stack that Pulumi runs.

    Raises SettingsError with the setting's path, before anything is declared.
    """
    stack = pulumi.get_stack()
    if stack not in ENVIRONMENTS:
        raise SettingsError(f"stack {stack}", "is not an environment", "Use one of " + ", ".join(ENVIRONMENTS))
    if "cloudflare:apiToken" in pulumi_config.CONFIG.get() and not pulumi_config.is_config_secret("cloudflare:apiToken"):
        raise SettingsError(
            f"Pulumi.{stack}.yaml cloudflare:apiToken", "is stored in the clear", "Replace the token, and store the new one with --secret"
        )
    return parse(
        {
            "environment": stack,
            "project": pulumi.get_project(),
            "organization": pulumi.get_organization(),
            # A language host older than the engine does not know where the stack files are; the program runs beside them.
            "root": pulumi.get_root_directory() or str(Path.cwd()),
        },
        pulumi_config.CONFIG.get(),
        os.environ,
    )
