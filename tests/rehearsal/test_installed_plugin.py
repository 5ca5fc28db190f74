"""With the official plugin installed, the engine starts it on the local cloud, and staging and production work as without it."""

import json
from importlib.metadata import version
from pathlib import Path

import pytest

from crane_infra.rehearsal.plugin import PROGRAM
from crane_infra.release.exported import plain_outputs
from tests.clone import Run
from tests.rehearsal import official_plugin
from tests.world import warm

pytestmark = [pytest.mark.engine, pytest.mark.cloud]

QUIET = "--non-interactive --color never"
# The second eval runs in a shell whose Pulumi home is that of the local project.
SESSION = f"""set -e
eval "$("$@" local env)"
eval "$("$@" local env)"
test -z "${{PULUMI_DEBUG_PROVIDERS-}}"
pulumi preview -s staging {QUIET}
for stack in staging production; do pulumi up -s $stack --yes --skip-preview {QUIET}; done
pulumi stack output -s production --json > production.json
"""


def test_the_engine_uses_the_installed_plugin_and_both_stacks_are_deployed(
    run: Run, clone: Path, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    crane = (warm.environment(tmp_path_factory.mktemp("environment")), "-c", "from crane_infra.cli.main import main; main()")
    installed = official_plugin.install(tmp_path / "pulumi home")
    ours = clone / ".crane" / "local" / "home" / "plugins" / installed.name
    ours.parent.mkdir(parents=True)
    ours.symlink_to(installed)  # as an earlier version left it
    up = run(*crane, "local", "up", PULUMI_HOME=str(tmp_path / "pulumi home"))
    assert up.returncode == 0, up.stderr
    session = run("sh", "-c", SESSION, "sh", *crane, PULUMI_HOME=str(tmp_path / "pulumi home"))
    assert session.returncode == 0, session.stdout + session.stderr
    assert "20 to create" in session.stdout
    newest = plain_outputs(json.loads((clone / "production.json").read_text(encoding="utf-8")))["proofs"][0]
    assert newest["versions"] == {name: version(name) for name in ("pulumi", "pulumi-cloudflare")}
    runs = official_plugin.starts(tmp_path / "pulumi home")
    assert len(runs) >= len(("preview", "up", "up"))
    assert set(runs) == {ours / PROGRAM}
