"""Reads a stack file as it stands on disk: for what the engine does not tell a program. One question, one answer."""

from pathlib import Path
from typing import Any

import yaml

from crane_infra.errors import SettingsError


def stack_config(root: Path, environment: str) -> dict[str, Any]:
    """The ``config`` of a stack file; empty where there is no such file.

    Raises SettingsError where it cannot be read.
    """
    path = root / f"Pulumi.{environment}.yaml"
    try:
        return dict((yaml.safe_load(path.read_text(encoding="utf-8")) or {}).get("config") or {})
    except FileNotFoundError:
        return {}
    except (OSError, yaml.YAMLError, AttributeError, TypeError, ValueError) as error:
        raise SettingsError(path.name, f"cannot be read ({type(error).__name__})", "Correct its YAML") from None
