"""Which clone a command works in."""

from pathlib import Path

from crane_infra.errors import RehearsalError


def root() -> Path:
    """The nearest folder upwards that has crane-infra's Pulumi.yaml.

    Raises RehearsalError where there is none.
    """
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / "Pulumi.yaml").is_file() and (folder / "crane_infra").is_dir():
            return folder
    raise RehearsalError(str(here), "is not in a clone of crane-infra", "Change into the clone first")
