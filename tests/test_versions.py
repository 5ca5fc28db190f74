"""The versions of Pulumi and of the provider stand in pyproject.toml alone: whatever else names one takes it from there, or is compared here."""

import re
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path
from subprocess import run

import pytest
import yaml

from crane_infra.program import environment, provider
from crane_infra.rehearsal import plugin
from local_cloud.provider import server
from tests.local_cloud.provider import scenarios
from tests.pins import PINNED
from tests.repository import ROOT

SDK, PROVIDER = PINNED["pulumi"], PINNED["pulumi-cloudflare"]
FLOOR = str(yaml.safe_load((ROOT / "Pulumi.yaml").read_text(encoding="utf-8"))["requiredPulumiVersion"])
CODE = ("crane_infra", "local_cloud", "text_forms", "tools", "bench", "tests", ".github", "Makefile", "Pulumi*.yaml", "*.py")
PAGES = (ROOT / "README.md", *(ROOT / "docs").glob("*.md"))


def of_tools(expression: str) -> str:
    """A value of the tools that bring the engine, which run before anything is installed."""
    code = f"from bring import found, modules; print({expression})"
    return run([sys.executable, "-c", code], cwd=ROOT / "tools", capture_output=True, text=True, check=True).stdout.strip()


def required(folder: str) -> dict[str, str]:
    """The versions of the modules that a go.mod requires."""
    text = (ROOT / "tools" / "engine" / folder / "go.mod").read_text(encoding="utf-8")
    return dict(re.findall(r"^(?:require|\t)\s*(\S+) v(\S+)", text, re.MULTILINE))


def code_files() -> list[Path]:
    """The files that are code or settings."""
    paths = [path for pattern in CODE for root in ROOT.glob(pattern) for path in (root.rglob("*") if root.is_dir() else [root])]
    kinds = {".py", ".yml", ".yaml", ".mjs", ".js", ""}
    return [path for path in paths if path.is_file() and path.suffix in kinds]


def test_both_are_pinned_and_locked_and_installed() -> None:
    locked = {package["name"]: package["version"] for package in tomllib.loads((ROOT / "uv.lock").read_text(encoding="utf-8"))["package"]}
    assert PINNED.keys() >= {"pulumi", "pulumi-cloudflare"}
    assert {name: locked[name] for name in PINNED} == PINNED
    assert {name: version(name) for name in PINNED} == PINNED


def test_the_engine_that_is_brought_has_the_version_of_its_sdk() -> None:
    modules = "github.com/pulumi/pulumi"
    assert of_tools("found.text(found.PINNED)") == SDK
    assert [required("pulumi")[f"{modules}/{name}/v3"] for name in ("pkg", "sdk")] == [SDK, SDK]
    assert of_tools("modules.PROGRAMS[1].version") == required("host")[f"{modules}/sdk/v3"]


def test_the_oldest_engine_is_the_one_that_pulumi_yaml_names() -> None:
    assert FLOOR == environment.ENGINE == f">={of_tools('found.text(found.FLOOR)')}"


def test_program_plugin_stand_in_and_contract_are_of_the_provider_that_is_pinned() -> None:
    assert (PROVIDER, f"resource-cloudflare-v{PROVIDER}", PROVIDER) == (provider.VERSION, plugin.FOLDER, server.VERSION)
    assert PROVIDER.rpartition(".")[0] == scenarios.RECORDED_WITH


@pytest.mark.parametrize("pin", [SDK, PROVIDER])
def test_no_other_file_writes_a_pinned_version(pin: str) -> None:
    minor = re.compile(rf"(?<![\d.]){re.escape(pin.rpartition('.')[0])}(?!\d)")
    files = code_files()
    assert ROOT / "crane_infra" / "program" / "provider.py" in files
    assert [str(path.relative_to(ROOT)) for path in files if minor.search(path.read_text(encoding="utf-8", errors="replace"))] == []
    assert [page.name for page in PAGES if pin in page.read_text(encoding="utf-8")] == []
