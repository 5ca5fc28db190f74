"""A repository as a user has it, on the local cloud: stack files that lead there, own secrets and passphrases for each environment, read-only tokens."""

import hashlib
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml

from crane_infra import catalog
from crane_infra.config.settings import ENVIRONMENTS
from crane_infra.rehearsal import engine, project
from local_cloud import daemon
from local_cloud.client import Account
from local_cloud.faults.client import Faults
from local_cloud.tokens import Permission
from tests.repository import ROOT
from tests.workflows.github import REPOSITORY, TOKEN, Hub, github
from tests.workflows.runner import Json, Run, Runner, git
from tests.world.engine import clean_environment, require_engine

BUILD = "cp -R workers bundles"
READS = (Permission.D1_READ, Permission.WORKERS_READ)
# Secrets come from the workflows' environments, where they are meant to; the rest says where the local cloud's provider is.
HANDED_ON = ("PULUMI_HOME", "PULUMI_DEBUG_PROVIDERS", "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION", "PULUMI_SKIP_UPDATE_CHECK")


@dataclass
class Place:
    """The repository, its cloud, and GitHub."""

    origin: Path
    backend: Path
    cloud: daemon.Running
    hub: Hub
    runner: Runner
    hidden: list[str]
    """Every value that must not be seen anywhere."""

    @property
    def account(self) -> Account:
        """The account of the local cloud."""
        return Account(self.cloud)

    @property
    def workers(self) -> Path:
        """The sources of the workers, in what is checked out at the origin."""
        return self.origin / "workers"

    def state(self) -> str:
        """A digest of all that Pulumi keeps."""
        files = sorted(path for path in self.backend.rglob("*") if path.is_file())
        return hashlib.sha256(b"".join(str(path).encode() + path.read_bytes() for path in files)).hexdigest()

    def branch(self, name: str) -> None:
        """Begin a branch from main and check it out."""
        git(self.origin, "checkout", "--quiet", "-B", name, "main")

    def commit(self, message: str) -> str:
        """Commit everything on the branch that is checked out."""
        git(self.origin, "add", "--all")
        git(self.origin, "commit", "--quiet", "--message", message)
        return self.head()

    def head(self, name: str = "HEAD") -> str:
        """A commit."""
        return git(self.origin, "rev-parse", name)

    def merge(self, name: str) -> str:
        """Merge a branch into main, as GitHub does."""
        git(self.origin, "checkout", "--quiet", "main")
        git(self.origin, "merge", "--quiet", "--no-ff", "--message", f"Merge {name}", name)
        return self.head()

    # What happens at GitHub

    def pull_request(self, workflow: str, branch: str, number: int, repository: str = REPOSITORY, only: str = "") -> Run:
        """A pull request is opened or gets a commit; ``only`` is the one job that is run."""
        request = {
            "number": number,
            "base": {"sha": self.head("main")},
            "head": {"sha": self.head(branch), "repo": {"full_name": repository}},
            "user": {"login": "dev"},
        }
        event = {
            "event_name": "pull_request",
            "ref": f"refs/pull/{number}/merge",
            "sha": self.head(branch),
            "event": {"pull_request": request},
        }
        return self.runner.run(workflow, event, only)

    def pushed(self) -> Run:
        """Main has a new commit."""
        return self.runner.run("staging", self._on_main("push"))

    def promoted(self, **inputs: str) -> Run:
        """Somebody starts a promotion, and it is approved."""
        return self.runner.run("production", self._on_main("workflow_dispatch"), **{"digest": "", "rollback": "", **inputs})

    def tagged(self, tag: str) -> Run:
        """Main is tagged, and the promotion is approved."""
        git(self.origin, "tag", tag, "main")
        event = {"event_name": "push", "ref": f"refs/tags/{tag}", "ref_type": "tag", "ref_name": tag, "sha": self.head("main")}
        return self.runner.run("production", event)

    def night(self) -> Run:
        """The nightly look."""
        return self.runner.run("drift", self._on_main("schedule"))

    def _on_main(self, event: str) -> Json:
        return {"event_name": event, "ref": "refs/heads/main", "ref_type": "branch", "ref_name": "main", "sha": self.head("main")}


