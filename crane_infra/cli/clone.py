"""The clone that a command works in."""

from pathlib import Path

from crane_infra.errors import RehearsalError


def root() -> Path:
    """The clone of crane-infra around the current folder: the nearest parent with its Pulumi.yaml.

    Raises RehearsalError outside of a clone.
    """
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / "Pulumi.yaml").is_file() and (folder / "crane_infra").is_dir():
            return folder
    raise RehearsalError(str(here), "is not in a clone of crane-infra", "Change into the clone first")
