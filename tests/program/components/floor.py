"""The program as it is, that asks for an engine which does not exist yet: any engine is too old for it."""

import runpy
from pathlib import Path

from crane_infra.program import environment

environment.ENGINE = ">=99.0.0"

if __name__ == "__main__":
    runpy.run_path(str(Path(__file__).resolve().parents[3] / "__main__.py"), run_name="__main__")