@contextmanager
def place(folder: Path) -> Iterator[Place]:
    """A fresh one: nothing is deployed, and main has its first commit."""
    require_engine()
    origin = folder / "origin"
    here = project.Project(ROOT, origin)
    origin.mkdir(parents=True)
    cloud = daemon.start(folder / "cloud", runtime_cache=ROOT / ".crane" / "runtime")
    try:
        with github() as hub:
            environ = engine.environment(project.Project(ROOT, folder), cloud, clean_environment())
            passphrases: Json = {environment: secrets.token_urlsafe(24) for environment in ENVIRONMENTS}
            project.write(here, cloud)
            backend = (folder / "state").absolute()
            backend.mkdir()
            given = {**environ, "PULUMI_BACKEND_URL": backend.as_uri(), "PULUMI_OPTION_CWD": str(origin)}
            hidden = _make_stacks(here, passphrases, given)
            _write_repository(origin)
            reads = Faults(cloud.admin_url).token(*READS)
            kept = {name: value for name, value in environ.items() if not name.startswith(("PULUMI_", "CLOUDFLARE_")) or name in HANDED_ON}
            vaults = {
                f"{environment}{suffix}": {"PULUMI_CONFIG_PASSPHRASE": passphrases[environment], "CLOUDFLARE_API_TOKEN": token}
                for environment in ENVIRONMENTS
                for suffix, token in (("", cloud.token), ("-preview", reads))
            }
            runner = Runner(folder / "runs", origin, hub, kept, {"BUILD_COMMAND": BUILD, "PULUMI_BACKEND_URL": backend.as_uri()}, vaults)
            yield Place(origin, backend, cloud, hub, runner, [*hidden, *passphrases.values(), cloud.token, reads, TOKEN])
    finally:
        daemon.stop(folder / "cloud")


def _make_stacks(here: project.Project, passphrases: Json, environ: Json) -> list[str]:
    """Both stacks, each with its own passphrase; gives the secret values."""
    known, key = catalog.crane(), project._generated()
    shared = {secret.key: project._generated() for secret in known.secrets if secret.required and not secret.distinct}
    hidden = [key]
    for environment in ENVIRONMENTS:
        own = {**environ, "PULUMI_CONFIG_PASSPHRASE": passphrases[environment]}
        project._make_stack(here, known, environment, shared, key, own)
        hidden += project.secrets_of(here, own, environment).values()
    return hidden


def _write_repository(origin: Path) -> None:
    shutil.rmtree(origin / "state", ignore_errors=True)
    shutil.copy(ROOT / "__main__.py", origin)
    # A link, so that no checkout has to compile it anew; a branch that changes the program takes a copy first.
    (origin / "crane_infra").symlink_to(ROOT / "crane_infra")
    shutil.copytree(ROOT / "workers", origin / "workers")
    path = origin / "Pulumi.yaml"
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    path.write_text(yaml.safe_dump({key: value for key, value in content.items() if key not in ("main", "backend")}), encoding="utf-8")
    for environment in ENVIRONMENTS:
        change_stack_file(origin, environment, {"workers-dir": "bundles"})
    (origin / ".gitignore").write_text("/bundles/\n__pycache__/\n", encoding="utf-8")
    git(origin, "init", "--quiet", "--initial-branch", "main", ".")
    git(origin, "add", "--all")
    git(origin, "commit", "--quiet", "--message", "First")


def own_program(origin: Path) -> Path:
    """Let the branch that is checked out have a program of its own; gives its folder."""
    folder = origin / "crane_infra"
    folder.unlink()
    shutil.copytree(ROOT / "crane_infra", folder, ignore=shutil.ignore_patterns("__pycache__", "node_modules"))
    return folder


def change_stack_file(folder: Path, environment: str, changed: Json) -> None:
    """Set settings in a stack file, by their keys without the prefix."""
    path = folder / f"Pulumi.{environment}.yaml"
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    content["config"] |= {f"crane-infra:{key}": value for key, value in changed.items()}
    path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")


def stack_setting(folder: Path, environment: str, key: str) -> Json:
    """A setting of a stack file."""
    content = yaml.safe_load((folder / f"Pulumi.{environment}.yaml").read_text(encoding="utf-8"))
    return dict(content["config"][f"crane-infra:{key}"])
