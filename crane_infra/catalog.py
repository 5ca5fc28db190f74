"""What crane consists of: its workers and databases, what they bind, how they are checked. The same in every environment.

Data only. Names, ids, variables of one environment and the values of secrets are settings. Prevents staging and production
from being two descriptions that drift apart.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from typing import Annotated, Self

from pydantic import AfterValidator, Field, ValidationError, model_validator

from crane_infra.checks.model import Check, SecretHeader, SignatureHeader
from crane_infra.errors import SettingsError
from crane_infra.model import Frozen, first_fault


def _compatibility_date(text: str) -> str:
    try:
        if date.fromisoformat(text).isoformat() == text:
            return text
    except ValueError:
        pass
    message = f"'{text}' is no compatibility date, write it as YYYY-MM-DD"
    raise ValueError(message)


CompatibilityDate = Annotated[str, AfterValidator(_compatibility_date)]
Name = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,52}[a-z0-9])?$")]
BindingName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]


class Secret(Frozen):
    """A secret binding: its name in the worker, and the key under which a secret source knows the value."""

    binding: BindingName
    key: str
    distinct: bool = False
    """Must differ between staging and production."""
    required: bool = True


class Database(Frozen):
    """A D1 database, by the name that the catalog gives it; ``migrations`` is a folder below the workers folder."""

    migrations: str
    base: str | None = None
    """A file below the workers folder: the base schema that an empty database gets before the migrations after ``baseline``."""
    baseline: Annotated[int, Field(ge=0)] = 0
    """The number of the last migration whose work the base schema contains."""

    @model_validator(mode="after")
    def _baseline_has_a_base(self) -> Self:
        if self.baseline and self.base is None:
            message = "a baseline needs a base, the schema that contains these migrations"
            raise ValueError(message)
        return self


class Worker(Frozen):
    """A worker: the folder of its bundle below the workers folder, and what it binds."""

    bundle: str
    main_module: str = "index.js"
    compatibility_date: CompatibilityDate
    compatibility_flags: tuple[str, ...] = ()
    databases: dict[BindingName, Name] = {}
    """Binding to the catalog name of a database."""
    variables: dict[BindingName, str] = {}
    """Shared by the environments; a stack's settings may override a value."""
    environment_variables: tuple[BindingName, ...] = ()
    """Variables that each stack must set."""
    secrets: tuple[Secret, ...] = ()
    version_metadata: BindingName = "CF_VERSION_METADATA"
    reports_version: bool = True
    """False: it has no way to tell which version answers, so only the deployments API identifies it."""
    checks: tuple[Check, ...] = ()

    @property
    def binding_names(self) -> list[str]:
        """The name of every binding, in order of the fields."""
        secrets = (secret.binding for secret in self.secrets)
        return [self.version_metadata, *self.databases, *self.variables, *self.environment_variables, *secrets]

    @model_validator(mode="after")
    def _coherent(self) -> Self:
        names = self.binding_names
        if twice := sorted({name for name in names if names.count(name) > 1}):
            message = f"the binding {twice[0]} is declared twice"
            raise ValueError(message)
        if self.reports_version != any(check.version_at for check in self.checks):
            message = "either one check names version_at, or reports_version is false"
            raise ValueError(message)
        return self


class Catalog(Frozen):
    """The workers and databases that every environment has."""

    workers: dict[Name, Worker]
    databases: dict[Name, Database]

    @model_validator(mode="after")
    def _bound_databases_exist(self) -> Self:
        for name, worker in self.workers.items():
            if unknown := sorted(set(worker.databases.values()) - set(self.databases)):
                message = f"{name} binds the database {unknown[0]}, which is not in the catalog"
                raise ValueError(message)
        return self

    @property
    def secrets(self) -> tuple[Secret, ...]:
        """Every secret of every worker, once per key, in order of the catalog."""
        return tuple({secret.key: secret for worker in self.workers.values() for secret in worker.secrets}.values())


