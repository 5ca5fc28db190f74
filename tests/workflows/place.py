"""A repository as a user has it, on the local cloud: stack files that lead there, own secrets and passphrases for each environment, read-only tokens."""

import hashlib
import secrets
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml

from crane_infra import catalog
from crane_infra.config.environments import ENVIRONMENTS
from crane_infra.rehearsal import local_project, project
from crane_infra.rehearsal.local_project import LocalProject
from local_cloud.client import Account
from local_cloud.daemon import Running
from local_cloud.tokens import Permission
from tests.ports import free_port
from tests.repository import ROOT
from tests.workflows.github import REPOSITORY, TOKEN, Hub, github
from tests.workflows.runner import Json, Run, Runner, git
from tests.world.engine import clean_environment, require_engine, search_path

BUILD = "cp -R workers bundles"
READS = (Permission.D1_READ, Permission.WORKERS_READ)
# Secrets come from the workflows' environments, where they are meant to; the rest says where the local cloud's provider is.
HANDED_ON = ("PULUMI_HOME", "PULUMI_DEBUG_PROVIDERS", "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION", "PULUMI_SKIP_UPDATE_CHECK")


@dataclass
class Place:
    """The repository, its cloud, and GitHub."""

    local: LocalProject
    hub: Hub
    runner: Runner
    hidden: list[str]
    """Every value that must not be seen anywhere."""

    @property
    def origin(self) -> Path:
        """The repository."""
        return self.local.project.folder

    @property
    def backend(self) -> Path:
        """Pulumi's state."""
        return self.local.project.backend

    @property
    def cloud(self) -> Running:
        """Its cloud."""
        return self.local.cloud

    @property
    def account(self) -> Account:
        """The account of the local cloud."""
        return self.local.account

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

    def pushed(self, commit: str = "") -> Run:
        """Main has a new commit; with a commit of before, its run is started again."""
        event = self._on_main("push")
        return self.runner.run("staging", {**event, "sha": commit or event["sha"]})

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

    def backed_up(self, where: Path) -> Run:
        """The nightly backup, to a folder."""
        self.runner.variables = {**self.runner.variables, "BACKUP_PLACE": str(where)}
        return self.runner.run("backup", self._on_main("schedule"))

    def _on_main(self, event: str) -> Json:
        return {"event_name": event, "ref": "refs/heads/main", "ref_type": "branch", "ref_name": "main", "sha": self.head("main")}


@contextmanager
def place(folder: Path, **variables: str) -> Iterator[Place]:
    """A fresh one: nothing is deployed, and main has its first commit. ``variables`` are in the environment of each job."""
    require_engine()
    here = project.Project(ROOT, folder / "origin", home=folder)
    passphrases: dict[str, str] = {environment: secrets.token_urlsafe(24) for environment in ENVIRONMENTS}
    try:
        with github() as hub:
            local = local_project.begin(here, catalog.crane(), clean_environment(), port=free_port(), passphrases=passphrases)
            values = [value for environment in ENVIRONMENTS for value in _secrets(local, passphrases[environment], environment)]
            _write_repository(here.folder)
            hub.heads = lambda branch: git(here.folder, "rev-parse", branch)
            reads = local.faults.token(*READS)
            settings = {"BUILD_COMMAND": BUILD, "PULUMI_BACKEND_URL": here.backend.as_uri()}
            tokens = {"": local.cloud.token, "-preview": reads}
            vaults = {
                f"{environment}{suffix}": {"PULUMI_CONFIG_PASSPHRASE": passphrases[environment], "CLOUDFLARE_API_TOKEN": token}
                for environment in ENVIRONMENTS
                for suffix, token in tokens.items()
            }
            environ = {**_handed_on(local.environ), "PATH": search_path(), **variables}
            runner = Runner(folder / "runs", here.folder, hub, environ, settings, vaults)
            yield Place(local, hub, runner, [*values, *passphrases.values(), *tokens.values(), TOKEN])
    finally:
        local_project.end(here)


def _secrets(local: LocalProject, passphrase: str, environment: str) -> Iterable[str]:
    """The secret values of a stack."""
    return project.secrets_of(local.project, project.with_passphrase(local.environ, passphrase), environment).values()


def _handed_on(environ: Mapping[str, str]) -> dict[str, str]:
    """What a job of a workflow finds in its environment."""
    return {name: value for name, value in environ.items() if not name.startswith(("PULUMI_", "CLOUDFLARE_")) or name in HANDED_ON}


def _write_repository(origin: Path) -> None:
    shutil.copy(ROOT / "__main__.py", origin)
    # A link, so that no checkout has to compile it anew; a branch that changes the program takes a copy first.
    (origin / "crane_infra").symlink_to(ROOT / "crane_infra")
    shutil.copytree(ROOT / "workers", origin / "workers")
    path = origin / "Pulumi.yaml"
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    path.write_text(yaml.safe_dump({key: value for key, value in content.items() if key not in ("main", "backend")}), encoding="utf-8")
    for environment in ENVIRONMENTS:
        change_stack_file(origin, environment, {"workers-dir": "bundles"})
    (origin / ".gitignore").write_text("/bundles/\n/.crane/\n__pycache__/\n", encoding="utf-8")
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
