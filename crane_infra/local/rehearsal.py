"""The whole mission on an empty local account, with the real engine: a story of named steps.

Each step does one thing a person would do, and makes sure of what it promises by asking the local cloud or the stack. Tells
nothing itself (cli/rehearse.py does). Prevents the flow from being believed instead of seen.
"""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from crane_infra.catalog import Catalog
from crane_infra.errors import LocalCloudError
from crane_infra.local import daemon, engine, project
from crane_infra.settings import Environment


@dataclass(frozen=True)
class Step:
    """A named step; ``run`` returns what was seen, in one line."""

    title: str
    run: Callable[[], str]


@dataclass
class Rehearsal:
    """One rehearsal in a folder of its own; its local cloud ends with it."""

    root: Path
    folder: Path
    catalog: Catalog
    running: daemon.Running | None = None
    environ: Mapping[str, str] = field(default_factory=dict)
    _last_log: Path | None = None

    @property
    def project(self) -> project.Project:
        """The Pulumi project of this rehearsal."""
        return project.Project(self.root, self.folder)

    def story(self) -> list[Step]:
        """The steps, in order."""
        return [
            Step("start the local cloud with an empty account", self.start),
            Step("preview production: the whole diff, and a closed gate", self.preview_production),
            Step("update production: refused, nothing created", self.refuse_production),
            Step("update staging: deployed, migrated, checked, proven", lambda: self.update("staging")),
            Step("update staging again: nothing changes", lambda: self.update_unchanged("staging")),
            Step("promote to production: the gate opens", self.promote),
            Step("update production again: nothing changes", lambda: self.update_unchanged("production")),
        ]

    def start(self) -> str:
        """A fresh folder, a local cloud, a project with two stacks."""
        engine.find(self.root, os.environ)
        self.end()
        shutil.rmtree(self.folder, ignore_errors=True)
        self.running = daemon.start(self.project.cloud, runtime_cache=self.root / ".crane" / "runtime")
        self.environ = engine.environment(self.project, self.running, os.environ)
        project.write(self.project, self.running)
        project.make_stacks(self.project, self.catalog, self.environ)
        self._require_empty()
        return f"{self.running.api_url}, account {self.running.account_id}"

    def preview_production(self) -> str:
        """A preview shows what would be created although the gate is closed."""
        said = self._pulumi("preview", "--stack", "production")
        creates = _line_with(said, "to create")
        return f"{creates.lstrip('+ ')}; {_line_with(said, 'gate closed')}"

    def refuse_production(self) -> str:
        """The update ends before the first resource."""
        said = self._pulumi("up", "--stack", "production", "--yes", "--skip-preview", fails=True)
        refusal = _line_with(said, "gate closed")
        self._require_empty()
        return refusal

    def promote(self) -> str:
        """Production takes what staging has proven."""
        seen = self.update("production")
        staging, production = (self._outputs(environment)["proofs"][0]["digest"] for environment in ("staging", "production"))
        if staging != production:
            raise self._failed(f"production runs {production[:12]}, staging has proven {staging[:12]}")
        return seen

    def update(self, environment: Environment) -> str:
        """Deploy, and look at what the stack has proven."""
        self._pulumi("up", "--stack", environment, "--yes", "--skip-preview")
        proof = self._outputs(environment)["proofs"][0]
        checks = sum(len(names) for names in proof["checks"].values())
        applied = sum(int(database["head"]["count"]) for database in proof["databases"].values())
        return f"release {proof['digest'][:12]}: {len(proof['workers'])} workers live, {applied} migrations, {checks} checks passed"

    def update_unchanged(self, environment: Environment) -> str:
        """A second update has nothing to do."""
        self._pulumi("up", "--stack", environment, "--yes", "--skip-preview", "--expect-no-changes")
        return "unchanged"

    def end(self) -> None:
        """Stop the local cloud of this rehearsal, if it runs."""
        if daemon.status(self.project.cloud) is not None:
            daemon.stop(self.project.cloud)

    def _pulumi(self, *words: str, fails: bool = False) -> str:
        command = ["pulumi", *words, "--non-interactive", "--color", "never"]
        ended = subprocess.run(command, env=dict(self.environ), capture_output=True, text=True, check=False)  # noqa: S603
        said = ended.stdout + ended.stderr
        self._last_log = self._log(words, said)
        if (ended.returncode != 0) != fails:
            what = "succeeded, which it must not" if fails else f"failed: {_first_error(said)}"
            raise self._failed(f"pulumi {words[0]} {what}")
        return said

    def _outputs(self, environment: Environment) -> dict[str, Any]:
        return dict(json.loads(self._pulumi("stack", "output", "--stack", environment, "--json")))

    def _log(self, words: tuple[str, ...], said: str) -> Path:
        logs = self.folder / "log"
        logs.mkdir(parents=True, exist_ok=True)
        path = logs / f"{len(list(logs.iterdir())) + 1:02}-{words[0]}.txt"
        path.write_text(f"$ pulumi {' '.join(words)}\n{said}", encoding="utf-8")
        return path

    def _require_empty(self) -> None:
        if self.running is None:
            raise self._failed("the local cloud does not run")
        account = f"{self.running.api_url}/accounts/{self.running.account_id}"
        for what in ("workers/workers", "d1/database"):
            found = self._ask(f"{account}/{what}", self.running.token)
            if found:
                raise self._failed(f"the account is not empty: {what} has {len(found)}")

    def _ask(self, url: str, token: str) -> list[Any]:
        try:
            reply = httpx.get(url, headers={"Authorization": f"Bearer {token}"}, trust_env=False)
            return list(reply.raise_for_status().json()["result"])
        except (httpx.HTTPError, ValueError) as error:
            raise self._failed(f"the local cloud did not answer ({type(error).__name__})") from None

    def _failed(self, what: str) -> LocalCloudError:
        return LocalCloudError("rehearsal", what, f"Read {self._last_log}" if self._last_log else "Run it again")


def _line_with(said: str, words: str) -> str:
    found = next((line.strip() for line in said.splitlines() if words in line), None)
    if found is None:
        raise LocalCloudError("rehearsal", f"the engine did not say '{words}'", "Read the logs of the rehearsal")
    return re.sub(r"^.*?(error|warning): ", "", found)


def _first_error(said: str) -> str:
    first = next((line for line in said.splitlines() if "error: " in line), "")
    return first.partition("error: ")[2] or (said.strip().splitlines() or ["no output"])[-1]
