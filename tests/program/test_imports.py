"""A run imports what it uses: not the provider's SDK, whose shared modules alone take a second."""

import json
import subprocess
import sys

from tests.repository import ROOT

# ``__main__.py`` ends without an engine, once everything is imported.
RUN = """
import json, runpy, sys
try:
    runpy.run_path("__main__.py")
except BaseException:
    pass
print(json.dumps(list(sys.modules)))
"""


def test_a_run_imports_the_program_and_not_the_providers_sdk() -> None:
    ended = subprocess.run([sys.executable, "-W", "ignore", "-c", RUN], cwd=ROOT, capture_output=True, text=True, check=True)
    modules = json.loads(ended.stdout.splitlines()[-1])
    assert "crane_infra.program.environment" in modules
    assert [name for name in modules if name.startswith("pulumi_cloudflare")] == []