def crane() -> Catalog:
    """The catalog of crane.

    Raises SettingsError with the path of the fault where the data below is not a catalog.
    """
    with faults_in_one_line():
        return Catalog(
            workers={"crane-context": _context(), "crane-classifier": _classifier()},
            databases={
                "crane-context-db": Database(migrations="crane-context/migrations"),
                "crane-classifier-db": Database(migrations="crane-classifier/migrations"),
            },
        )


@contextmanager
def faults_in_one_line() -> Iterator[None]:
    """Turns pydantic's report on catalog data into one SettingsError with the path of the first fault."""
    try:
        yield
    except ValidationError as error:
        path, what = first_fault(error)
        raise SettingsError(f"crane_infra/catalog.py {error.title}{f'.{path}' if path else ''}", what, "Mend it there") from None


def _context() -> Worker:
    return Worker(
        bundle="crane-context/dist",
        compatibility_date="2024-01-01",
        databases={"DB": "crane-context-db"},
        variables={
            "CONTEXT_SESSION_STALE_MINUTES": "45",
            "IDEMPOTENCY_TTL_SECONDS": "3600",
            "HEARTBEAT_INTERVAL_SECONDS": "600",
            "HEARTBEAT_JITTER_SECONDS": "120",
        },
        environment_variables=("ENVIRONMENT",),
        secrets=(
            Secret(binding="CONTEXT_RELAY_KEY", key="CRANE_CONTEXT_KEY", distinct=True),
            Secret(binding="CONTEXT_ADMIN_KEY", key="CRANE_ADMIN_KEY", distinct=True),
        ),
        checks=(
            Check(name="health", path="/health", json_includes={"status": "ok"}),
            Check(name="version", path="/version", version_at="id"),
            Check(
                name="reads D1 with its key",
                path="/active",
                headers={"X-Relay-Key": SecretHeader(secret="CONTEXT_RELAY_KEY")},
            ),
            Check(name="refuses without a key", path="/active", status=401),
            Check(
                name="writes D1",
                method="POST",
                path="/smoke",
                headers={"X-Relay-Key": SecretHeader(secret="CONTEXT_RELAY_KEY")},
                status=201,
                json_includes={"written": True},
                mutating=True,
            ),
        ),
    )


def _classifier() -> Worker:
    return Worker(
        bundle="crane-classifier/dist",
        compatibility_date="2025-12-15",
        compatibility_flags=("nodejs_compat",),
        databases={"DB": "crane-classifier-db"},
        variables={"GH_APP_ID": "2619905", "GH_INSTALLATIONS_JSON": '{"venturecrane":"104223482"}'},
        environment_variables=("ENVIRONMENT",),
        secrets=(
            Secret(binding="GEMINI_API_KEY", key="GEMINI_API_KEY"),
            Secret(binding="GH_PRIVATE_KEY_PEM", key="GH_PRIVATE_KEY_PEM"),
            Secret(binding="GH_WEBHOOK_SECRET", key="GH_WEBHOOK_SECRET"),
            Secret(binding="CLASSIFIER_API_KEY", key="CLASSIFIER_API_KEY", required=False),
        ),
        checks=(
            Check(name="health", path="/health", json_includes={"status": "ok"}),
            Check(name="version", path="/version", version_at="id"),
            Check(
                name="refuses a bad signature",
                method="POST",
                path="/webhook",
                headers={"X-Hub-Signature-256": "sha256=00", "X-GitHub-Delivery": "crane-smoke"},
                body={"zen": "smoke"},
                status=401,
            ),
            Check(
                name="stores a signed delivery",
                method="POST",
                path="/webhook",
                headers={
                    "X-Hub-Signature-256": SignatureHeader(hmac_sha256="GH_WEBHOOK_SECRET"),
                    "X-GitHub-Delivery": "crane-smoke",
                    "X-GitHub-Event": "ping",
                },
                body={"zen": "smoke"},
                status=202,
                mutating=True,
            ),
        ),
    )
