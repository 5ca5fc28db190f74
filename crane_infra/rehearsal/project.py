"""The local project folder: copies of the stack files that point at the local cloud, a backend of its own, and its secrets.

The committed files are only read. The copies name the reference workers, an account that exists nowhere and addresses on
this machine, so plain ``pulumi`` in that folder cannot reach a real account.
"""

import json
import os
import secrets
import shlex
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from crane_infra.config.catalog import Catalog
from crane_infra.config.environments import ENVIRONMENTS, Environment
from crane_infra.config.stackfile import read_yaml
from crane_infra.errors import RehearsalError
from crane_infra.programs import run
from crane_infra.release.signature import SigningKey, new_private_key
from local_cloud.daemon import Running, status
from local_cloud.infisical import PROJECT as INFISICAL
from local_cloud.infisical import Infisical

PROJECT = "crane-infra"
# All that a stack file may hand on. Whatever names a real account, a token or a secret stays where it is.
TAKEN_OVER = (f"{PROJECT}:workers-subdomain",)
OF_DATABASES = ("name", "accept-findings", "out-of-order", "read-replication")
OF_WORKERS = ("variables", "crons", "services", "observability", "logpush", "tags", "preview-urls")
PLACES = {"staging": "dev:/vc/staging", "production": "prod:/vc"}
"""The folders in Infisical, where a project keeps its secrets there."""
SALT = "encryptionsalt"
ENCRYPTED = (SALT, "secretsprovider", "encryptedkey", f"{PROJECT}:secrets", f"{PROJECT}:fingerprint-key", f"{PROJECT}:signing-key")
KEPT = (*ENCRYPTED, f"{PROJECT}:proof-keys")
"""What a stack file keeps when it is written again."""


@dataclass(frozen=True)
class Project:
    """A local project: ``root`` is the clone, ``folder`` holds the project's files and, unless ``home`` does, everything else."""

    root: Path
    folder: Path
    workers: Path | None = None
    """The folder of the built workers, where it is not that of the clone."""
    program: Path | None = None
    """The folder of ``__main__.py``, where it is not the clone."""
    home: Path | None = None
    """Where the cloud's state, Pulumi's state and the passphrase are, where they are not in ``folder``."""

    @property
    def workers_dir(self) -> Path:
        """The workers that this project deploys."""
        return self.workers or self.root / "workers"

    @property
    def own(self) -> Path:
        """The folder of what the project keeps beside its files."""
        return self.home or self.folder

    @property
    def cloud(self) -> Path:
        """The state of the local cloud."""
        return self.own / "cloud"

    @property
    def backend(self) -> Path:
        """Pulumi's state."""
        return self.own / "state"


def make_folders(project: Project) -> None:
    """Make the project's folders. Other users cannot enter: the engine and plugins write there too, with modes of their own."""
    project.own.mkdir(parents=True, exist_ok=True)
    project.own.chmod(0o700)
    for folder in (project.folder, project.backend):
        folder.mkdir(parents=True, exist_ok=True)


def write(project: Project, running: Running) -> None:
    """Write the local project's files.

    Raises RehearsalError where a committed stack file cannot be read.
    """
    (project.folder / "Pulumi.yaml").write_text(_dump(_project_file(project)), encoding="utf-8")
    for environment in ENVIRONMENTS:
        path = _stack_path(project, environment)
        path.write_text(_dump(_stack_file(project, environment, running)), encoding="utf-8")


def config(project: Project, environment: str) -> dict[str, Any]:
    """What the local copy of a stack file says; raises RehearsalError where it cannot be read."""
    return dict(_load(_stack_path(project, environment))["config"])


def configure(project: Project, environment: str, changed: Mapping[str, Any]) -> None:
    """Set settings in the local copy of a stack file, by their keys without the prefix; one that is None is taken out."""
    path = _stack_path(project, environment)
    content = _load(path)
    merged = {**content["config"], **{f"{PROJECT}:{key}": value for key, value in changed.items()}}
    content["config"] = {key: value for key, value in merged.items() if value is not None}
    path.write_text(_dump(content), encoding="utf-8")


def secrets_of(project: Project, environ: Mapping[str, str], environment: str) -> dict[str, str]:
    """The generated secrets of a local stack by key; raises RehearsalError where the engine fails.

    Of a stack whose secrets are in Pulumi, its own keys are among them.
    """
    if f"{PROJECT}:infisical" in config(project, environment) and (running := status(project.cloud)):
        return Infisical(running).values(PLACES[environment])
    shown = json.loads(pulumi(project, environ, "config", "--stack", environment, "--show-secrets", "--json"))
    keys = {key: shown[f"{PROJECT}:{key}"]["value"] for key in ("fingerprint-key", "signing-key") if f"{PROJECT}:{key}" in shown}
    return {**shown[f"{PROJECT}:secrets"]["objectValue"], **keys}


