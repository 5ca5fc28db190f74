"""The real wrangler, pinned, as a user of a local cloud runs it: with that cloud's address and token, and a home of its own."""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from local_cloud.daemon import Running
from local_cloud.workerd.install import ensure_modules, node
from tests.repository import ROOT

_SECONDS = 600
_ROOM = ("--min-semi-space-size=64", "--max-semi-space-size=64")
"""Megabytes for young objects. In the few that node begins with, it collects garbage for a sixth of the time of a command."""


@dataclass(frozen=True)
class Wrangler:
    """Call it with wrangler's arguments."""

    running: Running
    home: Path

    def __call__(
        self, *arguments: str, cwd: Path | None = None, check: bool = True, answer: str = "", token: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run one command; with ``check``, one that fails fails the test with what it said. ``answer`` is its standard input."""
        program = ensure_modules(ROOT / ".crane" / "runtime", ROOT / "tools" / "wrangler") / "node_modules/wrangler/bin/wrangler.js"
        command = [str(node()), *_ROOM, str(program), *arguments]
        done = subprocess.run(
            command,
            cwd=cwd or self.home,
            env=self._environment(token),
            input=answer,
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
        assert not check or done.returncode == 0, f"wrangler {' '.join(arguments)}\n{done.stdout}\n{done.stderr}"
        return done

    def _environment(self, token: str | None) -> dict[str, str]:
        kept = {name: os.environ[name] for name in ("PATH", "LANG", "TMPDIR") if name in os.environ}
        return {
            **kept,
            "HOME": str(self.home),
            "NODE_COMPILE_CACHE": str(ROOT / ".crane" / "runtime" / "compiled"),  # 15 MB of JavaScript, else compiled at each start
            "XDG_CONFIG_HOME": str(self.home / "config"),
            "CI": "1",
            "NO_COLOR": "1",
            "FORCE_COLOR": "0",
            "WRANGLER_SEND_METRICS": "false",
            "WRANGLER_SEND_ERROR_REPORTS": "false",
            "WRANGLER_HIDE_BANNER": "true",
            "CLOUDFLARE_API_BASE_URL": self.running.api_url,
            "CLOUDFLARE_API_TOKEN": self.running.token if token is None else token,
            "CLOUDFLARE_ACCOUNT_ID": self.running.account_id,
        }
