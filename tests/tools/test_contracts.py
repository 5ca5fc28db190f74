"""Each rule about who may import whom is kept, and is seen to break when one line of the code breaks it."""

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.repository import ROOT

LINT_IMPORTS = Path(sys.executable).parent / "lint-imports"
CONTRACTS = [entry["name"] for entry in tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]]
BREACHES = {
    "Only program and secrets.sources import Pulumi": ("crane_infra/live/promotion.py", "import pulumi"),
    "Nothing imports Cloudflare's SDK": ("crane_infra/commands/verify.py", "import cloudflare"),
    "The reports and the commands never import the program": ("crane_infra/report/collect.py", "import crane_infra.program.exports"),
    "config and release know neither HTTP nor Pulumi": ("crane_infra/release/gate.py", "import crane_infra.tls"),
    "status knows neither HTTP nor Pulumi, and starts nothing": ("crane_infra/status/page.py", "import crane_infra.live.account"),
    "The local cloud knows nothing of crane": ("local_cloud/store.py", "import crane_infra.errors"),
    "Only the rehearsal and the commands use the local cloud": ("crane_infra/d1/client.py", "import local_cloud.store"),
    "Nothing imports the commands": ("crane_infra/rehearsal/stage.py", "import crane_infra.cli.main"),
    "The ground knows nobody": ("crane_infra/errors.py", "import crane_infra.config.settings"),
    "The forms of a text know neither package": ("text_forms/__init__.py", "import local_cloud.store"),
    "No room imports itself in a circle": ("crane_infra/release/gate.py", "import crane_infra.live.promotion"),
}


@pytest.fixture(scope="module")
def code(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the packages and their rules."""
    folder = tmp_path_factory.mktemp("code")
    shutil.copy(ROOT / "pyproject.toml", folder)
    for package in ("crane_infra", "local_cloud", "text_forms"):
        shutil.copytree(ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__", "node_modules"))
    return folder


def broken(folder: Path) -> list[str]:
    """The names of the contracts that the code in this folder breaks."""
    checked = subprocess.run([LINT_IMPORTS, "--no-cache"], cwd=folder, capture_output=True, text=True, check=False)
    return [name for name in CONTRACTS if f"{name} BROKEN" in " ".join(checked.stdout.split())]


def test_every_contract_has_a_line_that_breaks_it() -> None:
    assert sorted(BREACHES) == sorted(CONTRACTS)


def test_the_code_as_it_is_breaks_none(code: Path) -> None:
    assert broken(code) == []


@pytest.mark.parametrize("contract", CONTRACTS)
def test_a_line_that_breaks_a_contract_is_found(code: Path, contract: str) -> None:
    file, line = BREACHES[contract]
    module = code / file
    before = module.read_text()
    module.write_text(f"{before}\n{line}\n")
    try:
        assert contract in broken(code)
    finally:
        module.write_text(before)