def resources_of(backend: Path, environment: str) -> list[dict[str, Any]]:
    """The resources of a stack, read where the engine keeps them: each start of the engine takes a tenth of a second of processor time."""
    kept = json.loads((backend / ".pulumi" / "stacks" / PROJECT / f"{environment}.json").read_text(encoding="utf-8"))
    return list((kept["checkpoint"]["latest"] or {}).get("resources") or [])


def exported_by(backend: Path, environment: str) -> dict[str, Any]:
    """What a stack exports, as it is kept; empty before its first update."""
    stacks = [resource for resource in resources_of(backend, environment) if resource["type"] == "pulumi:pulumi:Stack"]
    return dict(stacks[0].get("outputs") or {}) if stacks else {}


def make_stacks(
    project: Project,
    catalog: Catalog,
    environ: Mapping[str, str],
    passphrases: Mapping[str, str],
    infisical: Infisical | None = None,
    *,
    signs: bool = False,
) -> None:
    """Make both stacks and give them generated secrets, unless that was done before.

    ``passphrases`` are those of stacks with one of their own. With ``infisical``, the secrets are there, and the stack files say so. With
    ``signs``, staging gets a key that signs its proofs, and production trusts that key alone.
    """
    if all(_has_secrets(project, environment) for environment in ENVIRONMENTS):
        return
    shared = {secret.key: generated() for secret in catalog.secrets if secret.required and not secret.distinct}
    distinct = [secret.key for secret in catalog.secrets if secret.distinct]
    values = {environment: {**shared, **{name: generated() for name in distinct}} for environment in ENVIRONMENTS}
    stored = values if infisical is None else {}
    key = generated()
    config_of = {
        environment: {"fingerprint-key": key, **{f"secrets.{name}": value for name, value in stored.get(environment, {}).items()}}
        for environment in ENVIRONMENTS
    }
    signing = SigningKey(new_private_key())
    if signs:
        config_of["staging"]["signing-key"] = signing.private
    environs = {environment: with_passphrase(environ, passphrases.get(environment)) for environment in ENVIRONMENTS}
    _create_stacks(project, environs)
    with ThreadPoolExecutor() as threads:
        for made in [threads.submit(_set_secrets, project, name, config_of[name], environs[name]) for name in ENVIRONMENTS]:
            made.result()
    if signs:
        configure(project, "production", {"proof-keys": [signing.public]})
    if infisical is not None:
        for environment, own in values.items():
            infisical.put(PLACES[environment], own)
            configure(project, environment, _source(infisical, environment))


def with_passphrase(environ: Mapping[str, str], passphrase: str | None) -> Mapping[str, str]:
    """The environment of a stack that has a passphrase of its own."""
    return {**environ, "PULUMI_CONFIG_PASSPHRASE": passphrase} if passphrase else environ


def _create_stacks(project: Project, environs: Mapping[Environment, Mapping[str, str]]) -> None:
    """Create both stacks; those with the same passphrase get the same salt, and so the same key.

    Each run reads the other stack too, and the engine takes an eighth of a second of processor time for each key.
    """
    salts = dict[str, str]()
    for environment, environ in environs.items():
        path, passphrase = _stack_path(project, environment), environ["PULUMI_CONFIG_PASSPHRASE"]
        if passphrase in salts:
            path.write_text(_dump({**_load(path), SALT: salts[passphrase]}), encoding="utf-8")
        pulumi(project, environ, "stack", "select", environment, "--create", "--secrets-provider", "passphrase")
        salts[passphrase] = _load(path)[SALT]


def _set_secrets(project: Project, environment: str, secrets: Mapping[str, str], environ: Mapping[str, str]) -> None:
    words = [word for name, value in secrets.items() for word in ("--secret", f"{name}={value}")]
    pulumi(project, environ, "config", "set-all", "--stack", environment, "--path", *words)


def _source(infisical: Infisical, environment: str) -> dict[str, Any]:
    """What a stack file says where its secrets are in Infisical."""
    slug, _, path = PLACES[environment].partition(":")
    return {"secret-source": "infisical", "infisical": {"project": INFISICAL, "environment": slug, "path": path, "site": infisical.site}}


