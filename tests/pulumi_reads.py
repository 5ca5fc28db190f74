"""What Pulumi has answered before: the same question about the same files is put to the engine once.

Each command of crane starts the engine for the settings, the outputs and the history of a stack, a tenth of a second of processor time each, and a
story asks dozens of times between two updates. Only answers to reads are kept, only those that succeeded, and only while the environment, the
settings and every file of the backend stay what they were.
"""

import hashlib
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from crane_infra import pulumi_cli
from crane_infra.pulumi_cli import project_folder

READS = (("config", "--json"), ("stack", "output"), ("stack", "export"), ("stack", "history"), ("stack", "tag", "ls"))
FILE = "file://"
NOT_READ = "CLOUDFLARE_API_TOKEN"
"""The engine passes it on to the provider alone."""
Ended = subprocess.CompletedProcess[str]

_ask = pulumi_cli.ask_pulumi
_answers: dict[object, Ended] = {}


def ask_once(stack: str, *words: str, cwd: Path | None = None, given: str | None = None, seconds: float | None = None) -> Ended:
    """Ask Pulumi, or give what it answered to the same question about the same files."""
    backend = os.environ.get("PULUMI_BACKEND_URL", "")
    if given is not None or not backend.startswith(FILE) or not any(words[: len(read)] == read for read in READS):
        return _ask(stack, *words, cwd=cwd, given=given, seconds=seconds)
    folder = project_folder(os.environ, cwd or Path.cwd())
    asked = (stack, words, str(folder), _environment(os.environ), _contents(folder, Path(backend.removeprefix(FILE)), stack))
    if asked not in _answers:
        ended = _ask(stack, *words, cwd=cwd, seconds=seconds)
        if ended.returncode:
            return ended
        _answers[asked] = ended
    return _answers[asked]


def _environment(environ: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((name, value) for name, value in environ.items() if name != NOT_READ))


def _contents(project: Path, backend: Path, stack: str) -> str:
    """A digest of all that the engine may read: the settings of the project, and the stacks and their history in the backend."""
    digest = hashlib.sha256()
    settings = [path for path in (project / "Pulumi.yaml", project / f"Pulumi.{stack}.yaml") if path.exists()]
    kept = [path for folder in ("stacks", "history") for path in (backend / ".pulumi" / folder).rglob("*") if path.is_file()]
    for path in [*settings, *sorted(kept)]:
        content = path.read_bytes()
        digest.update(f"{path}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()
