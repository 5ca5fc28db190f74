"""The folder that a rehearsal runs in: a local cloud, a project with both stacks, a copy of workers/, and the engine's logs.

It writes nothing to the clone. ``end`` ends what it starts, also after Ctrl-C, and each rehearsal begins in an empty folder.
"""

import itertools
import json
import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from crane_infra.config.catalog import Catalog
from crane_infra.config.environments import Environment
from crane_infra.errors import CraneError, RehearsalError
from crane_infra.rehearsal import engine, local_project, project
from crane_infra.rehearsal.local_project import LocalProject
from crane_infra.rehearsal.process import Child, Result, run
from crane_infra.rehearsal.worker_files import Files
from crane_infra.release.exported import plain_outputs
from local_cloud import daemon
from local_cloud.client import Account
from local_cloud.faults.client import Faults

Json = dict[str, Any]
SURE = ("--yes", "--skip-preview", "--suppress-progress")
PATIENCE = (3, 20, 60)
"""Seconds. A check that is to fail need not be tried for a minute, but a slow machine may give it no answer in three seconds."""


@dataclass
class Stage:
    """One rehearsal's place."""

    root: Path
    folder: Path
    catalog: Catalog
    program: Path | None = None
    """The folder of the program that the engine runs, where it is not the clone's."""
    _local: LocalProject | None = None
    _last_log: Path | None = None
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    _endings: list[Callable[[], None]] = field(default_factory=list)

    @property
    def project(self) -> project.Project:
        """The Pulumi project of this rehearsal."""
        return project.Project(self.root, self.folder, workers=self.files.folder, program=self.program)

    @property
    def files(self) -> Files:
        """The copy of workers/ that is deployed."""
        return Files(self.folder / "workers")

    @property
    def local(self) -> LocalProject:
        """The project while it runs; raises RehearsalError before the first step."""
        if self._local is None:
            raise self.failed("the local cloud is not running")
        return self._local

    @property
    def running(self) -> daemon.Running:
        """The local cloud."""
        return self.local.cloud

    @property
    def environ(self) -> Mapping[str, str]:
        """What the engine runs with; leads to the local cloud and nowhere else."""
        return self.local.environ

    @property
    def account(self) -> Account:
        """The account of the local cloud."""
        return self.local.account

    @property
    def faults(self) -> Faults:
        """What makes calls fail or wait."""
        return self.local.faults

    def begin(self) -> None:
        """A fresh folder, a local cloud, a project with two stacks."""
        engine.find(self.root, os.environ)  # before anything is removed
        self.end()
        shutil.rmtree(self.folder, ignore_errors=True)
        shutil.copytree(self.root / "workers", self.files.folder)
        self._local = local_project.begin(self.project, self.catalog, os.environ, in_infisical=True, signs=True)

    def end(self) -> None:
        """End what the steps began, and stop the local cloud of this rehearsal, if it runs."""
        while self._endings:
            self._endings.pop()()
        local_project.end(self.project)

    def at_end(self, ending: Callable[[], None]) -> None:
        """Call this at the end too, however the rehearsal ends."""
        self._endings.append(ending)

    def secrets(self, environment: Environment) -> dict[str, str]:
        """The generated secrets of a stack."""
        return self.local.secrets(environment)

    def pulumi(self, *words: str) -> str:
        """Run the engine and return everything it printed; raises RehearsalError if it fails."""
        return self._well(words).output

    def refused(self, *words: str) -> str:
        """Run the engine, which must refuse, and return everything it printed; raises RehearsalError if it succeeds."""
        ended = self._run(words)
        if ended.exit == 0:
            raise self.failed(f"pulumi {words[0]} succeeded, but should have been refused")
        return ended.output

    def up(self, environment: Environment, *words: str) -> str:
        """Update a stack."""
        return self.pulumi("up", "--stack", environment, *SURE, *words)

    def up_refused(self, environment: Environment) -> str:
        """Update a stack, which has to fail; its one error."""
        output = self.refused("up", "--stack", environment, *SURE)
        if "Traceback" in output:
            raise self.failed("the engine showed a traceback")
        return first_error(output)

    def up_refused_by_checks(self, environment: Environment, answer: str) -> str:
        """Update a stack whose checks have to fail over this answer; its one error. A run in which no answer came in time is tried again."""
        error = ""
        try:
            for seconds in PATIENCE:
                project.configure(self.project, environment, {"check-deadline-seconds": seconds})
                error = self.up_refused(environment)
                if answer in error:
                    return error
        finally:
            project.configure(self.project, environment, {"check-deadline-seconds": None})
        raise self.failed(f"expected '{answer}' in the error, got: {error}")

    def begin_up(self, environment: Environment) -> Child:
        """Begin to update a stack."""
        return Child(_command(("up", "--stack", environment, *SURE)), self.environ)

    def killed(self, child: Child) -> None:
        """``kill -9`` of a run, then what the engine needs to let go of the stack."""
        ended = child.kill()
        self._note(("up", "killed"), ended.output)
        self.pulumi("cancel", "--stack", "staging", "--yes")

    def preview(self, environment: Environment) -> Json:
        """What an update would do, as the engine tells programs."""
        return self.json("preview", "--stack", environment, "--json")

    def proofs(self, environment: Environment) -> list[Json]:
        """The proofs that a stack exports, newest first."""
        return list(plain_outputs(project.exported_by(self.project.backend, environment), environment).get("proofs", []))

    def json(self, *words: str) -> Json:
        """What the engine prints for programs."""
        return dict(json.loads(self._well(words).out))

    def crane(self, *words: str) -> Result:
        """Run a command of crane in the clone."""
        python = shutil.which("python", path=self.environ["PATH"]) or "python"
        ended = run([python, "-c", "from crane_infra.cli.main import main; main()", *words], self.environ)
        self._note(("crane", *words), ended.output)
        return ended

    def write_page(self) -> Path:
        """Write the page of both environments as they stand now; raises RehearsalError where it was not written."""
        path = self.folder / "status.html"
        ended = self.crane("status", "--html", str(path))  # its exit code tells of the last failure that was played
        self.require(path.is_file(), f"crane status wrote no page: {first_error(ended.output)}")
        return path

    def require(self, condition: object, otherwise: str) -> None:
        """Raise RehearsalError with ``otherwise`` unless the condition holds."""
        if not condition:
            raise self.failed(otherwise)

    def line(self, output: str, *words: str) -> str:
        """The first line with all these words, without the engine's marks; raises RehearsalError where there is none."""
        found = next((line.strip() for line in output.splitlines() if all(word in line for word in words)), None)
        if found is None:
            raise self.failed(f"expected '{' … '.join(words)}' in the output, got: {first_error(output)}")
        return re.sub(r"^.*?(error|warning|info): ", "", found)

    def failed(self, what: str) -> CraneError:
        """The error of a step that does not hold."""
        return RehearsalError("rehearsal", what, f"Read {self._last_log}" if self._last_log else "Run it again")

    def _well(self, words: Sequence[str]) -> Result:
        ended = self._run(words)
        if ended.exit != 0:
            raise self.failed(f"pulumi {words[0]} failed: {first_error(ended.output)}")
        return ended

    def _run(self, words: Sequence[str]) -> Result:
        ended = run(_command(words), self.environ)
        self._note(words, ended.output)
        return ended

    def _note(self, words: Sequence[str], output: str) -> None:
        logs = self.folder / "log"
        logs.mkdir(parents=True, exist_ok=True)
        self._last_log = logs / f"{next(self._numbers):02}-{words[0]}.txt"
        self._last_log.write_text(f"$ {' '.join(words)}\n{output}", encoding="utf-8")


def first_error(output: str) -> str:
    """The first error that the engine listed, or its last line."""
    first = next((line for line in output.splitlines() if "error: " in line), "")
    return first.partition("error: ")[2] or (output.strip().splitlines() or ["no output"])[-1]


def _command(words: Sequence[str]) -> list[str]:
    return ["pulumi", *words, "--non-interactive", "--color", "never"]
