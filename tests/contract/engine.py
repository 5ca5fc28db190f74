"""Runs the real engine on the fixture program, with the stand-in provider attached."""

import asyncio
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from crane_infra.local.provider import ProviderServer, start_provider

ROOT = Path(__file__).parents[2]
DRIVER = Path(__file__).parent / "program" / "driver.py"
TOKEN = "canary-token-9b1d"
# The signature under which the engine writes an encrypted value.
SECRET = "4dabf18193072939515e22adb298388d"
# Steps that belong to another one, or change nothing.
SILENT = {"same", "refresh", "create-replacement", "import-replacement", "delete-replaced", "discard-replaced"}
SECONDS = 60
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
    """One stack of the fixture program, in a folder of its own, driven by a process of its own."""

    folder: Path
    pulumi: str
    provider_port: int
    driver: subprocess.Popen[str] = field(init=False)

    def __enter__(self) -> Self:
        """Start the driver."""
        (self.folder / "state").mkdir()
        self.driver = subprocess.Popen(
            [sys.executable, "-W", "ignore", str(DRIVER), str(self._project)],
            env=self._environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        return self

    def __exit__(self, *_: object) -> None:
        """End the driver."""
        with self.driver:
            pass

    def run(self, command: str, inputs: Json, **config: str) -> Run:
        """Run up, preview, refresh or destroy; ``config`` is the provider's."""
        assert self.driver.stdin
        assert self.driver.stdout
        settings = {f"cloudflare:{key}": value for key, value in config.items()}
        self.driver.stdin.write(json.dumps({"command": command, "inputs": inputs, "config": settings}) + "\n")
        self.driver.stdin.flush()
        done = json.loads(self.driver.stdout.readline())
        return Run(done["exit"], list(_steps(done["steps"])), done["errors"], done["said"])

    def export(self) -> str:
        """The state as the engine gives it to anybody: encrypted values stay encrypted."""
        command = [self.pulumi, "stack", "export", "--stack", "contract", "--non-interactive"]
        done = subprocess.run(command, cwd=self._project, env=self._environment(), capture_output=True, text=True, timeout=SECONDS, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    @property
    def _project(self) -> Path:
        return self.folder / "project"

    def _environment(self) -> dict[str, str]:
        """A machine without an account. Bytecode is wanted: without it the Cloudflare SDK takes seconds to import."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PULUMI_", "CLOUDFLARE_", "PYTHON"))}
        return {
            **kept,
            "PATH": search_path(),
            "PULUMI_HOME": str(self.folder / "home"),
            "PULUMI_BACKEND_URL": (self.folder / "state").as_uri(),
            "PULUMI_CONFIG_PASSPHRASE": "passphrase",
            "PULUMI_SKIP_UPDATE_CHECK": "1",
            "PULUMI_DEBUG_PROVIDERS": f"cloudflare:{self.provider_port}",
        }


def _steps(steps: list[Json]) -> Iterator[Json]:
    """The steps as the contract writes them."""
    for step in steps:
        if step["type"].startswith("pulumi:") or step["op"] in SILENT:
            continue
        reasons = {"replaceReasons": sorted(step["keys"] or []), "diffReasons": sorted(step["diffs"] or [])}
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
