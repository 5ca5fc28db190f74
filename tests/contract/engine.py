"""Runs the real engine on the fixture program, with the stand-in provider attached."""

import asyncio
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from crane_infra.local.provider import ProviderServer, start_provider

ROOT = Path(__file__).parents[2]
PROGRAM = Path(__file__).parent / "program"
TOKEN = "canary-token-9b1d"
# The signature under which the engine writes an encrypted value.
SECRET = "4dabf18193072939515e22adb298388d"
# Steps that belong to another one, or change nothing.
SILENT = {"same", "refresh", "create-replacement", "import-replacement", "delete-replaced", "discard-replaced"}
MINUTES = 3 * 60
Json = dict[str, Any]


def search_path() -> str:
    """PATH with this Python and the engine that the repository brought first."""
    return os.pathsep.join([str(Path(sys.executable).parent), str(ROOT / ".crane" / "engine" / "bin"), os.environ.get("PATH", "")])


@contextmanager
def provider_at(base_url: str) -> Iterator[ProviderServer]:
    """A stand-in provider in a thread of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        server = asyncio.run_coroutine_threadsafe(start_provider(base_url, TOKEN), loop).result()
        try:
            yield server
        finally:
            asyncio.run_coroutine_threadsafe(server.stop(), loop).result()
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


@dataclass(frozen=True)
class Run:
    """What one run of the engine did and said."""

    exit: int
    steps: list[Json]
    errors: list[str]
    said: str


@dataclass
class Stack:
    """One stack of the fixture program, in a folder of its own."""

    folder: Path
    pulumi: str
    provider_port: int
    config: dict[str, str] = field(default_factory=dict)

    def run(self, command: str, inputs: Json) -> Run:
        """Run up, preview, refresh or destroy."""
        self._inputs.write_text(json.dumps(inputs))
        events = self.folder / "events"
        events.unlink(missing_ok=True)
        config = [part for key, value in self.config.items() for part in ("--config", f"{key}={value}")] if command in ("up", "preview") else []
        sure = [] if command == "preview" else ["--yes", "--skip-preview"]
        done = self._pulumi(command, "--event-log", str(events), *sure, *config)
        log = [json.loads(line) for line in events.read_text().splitlines()] if events.exists() else []
        errors = [event["diagnosticEvent"]["message"] for event in log if event.get("diagnosticEvent", {}).get("severity") == "error"]
        return Run(done.returncode, list(_steps(log)), errors, done.stdout + done.stderr)

    def export(self) -> str:
        """The state as the engine gives it to anybody: encrypted values stay encrypted."""
        done = self._pulumi("stack", "export")
        assert done.returncode == 0, done.stderr
        return done.stdout

    def init(self) -> None:
        """Copy the program and make the stack."""
        shutil.copytree(PROGRAM, self._program)
        (self.folder / "state").mkdir()
        done = self._pulumi("stack", "init", "contract")
        assert done.returncode == 0, done.stderr

    @property
    def _program(self) -> Path:
        return self.folder / "program"

    @property
    def _inputs(self) -> Path:
        return self.folder / "inputs.json"

    def _pulumi(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.pulumi, "--non-interactive", *arguments],
            cwd=self._program,
            env=self._environment(),
            capture_output=True,
            text=True,
            timeout=MINUTES,
            check=False,
        )

    def _environment(self) -> dict[str, str]:
        """A machine without an account. Bytecode is wanted: without it the Cloudflare SDK takes seconds to import."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PULUMI_", "CLOUDFLARE_", "PYTHON"))}
        return {
            **kept,
            "PATH": search_path(),
            "CONTRACT_INPUTS": str(self._inputs),
            "PULUMI_HOME": str(self.folder / "home"),
            "PULUMI_BACKEND_URL": (self.folder / "state").as_uri(),
            "PULUMI_CONFIG_PASSPHRASE": "passphrase",
            "PULUMI_SKIP_UPDATE_CHECK": "1",
            "PULUMI_DEBUG_COMMANDS": "1",
            "PULUMI_DEBUG_PROVIDERS": f"cloudflare:{self.provider_port}",
        }


def _steps(log: list[Json]) -> Iterator[Json]:
    """The steps as the contract writes them."""
    for event in log:
        step = event.get("resourcePreEvent", {}).get("metadata")
        if step is None or step["type"].startswith("pulumi:") or step["op"] in SILENT:
            continue
        reasons = {"replaceReasons": sorted(step.get("keys") or []), "diffReasons": sorted(step.get("diffs") or [])}
        yield {"op": step["op"], "type": step["type"], **{name: keys for name, keys in reasons.items() if keys}}


def resources(exported: str) -> list[Json]:
    """The resources of an exported state as the contract writes them."""
    found = json.loads(exported)["deployment"].get("resources", [])
    shown = [one for one in found if one["type"].startswith("cloudflare:") and not one.get("delete")]
    return [{"type": one["type"], "id": one["id"], "inputs": _masked(one["inputs"]), "outputs": _masked(one["outputs"])} for one in shown]


def _masked(value: Any) -> Any:  # noqa: ANN401 (JSON)
    if isinstance(value, dict):
        inner = {key: _masked(item) for key, item in value.items() if key != "__defaults"}
        return {"secret": True} if SECRET in value else inner
    return [_masked(item) for item in value] if isinstance(value, list) else value
