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
from typing import Any, Self

from local_cloud.provider import ProviderServer, start_provider
from tests.repository import ROOT
from tests.world import key_manager, warm

PROGRAM = Path(__file__).parent / "program"
TOKEN = "canary-token-9b1d"
# The signature under which the engine writes an encrypted value.
SECRET = "4dabf18193072939515e22adb298388d"
# Steps that are part of another one, or change nothing.
SILENT = {"same", "refresh", "create-replacement", "import-replacement", "delete-replaced", "discard-replaced"}
SECONDS = 600
Json = dict[str, Any]


def search_path() -> str:
    """PATH that starts with this Python and the repository's engine."""
    return os.pathsep.join([str(Path(sys.executable).parent), str(ROOT / ".crane" / "engine" / "bin"), os.environ.get("PATH", "")])


def at_once() -> float:
    """The pause factor of a provider that sends failed calls again at once."""
    return 0.0


@contextmanager
def provider_at(base_url: str) -> Iterator[ProviderServer]:
    """A stand-in provider in its own thread."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        server = asyncio.run_coroutine_threadsafe(start_provider(base_url, TOKEN, pause_factor=at_once), loop).result()
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
    """The steps, errors, warnings and output of one run of the engine."""

    exit: int
    steps: list[Json]
    errors: list[str]
    warnings: list[str]
    output: str


@dataclass
class Stack:
    """One stack of the fixture program, in its own folder, with a process that hosts its program."""

    folder: Path
    pulumi: str
    provider_port: int
    host: subprocess.Popen[str] = field(init=False)
    client: str = field(init=False)

    def __enter__(self) -> Self:
        """Start the program's host and make the stack."""
        shutil.copytree(PROGRAM, self._project)
        (self.folder / "state").mkdir()
        self.host = subprocess.Popen(
            [warm.python(*warm.HOST), str(self._project / "host.py"), str(self._inputs)],
            env=self._environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        made = self._pulumi("stack", "init", "contract", "--secrets-provider", key_manager.PROVIDER)
        assert made.returncode == 0, made.stderr
        assert self.host.stdout
        self.client = f"127.0.0.1:{self.host.stdout.readline().strip()}"
        return self

    def __exit__(self, *_: object) -> None:
        """End the host."""
        with self.host:
            pass

    def run(self, command: str, inputs: Json, **config: str) -> Run:
        """Run up, preview, refresh or destroy; ``config`` is the provider's."""
        self._inputs.write_text(json.dumps(inputs))
        events = self.folder / "events"
        events.unlink(missing_ok=True)
        options = [] if command == "preview" else ["--yes", "--skip-preview"]
        if command in ("up", "preview"):
            settings = [f"--config=cloudflare:{key}={value}" for key, value in config.items()]
            options += [f"--client={self.client}", "--exec-kind", "auto.inline", *settings]
        done = self._pulumi(command, "--event-log", str(events), *options)
        log = [json.loads(line) for line in events.read_text().splitlines()]
        errors, warnings = ([event["message"] for event in _diagnostics(log, severity)] for severity in ("error", "warning"))
        return Run(done.returncode, list(_steps(log)), errors, warnings, done.stdout + done.stderr)

    def export(self) -> str:
        """The state with encrypted values, as an export has it. It is read where the engine keeps it: a start of the engine takes longer."""
        (file,) = (self.folder / "state" / ".pulumi" / "stacks").rglob("contract.json")
        kept = json.loads(file.read_text(encoding="utf-8"))
        return json.dumps({"version": kept["version"], "deployment": kept["checkpoint"]["latest"] or {}})

    def forget(self, *keys: str) -> None:
        """Remove the provider's configuration from the stack."""
        for key in keys:
            assert self._pulumi("config", "rm", f"cloudflare:{key}").returncode == 0

    @property
    def _project(self) -> Path:
        return self.folder / "project"

    @property
    def _inputs(self) -> Path:
        return self.folder / "inputs.json"

    def _pulumi(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.pulumi, *arguments, "--non-interactive"],
            cwd=self._project,
            env=self._environment(),
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )

    def _environment(self) -> dict[str, str]:
        """The environment of a machine without an account. It writes bytecode, without which the Cloudflare SDK takes seconds to import."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PULUMI_", "CLOUDFLARE_", "PYTHON"))}
        return {
            **kept,
            **key_manager.variables(),
            "PATH": search_path(),
            "PULUMI_HOME": str(self.folder / "home"),
            "PULUMI_BACKEND_URL": (self.folder / "state").as_uri(),
            "PULUMI_SKIP_UPDATE_CHECK": "1",
            "PULUMI_DEBUG_COMMANDS": "1",
            "PULUMI_DEBUG_PROVIDERS": f"cloudflare:{self.provider_port}",
            "PULUMI_PYTHON_CMD": warm.python(*warm.HOST),
        }


def _diagnostics(log: list[Json], severity: str) -> list[Json]:
    events = (event.get("diagnosticEvent", {}) for event in log)
    return [event for event in events if event.get("severity") == severity]


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
    state = json.loads(exported)["deployment"].get("resources", [])
    shown = [resource for resource in state if resource["type"].startswith("cloudflare:") and not resource.get("delete")]
    return [
        {"type": resource["type"], "id": resource["id"], "inputs": _masked(resource["inputs"]), "outputs": _masked(resource["outputs"])}
        for resource in shown
    ]


def _masked(value: Any) -> Any:  # noqa: ANN401 (JSON)
    if isinstance(value, dict):
        inner = {key: _masked(item) for key, item in value.items() if key != "__defaults"}
        return {"secret": True} if SECRET in value else inner
    return [_masked(item) for item in value] if isinstance(value, list) else value