def pulumi(project: Project, environ: Mapping[str, str], *words: str) -> str:
    """Run the engine in the local project and return what it printed.

    Raises RehearsalError with its last line where it fails.
    """
    command = ["pulumi", "--non-interactive", "--color", "never", "-C", str(project.folder), *words]
    ended = run(command, env=environ)
    if ended.returncode:
        last = (ended.stderr.strip() or ended.stdout.strip() or "no output").splitlines()[-1]
        raise RehearsalError(
            f"pulumi {words[0]} {words[1] if len(words) > 1 else ''}".strip(), last, f"Remove {project.folder} and start again"
        )
    return ended.stdout


def shell(environ: Mapping[str, str], unset: tuple[str, ...]) -> str:
    """Lines for a POSIX shell's ``eval``."""
    lines = [f"unset {' '.join(unset)}"] if unset else []
    return "\n".join([*lines, *(f"export {name}={shlex.quote(value)}" for name, value in environ.items())])


def _project_file(project: Project) -> dict[str, Any]:
    committed = _load(project.root / "Pulumi.yaml")
    return {
        **committed,
        "runtime": _runtime(),
        "main": os.path.relpath(project.program or project.root, project.folder),
        "backend": {"url": project.backend.as_uri()},
    }


def _runtime() -> dict[str, Any]:
    """Run the program with the Python that runs this. Outside a virtual environment, the engine takes the first one on PATH, which is the same."""
    virtualenv = {"virtualenv": sys.prefix} if sys.prefix != sys.base_prefix else {}
    return {"name": "python", "options": {"toolchain": "pip", **virtualenv}}


def _stack_file(project: Project, environment: str, running: Running) -> dict[str, Any]:
    committed = _load(project.root / f"Pulumi.{environment}.yaml")["config"]
    path = _stack_path(project, environment)
    was = _load(path) if path.exists() else {}
    databases = {
        name: {**_only(one, OF_DATABASES), **_adoption(was, "databases", name)} for name, one in committed[f"{PROJECT}:databases"].items()
    }
    kept = _only(committed, TAKEN_OVER)
    suffix = "" if environment == "production" else f"-{environment}"
    workers = {
        name: {
            **_only(one, OF_WORKERS),
            **_bindings(one, environment),
            **_adoption(was, "workers", name),
            "url": f"{running.edge_url}/{name}{suffix}",
        }
        for name, one in committed[f"{PROJECT}:workers"].items()
    }
    settings = {
        **kept,
        "cloudflare:baseUrl": running.api_url,
        f"{PROJECT}:account-id": running.account_id,
        f"{PROJECT}:workers-dir": str(project.workers_dir),
        f"{PROJECT}:databases": databases,
        f"{PROJECT}:workers": workers,
    }
    kept_of_before = {key: value for key, value in (was.get("config") or {}).items() if key in KEPT}
    return {**{key: value for key, value in was.items() if key in ENCRYPTED}, "config": {**settings, **kept_of_before}}


def _only(settings: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return {name: value for name, value in settings.items() if name in names}


def _bindings(settings: Mapping[str, Any], environment: str) -> dict[str, Any]:
    """What a worker binds here: resources with names of this machine in place of the real ones."""
    given: Mapping[str, Any] = settings.get("bindings") or {}
    names = {binding: f"local-{binding.lower()}-{environment}" for binding in given}
    bound = {
        binding: dict.fromkeys(value, names[binding]) if isinstance(value, Mapping) else names[binding] for binding, value in given.items()
    }
    return {"bindings": bound} if bound else {}


def _adoption(was: Mapping[str, Any], kind: str, name: str) -> dict[str, Any]:
    """What was adopted keeps its ``adopt`` and what it gives up. They are never those of the committed file, which names what is real."""
    one = ((was.get("config") or {}).get(f"{PROJECT}:{kind}") or {}).get(name) or {}
    return {key: one[key] for key in ("adopt", "give-up") if key in one}


def _stack_path(project: Project, environment: str) -> Path:
    return project.folder / f"Pulumi.{environment}.yaml"


def _has_secrets(project: Project, environment: str) -> bool:
    return f"{PROJECT}:fingerprint-key" in config(project, environment)


def _load(path: Path) -> dict[str, Any]:
    try:
        loaded = read_yaml(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise RehearsalError(str(path), f"cannot be read ({type(error).__name__})", "Run this in a clone of crane-infra") from None
    return dict(loaded)


def _dump(content: Mapping[str, Any]) -> str:
    return "# Written by crane local up; the next one writes it again.\n" + yaml.safe_dump(dict(content), sort_keys=False)


def generated() -> str:
    """A placeholder for a secret, another one at each call."""
    return "local-" + secrets.token_urlsafe(24)
