"""The versions that this project pins: those of pyproject.toml, the one place where they stand."""

import tomllib

from tests.repository import ROOT

_DEPENDENCIES = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["dependencies"]
PINNED: dict[str, str] = dict(pin.split("==") for pin in _DEPENDENCIES if "==" in pin)
