"""The settings of one stack, parsed once into one frozen value, so that a misspelt or missing setting is found before anything is deployed.

``program/stacks.py`` gets the configuration from Pulumi, and ``secrets/sources.py`` reads the secrets.
"""

import json
import re
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError, model_validator

from crane_infra.config.address import Address
from crane_infra.config.environments import Environment
from crane_infra.config.infisical import InfisicalSettings
from crane_infra.config.rollout import Rollout
from crane_infra.config.script_settings import ScriptSettings
from crane_infra.errors import SettingsError
from crane_infra.frozen import Frozen, first_fault
from crane_infra.migrations.lint.finding import LOSES_ROWS, RULES

Uuid = Annotated[str, Field(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")]
AccountId = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]

# An Ed25519 key: the base64 of 32 bytes.
PublicKey = Annotated[str, Field(pattern=r"^[A-Za-z0-9+/]{43}=$")]

# The name of a class that a worker exports.
Entrypoint = Annotated[str, Field(pattern=r"^\S+$")]


def _rule(text: str) -> str:
    if text not in {*RULES, LOSES_ROWS}:
        message = f"there is no rule {text}; docs/lint.md lists the rules"
        raise ValueError(message)
    return text


Rule = Annotated[str, AfterValidator(_rule)]


def _printable(token: SecretStr) -> SecretStr:
    if not re.fullmatch(r"[!-~]*", token.get_secret_value()):
        message = "it contains a space, a line break or a letter that no token has"
        raise ValueError(message)
    return token


class DatabaseSettings(Frozen):
    """The settings of a D1 database: its name, and the id of an existing one that this stack adopts."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$")]
    adopt: Uuid | None = None
    accept_findings: Annotated[dict[str, tuple[Rule, ...]], Field(alias="accept-findings")] = {}
    """By migration, the rules of lint that it may break in this environment. ``loses-rows`` also allows the run to lose rows."""
    out_of_order: Annotated[bool, Field(alias="out-of-order")] = False
    """Whether a migration may run after a later one was applied."""
    recreate: Uuid | None = None
    """The id of a database of this stack that was deleted at Cloudflare, and whose rows are given up: another one may take its place."""
    read_replication: Annotated[Literal["auto", "disabled"] | None, Field(alias="read-replication")] = None
    """None: it stays as it is at Cloudflare; a new database has none."""

    @property
    def adopted(self) -> str | None:
        """The id of the database that this stack adopts; None where it creates one, also in place of a deleted one that it had adopted."""
        return None if self.adopt == self.recreate else self.adopt


class Service(Frozen):
    """A worker of the catalog that another one calls, and which of its entrypoints, if not the default export."""

    worker: str
    entrypoint: Entrypoint | None = None

    @property
    def form(self) -> str | dict[str, str]:
        """As a stack file has it."""
        return {"worker": self.worker, "entrypoint": self.entrypoint} if self.entrypoint else self.worker


def _service(value: object) -> object:
    return {"worker": value} if isinstance(value, str) else value


class WorkerSettings(ScriptSettings):
    """The settings of a worker in one environment."""

    adopt: bool = False
    """Whether this stack adopts an existing worker of this name."""
    recreate: bool = False
    """Whether this stack creates a worker that it had adopted, after somebody deleted it."""
    variables: dict[str, str] = {}
    crons: tuple[str, ...] = ()
    services: dict[Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")], Annotated[Service, BeforeValidator(_service)]] = {}
    """Service bindings by name: the catalog name of the worker that one calls, or that and an entrypoint."""
    bindings: dict[Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")], str | dict[str, str]] = {}
    """What the worker binds in this environment, by binding: an id or a name, or several by field."""
    url: Address | None = None
    """Its address, if not the one on workers.dev."""
    give_up: Annotated[tuple[str, ...], Field(alias="give-up")] = ()
    """What an adoption may drop: names of bindings, and settings of the version such as ``placement``."""
    replace_deployment: Annotated[str | None, Field(alias="replace-deployment")] = None
    """The id of a manual deployment in production that the next run may replace, or the mark of a worker that serves nothing."""

    rollout: Rollout | None = None
    """How its traffic moves, if not as the stack's ``rollout`` says."""
    without_candidate: Annotated[str | None, Field(alias="without-candidate", pattern=r"^[0-9a-f]{12,64}$")] = None
    """The digest of the worker, or its beginning, whose version may get traffic untried in production, where it cannot be tried before."""

    @property
    def adopted(self) -> bool:
        """Whether this stack adopts the worker; not where it creates one in place of a deleted one that it had adopted."""
        return self.adopt and not self.recreate

    @model_validator(mode="after")
    def _reachable(self) -> Self:
        if not self.workers_dev and self.url is None:
            message = "a worker that is not on workers.dev needs a url"
            raise ValueError(message)
        return self


class SharedSecret(Frozen):
    """Why a distinct secret may have the same value in both environments, and the last day on which it may."""

    reason: Annotated[str, Field(min_length=1)]
    until: date


class Settings(Frozen):
    """The settings of one environment."""

    environment: Environment
    project: str
    organization: str
    root: Path
    """The folder of the stack files."""
    account_id: AccountId
    api_token: Annotated[SecretStr, AfterValidator(_printable)]
    api_url: str | None = None
    """The base URL of the API that the provider uses, if not Cloudflare's public one."""
    workers_dir: Path
    workers_subdomain: Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$")]
    databases: dict[str, DatabaseSettings]
    workers: dict[str, WorkerSettings]
    secret_source: Literal["pulumi", "environment", "infisical"] = "pulumi"
    infisical: InfisicalSettings | None = None
    """Where the secrets are with the source ``infisical``."""
    shared_secrets: dict[str, SharedSecret] = {}
    """By key, the distinct secrets that both environments share for a while."""
    rollback_to: Annotated[str, Field(pattern=r"^[0-9a-f]{12,64}$")] | None = None
    """The digest, or its beginning, of the older proven release that these files are. Databases may be ahead of it."""
    override_freeze: str | None = None
    """The freeze of production that a run may pass, by the time that the refusal shows. Another freeze closes the gate again."""
    require_rehearsal: bool = False
    """Whether production takes only a release that was rehearsed on its rows as they are."""
    rehearsed: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None
    """What a passed rehearsal printed, for the next update."""
    proof_max_age_days: Annotated[int, Field(gt=0, le=3650)] | None = None
    proof_keys: tuple[PublicKey, ...] = ()
    """The public keys of staging: production takes only releases whose proofs one of them signed. Without any, proofs need no signature."""
    rollout: Rollout | None = None
    """How the traffic of each worker moves to a new version, if not at once."""
    candidate_rounds: Annotated[int, Field(ge=6, le=1000)] = 22
    """How many rounds a candidate has to answer, if all are right, before it gets traffic."""
    hook_deadline_minutes: Annotated[int, Field(gt=0, le=120)] = 15
    check_deadline_seconds: Annotated[int, Field(gt=0, le=3600)] | None = None
    """How long each check is retried in this environment, if not as long as the catalog says."""

    @property
    def file(self) -> str:
        """The name of the stack file, as errors show it."""
        return f"Pulumi.{self.environment}.yaml"

    def stack(self, environment: Environment) -> str:
        """The full name of an environment's stack, which every state backend accepts."""
        return f"{self.organization}/{self.project}/{environment}"

    def script(self, worker: str) -> str:
        """A worker's name at Cloudflare in this environment: in production the catalog name, else with the environment as a suffix."""
        return worker if self.environment == "production" else f"{worker}-{self.environment}"

    def services_of(self, worker: str) -> dict[str, dict[str, str]]:
        """The service bindings of a worker by name, each with its fields as Cloudflare's API names them."""
        return {
            binding: {"service": self.script(called.worker), **({"entrypoint": called.entrypoint} if called.entrypoint else {})}
            for binding, called in self.workers[worker].services.items()
        }

    def rollout_of(self, worker: str) -> Rollout:
        """How the traffic of a worker moves to a new version."""
        return self.workers[worker].rollout or self.rollout or Rollout()

    @property
    def longest_rollout_seconds(self) -> float:
        """How long the rollout of all workers may take: their steps go side by side."""
        return max((self.rollout_of(worker).longest_seconds for worker in self.workers), default=0.0)

    def url(self, worker: str) -> str:
        """The live address of a worker, without a slash at the end."""
        return (self.workers[worker].url or f"https://{self.script(worker)}.{self.workers_subdomain}.workers.dev").rstrip("/")


KEY_NAME = "fingerprint-key"
"""The key of the fingerprints; its own fingerprint, under this name, shows whether two environments use the same key."""
# Keys that secrets/sources.py reads; they are not part of Settings.
_ELSEWHERE = {"secrets", KEY_NAME, "signing-key", "masking-key", "infisical-client-id", "infisical-client-secret"}
_FROM_ENVIRONMENT = {"account-id": "CLOUDFLARE_ACCOUNT_ID", "api-token": "CLOUDFLARE_API_TOKEN", "api-url": "CLOUDFLARE_BASE_URL"}
_FROM_PROVIDER = {"api-token": "cloudflare:apiToken", "api-url": "cloudflare:baseUrl"}
_TO_DO = {
    "workers-dir": "Set the folder of the built workers: pulumi config set workers-dir <folder>",
    "account-id": "Run pulumi config set account-id <id>, or set CLOUDFLARE_ACCOUNT_ID",
    "api-token": "Set CLOUDFLARE_API_TOKEN; docs/real-account.md lists the permissions it needs",
}


def parse(known: Mapping[str, str], config: Mapping[str, str], environ: Mapping[str, str]) -> Settings:
    """Read settings from what Pulumi tells about the stack (``known``), its configuration and the process environment.

    Configuration takes precedence over environment variables. Raises SettingsError with the file and path of the first fault.
    """
    where = f"Pulumi.{known['environment']}.yaml"
    project_keys = {key.partition(":")[2]: value for key, value in config.items() if key.startswith(f"{known['project']}:")}
    given: dict[str, Any] = {key: _value(value) for key, value in project_keys.items() if key not in _ELSEWHERE}
    if unknown := sorted(key for key in given if key.replace("-", "_") in known or key in ("api-token", "api-url") or "_" in key):
        raise SettingsError(f"{where} {known['project']}:{unknown[0]}", "is not known", f"Remove it, or correct its name. {_known_names()}")
    for key, provider_key in _FROM_PROVIDER.items():
        if provider_key in config:
            given[key] = config[provider_key]
    for key, variable in _FROM_ENVIRONMENT.items():
        if key not in given and environ.get(variable):
            given[key] = environ[variable]
    try:
        settings = Settings.model_validate({**known, **{key.replace("-", "_"): value for key, value in given.items()}})
    except ValidationError as error:
        path, what = first_fault(error)
        raise SettingsError(f"{where} {_shown(known['project'], path)}", what, _to_do(path, what)) from None
    return settings.model_copy(update={"workers_dir": settings.root / _expanded(settings.workers_dir, where)})


def _expanded(folder: Path, where: str) -> Path:
    try:
        return folder.expanduser()
    except RuntimeError:
        raise SettingsError(f"{where} workers-dir", f"there is no home folder for {folder}", "Write the full path") from None


def _value(text: str) -> Any:  # noqa: ANN401 - whatever JSON holds; pydantic judges it
    """The value of a setting. Pulumi gives lists and maps as JSON text, and everything else as it is."""
    if text[:1] not in ("[", "{"):
        return text
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


def _shown(project: str, path: str) -> str:
    head, _, rest = path.partition(".")
    return ".".join(filter(None, (f"{project}:{head.replace('_', '-')}", rest)))


def _to_do(path: str, what: str) -> str:
    head = path.partition(".")[0].replace("_", "-")
    if what == "is missing" and "." not in path:
        return _TO_DO.get(head, f"Run pulumi config set {head} <value>")
    if what == "is not known":
        return "Remove it, or correct its name" + (f". {_known_names()}" if "." not in path else "")
    return "Write it in quotes in the stack file" if what == "Input should be a valid string" else "Correct it in the stack file"


def _known_names() -> str:
    not_settable = {"environment", "project", "organization", "root", "api_token", "api_url"}
    names = {name.replace("_", "-") for name in Settings.model_fields if name not in not_settable} | _ELSEWHERE
    return "Known names: " + ", ".join(sorted(names))
