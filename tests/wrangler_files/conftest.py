"""A clone with stack files of its own, into which projects are imported."""

import importlib.util
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from crane_infra.config.catalog import Catalog
from crane_infra.config.environments import Environment
from crane_infra.config.settings import Settings, parse
from crane_infra.wrangler.plan import Plan, plan_import

OWN = """# The head of the file.
encryptionsalt: v1:abc
config:
  crane-infra:workers-subdomain: shop  # ours
  crane-infra:databases:
    gone:
      name: gone
  # what comes last
  crane-infra:fingerprint-key:
    secure: v1:xyz
"""


@dataclass(frozen=True)
class Clone:
    """A clone of crane-infra, with a project beside it."""

    root: Path
    project: Path

    def write(self, files: Mapping[str, str]) -> list[Path]:
        """Write the files of a project, and return their paths."""
        for name, text in files.items():
            (self.project / name).parent.mkdir(parents=True, exist_ok=True)
            (self.project / name).write_text(text, encoding="utf-8")
        return [self.project / name for name in files]

    def plan(self, files: Mapping[str, str], staging: str | None = None, production: str | None = None) -> Plan:
        """Plan the import of a project."""
        return plan_import(self.write(files), self.root, staging, production)

    def take(self, files: Mapping[str, str]) -> Plan:
        """Import a project, and write it."""
        plan = self.plan(files)
        for change in plan.changes:
            change.write()
        return plan

    def catalog(self) -> Catalog:
        """The written catalog, imported as Python does."""
        spec = importlib.util.spec_from_file_location("written_catalog", self.root / "crane_infra" / "catalog.py")
        assert spec
        assert spec.loader
        module = importlib.util.module_from_spec(spec)
        cached, sys.dont_write_bytecode = sys.dont_write_bytecode, True
        try:
            spec.loader.exec_module(module)
        finally:
            sys.dont_write_bytecode = cached
        made = module.crane()
        assert isinstance(made, Catalog)
        return made

    def config(self, environment: str) -> dict[str, Any]:
        """The config of a written stack file."""
        return dict(yaml.safe_load((self.root / f"Pulumi.{environment}.yaml").read_text(encoding="utf-8"))["config"])

    def settings(self, environment: Environment) -> Settings:
        """The written settings, as a run parses them."""
        known = {"environment": environment, "project": "crane-infra", "organization": "organization", "root": str(self.root)}
        config = {
            key: value if isinstance(value, str) else json.dumps(value)
            for key, value in {"crane-infra:account-id": "0" * 32, **self.config(environment)}.items()
        }
        return parse(known, config, {"CLOUDFLARE_API_TOKEN": "t"})


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    """A clone whose stack files have comments and secrets."""
    root = tmp_path / "clone"
    (root / "crane_infra").mkdir(parents=True)
    (root / "Pulumi.yaml").write_text("name: crane-infra\n", encoding="utf-8")
    for environment in ("staging", "production"):
        (root / f"Pulumi.{environment}.yaml").write_text(OWN, encoding="utf-8")
    return Clone(root, tmp_path / "project")


def lines(notes: Sequence[object]) -> str:
    """The notes, a line each."""
    return "\n".join(map(str, notes))
