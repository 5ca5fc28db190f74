"""Runs the jobs of a workflow in order, by the ``run:`` lines of its file; what an action does is done by a table.

It keeps to the rules that the workflows rely on: secrets only of the job's environment, a checkout of the commit that is named, artifacts, outputs,
conditions, a matrix, the largest summary, how a run is cancelled. It knows nothing of the project.
"""

import os
import shutil
import signal
import subprocess
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count, product
from pathlib import Path
from typing import Any
from uuid import uuid4

import psutil
import yaml

from tests.repository import ROOT
from tests.workflows.expressions import filled, holds
from tests.workflows.github import REPOSITORY, TOKEN, Hub

WORKFLOWS = ROOT / ".github" / "workflows"
Json = dict[str, Any]
LARGEST_SUMMARY = 1024 * 1024
"""Bytes. GitHub's runner drops the summary of a step that wrote more."""
_SECONDS = 900
# How long a cancelled step may take to end after each signal, as in ProcessInvoker of github.com/actions/runner. Only the step's own process is sent it.
_SIGNALS = ((signal.SIGINT, 7.5), (signal.SIGTERM, 2.5))


@dataclass
class Ran:
    """A job that ran: its folder, how it ended, and all that its steps said."""

    folder: Path
    result: str = "success"
    output: str = ""
    summary: str = ""
    outputs: dict[str, str] = field(default_factory=dict)


@dataclass
class Run:
    """One run of a workflow: its jobs by name (those of a matrix by name and value) and its artifacts."""

    jobs: dict[str, Ran] = field(default_factory=dict)
    artifacts: dict[str, Path] = field(default_factory=dict)

    @property
    def results(self) -> dict[str, str]:
        """How each job ended."""
        return {name: job.result for name, job in self.jobs.items()}

    @property
    def output(self) -> str:
        """All that was said and shown."""
        return "\n".join(job.output + job.summary for job in self.jobs.values())


