"""Reads the project file and the stack files from disk, for what the engine does not pass on to a program."""

from pathlib import Path
from typing import Any

import yaml

from crane_infra.errors import SettingsError

try:
    from yaml import CSafeLoader as Loader
except ImportError:  # PyYAML was built without libyaml, which reads nine times as fast
    from yaml import SafeLoader as Loader  # type: ignore[assignment]


def read_yaml(text: str) -> Any:  # noqa: ANN401 (YAML)
    """What a YAML text says; raises yaml.YAMLError or ValueError where it is none."""
    return yaml.load(text, Loader=Loader)


def stack_config(root: Path, environment: str) -> dict[str, Any]:
    """The ``config`` of a stack file; empty if there is no such file.

    Raises SettingsError if it cannot be read.
    """
    path = root / f"Pulumi.{environment}.yaml"
    try:
        return dict((read_yaml(path.read_text(encoding="utf-8")) or {}).get("config") or {})
    except FileNotFoundError:
        return {}
    except (OSError, yaml.YAMLError, AttributeError, TypeError, ValueError) as error:
        raise SettingsError(path.name, f"cannot be read ({type(error).__name__})", "Correct its YAML") from None


def project_name(root: Path) -> str:
    """The name of the Pulumi project in a folder.

    Raises SettingsError if its Pulumi.yaml cannot be read.
    """
    try:
        return str(read_yaml((root / "Pulumi.yaml").read_text(encoding="utf-8"))["name"])
    except (OSError, yaml.YAMLError, KeyError, TypeError, ValueError) as error:
        raise SettingsError("Pulumi.yaml", f"cannot be read ({type(error).__name__})", "Correct it") from None
