"""The key that masks production's rows: from an environment variable, or a secret of staging's stack file."""

import os
from collections.abc import Mapping
from typing import Any

from crane_infra.errors import SecretError
from crane_infra.pulumi_cli import ask_for_object, ask_for_text

NAME, VARIABLE = "masking-key", "CRANE_MASKING_KEY"
_TODO = f"Run pulumi config set --secret {NAME} -s staging, which asks for it (openssl rand -hex 32 makes one), or set {VARIABLE}"


def masking_key(project: str) -> str:
    """The key. Raises SecretError where there is none or it is stored in the clear, SettingsError where Pulumi fails."""
    if key := os.environ.get(VARIABLE):
        return key
    require_secret(ask_for_object("staging", "config", "--json").get(f"{project}:{NAME}"))
    return ask_for_text("staging", "config", "get", NAME).strip()


def require_secret(entry: Mapping[str, Any] | None) -> None:
    """Require that an entry of a stack's configuration is there and encrypted. Raises SecretError."""
    if entry is None:
        raise SecretError(NAME, "is not set, and masked values depend on it", _TODO)
    if entry.get("secret") is not True:
        raise SecretError(NAME, "is stored in the clear", f"{_TODO}. Use a new value: the old one is in git")