@dataclass
class Runner:
    """A machine of GitHub's, for one repository."""

    folder: Path
    origin: Path
    hub: Hub
    environ: Mapping[str, str]
    variables: Mapping[str, str]
    secrets: Mapping[str, Mapping[str, str]]
    """By environment."""
    output: list[str] = field(default_factory=list)
    """All that any step printed or showed."""
    printing: Path | None = None
    """The file into which the step that began last prints."""
    _numbers: "count[int]" = field(default_factory=count)
    _steps: list[subprocess.Popen[bytes]] = field(default_factory=list)
    _cancelled: bool = False

    def cancel(self, patience: float = 0.0) -> None:
        """Cancel the run that goes on, as GitHub does: the shell of its step is asked to end, asked again, and killed with all that it started.

        ``patience`` is for a step that ends at the first signal, if the machine lets it: so many seconds more.
        """
        self._cancelled = True
        for step in list(self._steps):
            _end(step, patience)

    def run(self, workflow: str, github: Json, only: str = "", **inputs: str) -> Run:
        """Run a workflow for an event, or one job of it; ``github`` is what its context says."""
        content = load(WORKFLOWS / f"{workflow}.yml")
        self._cancelled = False
        run, place = Run(), self.folder / f"{next(self._numbers):02}-{workflow}"
        known = {
            "github": {"repository": REPOSITORY, "token": TOKEN, "actor": "octocat", **github},
            "inputs": inputs,
            "vars": self.variables,
        }
        for name, job in content["jobs"].items():
            if only not in ("", name):
                continue
            needs = {need: self._needed(run, need) for need in _listed(job.get("needs"))}
            well = all(one["result"] == "success" for one in needs.values())
            context = {**known, "needs": needs, "status": status_of("cancelled" if self._cancelled else "success" if well else "failure")}
            if not holds(job.get("if", "success()"), context):
                run.jobs[name] = Ran(place, "skipped")
                continue
            with ThreadPoolExecutor() as threads:
                begun = {
                    " ".join([name, *chosen.values()]): threads.submit(
                        self._job,
                        job,
                        place / "-".join([name, *chosen.values()]),
                        {**context, "env": content.get("env") or {}, "matrix": chosen},
                        run,
                    )
                    for chosen in _matrix(job)
                }
                run.jobs |= {title: ended.result() for title, ended in begun.items()}
        return run

    def _needed(self, run: Run, need: str) -> Json:
        found = [job for title, job in run.jobs.items() if title.split()[0] == need]
        result = next((job.result for job in found if job.result != "success"), "success")
        return {"result": result, "outputs": found[0].outputs}

    def _job(self, job: Json, folder: Path, context: Json, run: Run) -> Ran:
        named = filled(job.get("environment", ""), context)
        assert named in ("", *self.secrets), f"there is no environment {named}"
        ran, steps = Ran(folder / "work"), dict[str, Json]()
        ran.folder.mkdir(parents=True)
        shown = {**context, "secrets": self.secrets.get(named, {}), "steps": steps}
        tracking = {"RUNNER_TRACKING_ID": f"github_{uuid4()}"}
        for step in job["steps"]:
            shown["status"] = status_of(ran.result)
            if not holds(step.get("if", "success()"), shown):
                steps[step.get("id", "")] = {"outputs": {}, "outcome": "skipped"}
                continue
            outputs, was_cancelled = dict[str, str](), self._cancelled
            ended = self._step(step, ran, {**tracking, **context["env"], **(step.get("env") or {})}, shown, (run, outputs))
            outcome = "cancelled" if self._cancelled and not was_cancelled else "success" if ended else "failure"
            steps[step.get("id", "")] = {"outputs": outputs, "outcome": outcome}
            if outcome == "cancelled" or (outcome == "failure" and not step.get("continue-on-error") and ran.result == "success"):
                ran.result = outcome
        if self._cancelled:
            _end_orphans(tracking)
        ran.outputs = {name: filled(value, shown) for name, value in (job.get("outputs") or {}).items()}
        return ran

    def _step(self, step: Json, ran: Ran, env: Json, context: Json, kept: tuple[Run, dict[str, str]]) -> bool:
        given = {name: filled(_text(value), context) for name, value in (step.get("with") or {}).items()}
        if "uses" in step:
            action = ACTIONS[step["uses"].partition("@")[0]]
            return action(self, given, ran, context, kept[0])
        return self._shell(step["run"], ran, {name: filled(_text(value), context) for name, value in env.items()}, kept[1])

    def _shell(self, script: str, ran: Ran, env: Mapping[str, str], outputs: dict[str, str]) -> bool:
        files = {name: ran.folder.parent / name.lower() for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY")}
        for path in files.values():
            path.write_text("", encoding="utf-8")
        written = {"GITHUB_REPOSITORY": REPOSITORY, "GITHUB_API_URL": self.hub.address, "PYTHONPATH": str(ran.folder)}
        environ = {**self.environ, **written, **env, **{name: str(path) for name, path in files.items()}}
        # A file, as GitHub has it: a shell that gets a single command as its argument becomes that command.
        file, printed = ran.folder.parent / "step.sh", ran.folder.parent / "printed"
        file.write_text(script, encoding="utf-8")
        self.printing = printed
        with printed.open("wb") as output:
            step = subprocess.Popen(["bash", "-e", file], cwd=ran.folder, env=environ, stdout=output, stderr=subprocess.STDOUT)
            self._steps.append(step)
            code = step.wait(_SECONDS)
            self._steps.remove(step)
        summary, text = _summary(files["GITHUB_STEP_SUMMARY"]), printed.read_text(encoding="utf-8", errors="replace")
        ran.output += f"$ {script}\n{text}"
        ran.summary += summary
        self.output += [text, summary]
        lines = files["GITHUB_OUTPUT"].read_text(encoding="utf-8").splitlines()
        outputs |= dict(line.split("=", 1) for line in lines)
        return code == 0


def _summary(file: Path) -> str:
    return file.read_text(encoding="utf-8") if file.stat().st_size <= LARGEST_SUMMARY else ""


def _end(step: "subprocess.Popen[bytes]", patience: float) -> None:
    """End the process of a step as the runner does."""
    for sent, seconds in _SIGNALS:
        step.send_signal(sent)
        try:
            step.wait(seconds + patience)
        except subprocess.TimeoutExpired:
            continue
        return
    started = psutil.Process(step.pid)
    for process in (*started.children(recursive=True), started):
        _kill(process)


def _end_orphans(tracking: Mapping[str, str]) -> None:
    """Kill what a job left, which the runner knows by a variable."""
    for process in psutil.process_iter():
        try:
            left = tracking.items() <= process.environ().items()
        except psutil.Error:
            continue
        if left:
            _kill(process)


def _kill(process: psutil.Process) -> None:
    with suppress(psutil.NoSuchProcess):
        process.kill()


# What actions do


def _checkout(runner: Runner, given: Mapping[str, str], ran: Ran, context: Json, _run: Run) -> bool:
    assert given["persist-credentials"] == "false"
    if not (ran.folder / ".git").exists():
        git(ran.folder, "clone", "--quiet", str(runner.origin), ".")
    expected = given.get("ref") or context["github"]["sha"]
    ended = subprocess.run(
        ["git", "checkout", "--quiet", "--force", "--detach", expected], cwd=ran.folder, capture_output=True, check=False
    )
    if given.get("clean") != "false":
        git(ran.folder, "clean", "-ffdxq")
    return ended.returncode == 0


def _set_up(_runner: Runner, _given: Mapping[str, str], ran: Ran, _context: Json, _run: Run) -> bool:
    """Everything is on PATH already, and Node's modules are those of the tests; what is checked out has to be there.

    The stand-in provider is one for all jobs, and reads copies of modules in one folder: a link leads there from each checkout.
    """
    for name in ("runtime", "modules"):
        link, shared = ran.folder / ".crane" / name, ROOT / ".crane" / name
        for folder in (link.parent, shared):
            folder.mkdir(exist_ok=True)
        if not link.is_symlink():
            link.symlink_to(shared)
    return (ran.folder / "Pulumi.yaml").is_file()


def _upload(runner: Runner, given: Mapping[str, str], ran: Ran, context: Json, run: Run) -> bool:
    source, kept = ran.folder / given["path"], ran.folder.parent / f"artifact-{given['name']}"
    if not source.exists():
        return given.get("if-no-files-found") != "error"
    kept.mkdir()
    shutil.copytree(source, kept, dirs_exist_ok=True) if source.is_dir() else shutil.copy(source, kept)
    run.artifacts[given["name"]] = kept
    if source.is_file():
        runner.hub.store(given["name"], source.read_bytes(), context["github"]["sha"])
    return True


def _download(_runner: Runner, given: Mapping[str, str], ran: Ran, _context: Json, run: Run) -> bool:
    beginning = given.get("pattern", "").rstrip("*")
    found = [path for name, path in run.artifacts.items() if (name.startswith(beginning) if beginning else name == given["name"])]
    for path in found:
        shutil.copytree(path, ran.folder / given.get("path", "."), dirs_exist_ok=True)
    return bool(found)


ACTIONS = {
    "actions/checkout": _checkout,
    "./.github/actions/set-up": _set_up,
    "actions/upload-artifact": _upload,
    "actions/download-artifact": _download,
}


def load(path: Path) -> Json:
    """A workflow; ``on`` is a key, not a truth value."""
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    return {"on" if key is True else key: value for key, value in content.items()}


def git(folder: Path, *words: str) -> str:
    """Run git, which has to succeed, and give what it printed."""
    who = {f"GIT_{role}_{what}": value for role in ("AUTHOR", "COMMITTER") for what, value in (("NAME", "t"), ("EMAIL", "t@example.org"))}
    environ = {**os.environ, **who, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    return subprocess.run(["git", *words], cwd=folder, env=environ, capture_output=True, text=True, check=True).stdout.strip()


def _listed(value: str | list[str] | None) -> list[str]:
    return [value] if isinstance(value, str) else value or []


def _matrix(job: Json) -> list[dict[str, str]]:
    axes = (job.get("strategy") or {}).get("matrix") or {}
    return [dict(zip(axes, values, strict=True)) for values in product(*axes.values())]


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def status_of(result: str) -> dict[str, bool]:
    """What the status functions say in a job that is as ``result`` says."""
    return {**{name: name == result for name in ("success", "failure", "cancelled")}, "always": True}
