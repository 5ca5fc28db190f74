"""What an environment has here is what the real wrangler says that it has: names, inherited keys, and those that are not inherited."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from crane_infra.wrangler.findings import Findings
from crane_infra.wrangler.keys import Keys
from crane_infra.wrangler.read import TOP, Environment, read_file
from local_cloud.workerd.install import ensure_modules, node
from tests.repository import ROOT
from tests.wrangler_files.conftest import Clone
from tests.wrangler_files.shapes import SHAPES

EVERY_KEY_INHERITS_OR_NOT = """
name = "w"
main = "a.js"
compatibility_date = "2025-01-01"
compatibility_flags = ["nodejs_compat"]
workers_dev = true
preview_urls = true
logpush = true
account_id = "abababababababababababababababab"
route = "example.com/*"
vars = { A = "1" }
tail_consumers = [{ service = "t" }]
services = [{ binding = "S", service = "s" }]
kv_namespaces = [{ binding = "K", id = "k" }]
ai = { binding = "AI" }
version_metadata = { binding = "V" }
[limits]
cpu_ms = 5
[placement]
mode = "smart"
[observability]
enabled = true
[triggers]
crons = ["* * * * *"]
[env.staging]
[env.production]
name = "live"
routes = ["shop.example.com/*"]
triggers = { crons = [] }
observability = { enabled = false }
"""
TRANSLATED = [field.alias or name for name, field in Keys.model_fields.items() if name != "main"]
"""Without the entry point, which wrangler shows as a full path."""


def environments(clone: Clone) -> list[tuple[Path, Environment]]:
    """Every environment of every shape."""
    projects = [*SHAPES.values(), {"wrangler.toml": EVERY_KEY_INHERITS_OR_NOT}]
    found: list[tuple[Path, Environment]] = []
    for number, files in enumerate(projects):
        for path in clone.write({f"{number}/{name}": text for name, text in files.items()}):
            findings = Findings()
            read = read_file(path, findings, None, None)
            findings.stop_at_faults()
            assert read
            found += [(path, environment) for environment in (read.production, read.staging) if environment]
    return found


@pytest.mark.npm
@pytest.mark.cloud
def test_each_environment_has_the_keys_that_wrangler_says(clone: Clone) -> None:
    read = environments(clone)
    wrangler = ensure_modules(ROOT / ".crane" / "runtime", ROOT / "tools" / "wrangler") / "node_modules" / "wrangler"
    asked = [str(wrangler), [[str(path), None if each.name == TOP else each.name] for path, each in read]]
    command = [str(node()), str(ROOT / "tests" / "wrangler_files" / "read_config.cjs")]
    environ = {"PATH": os.environ["PATH"], "HOME": str(clone.root), "WRANGLER_SEND_METRICS": "false"}
    ended = subprocess.run(command, input=json.dumps(asked), env=environ, capture_output=True, text=True, check=False, timeout=120)
    assert ended.returncode == 0, ended.stderr
    answers = json.loads(ended.stdout)
    assert [each.script for _, each in read] == [answer["name"] for answer in answers]
    for (path, each), answer in zip(read, answers, strict=True):
        ours = {key: each.keys[key] for key in TRANSLATED if each.keys.get(key)}
        theirs = {key: answer[key] for key in TRANSLATED if answer.get(key)}
        empty: dict[str, object] = {
            "durable_objects": {"bindings": []},
            "queues": {"producers": [], "consumers": []},
            "triggers": {"crons": []},
        }
        kept = {key: value for key, value in theirs.items() if key in ours or value != empty.get(key)}
        assert ours == kept, f"{path} {each.name}"
