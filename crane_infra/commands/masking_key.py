"""The key that masks production's rows: from an environment variable, or a secret of staging's stack file."""

import os

from crane_infra.errors import SecretError
from crane_infra.pulumi_cli import ask_for_object, ask_for_text

NAME, VARIABLE = "masking-key", "CRANE_MASKING_KEY"
_TODO = f"Run pulumi config set --secret {NAME} $(openssl rand -hex 32) -s staging, or set {VARIABLE}"


def masking_key(project: str) -> str:
    """The key. Raises SecretError where there is none or it is stored in the clear, SettingsError where Pulumi fails."""
    if key := os.environ.get(VARIABLE):
        return key
    entry = ask_for_object("staging", "config", "--json").get(f"{project}:{NAME}")
    if not isinstance(entry, dict):
        raise SecretError(NAME, "is not set, and masked values depend on it", _TODO)
    if entry.get("secret") is not True:
        raise SecretError(NAME, "is stored in the clear", f"{_TODO}. Use a new value: the old one is in git")
    return ask_for_text("staging", "config", "get", NAME).strip()
