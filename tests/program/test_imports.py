"""A run imports what it uses: no SDK of Cloudflare or of the provider, whose shared modules alone take a second, and no part for people."""

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


UNUSED = {"click", "cloudflare", "cryptography", "pulumi_cloudflare", "pygments", "rich", "typer"}


def test_a_run_imports_the_program_and_no_library_that_it_does_not_use() -> None:
    ended = subprocess.run([sys.executable, "-W", "ignore", "-c", RUN], cwd=ROOT, capture_output=True, text=True, check=True)
    modules = json.loads(ended.stdout.splitlines()[-1])
    assert "crane_infra.program.environment" in modules
    assert UNUSED & {name.split(".")[0] for name in modules} == set()
