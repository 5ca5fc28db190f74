"""The types of the catalog: worker, database and secret, and how mistakes in it are reported."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, InstanceOf, ValidationError, model_validator

from crane_infra.checks.model import AnyCheck
from crane_infra.config.assets import Assets
from crane_infra.config.bindings import Binding, DurableObject
from crane_infra.config.class_migrations import ClassMigration, require_coherent
from crane_infra.config.data_rules import TableRule
from crane_infra.errors import SettingsError, refuse
from crane_infra.frozen import Declared, all_faults


def _compatibility_date(text: str) -> str:
    try:
        if date.fromisoformat(text).isoformat() == text:
            return text
    except ValueError:
        pass
    message = f"'{text}' is not a compatibility date, write it as YYYY-MM-DD"
    raise ValueError(message)


CompatibilityDate = Annotated[str, AfterValidator(_compatibility_date)]
Name = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,52}[a-z0-9])?$")]
BindingName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]


class Secret(Declared):
    """A secret binding: its name in the worker, and the key under which the secret source has the value."""

    binding: BindingName
    key: str
    distinct: bool = False
    """Must differ between staging and production. Neither distinct nor same: it may differ."""
    same: bool = False
    """Must be the same in staging and production."""
    required: bool = True
    min_length: Annotated[int, Field(ge=1)] = 8
    """A value of fewer characters is refused."""

    @model_validator(mode="after")
    def _distinct_or_same(self) -> Self:
        if self.distinct and self.same:
            message = "a secret cannot be both distinct and same"
            raise ValueError(message)
        return self


class CatalogDatabase(Declared):
    """A D1 database. ``migrations`` is a folder below the workers folder."""

    migrations: str
    base: str | None = None
    """A file below the workers folder: the base schema. An empty database gets it, and then the migrations after ``baseline``."""
    baseline: Annotated[int, Field(ge=0)] = 0
    """The number of the last migration that the base schema includes."""
    seeds: str | None = None
    """A folder below the workers folder: rows that staging gets after its migrations, as numbered SQL files that may run again."""
    staging_rows: dict[str, TableRule] = {}
    """What ``crane data refresh`` brings from production to staging: a rule for each table and each column, or it is refused."""

    @model_validator(mode="after")
    def _baseline_has_a_base(self) -> Self:
        if self.baseline and self.base is None:
            message = "a baseline needs a base, the schema that includes these migrations"
            raise ValueError(message)
        return self


class Placement(Declared):
    """Where a worker runs: close to what it calls (``mode="smart"``), or close to one region, hostname or host."""

    mode: Literal["smart"] | None = None
    region: str | None = None
    hostname: str | None = None
    host: str | None = None

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if len(self.model_dump(exclude_none=True)) != 1:
            message = "set one of mode, region, hostname and host"
            raise ValueError(message)
        return self


class Limits(Declared):
    """What one request to a worker may use."""

    cpu_ms: Annotated[int, Field(gt=0)] | None = None
    subrequests: Annotated[int, Field(gt=0)] | None = None


class CatalogWorker(Declared):
    """A worker: the folder of its bundle below the workers folder, and what it binds."""

    bundle: str
    main_module: str = "index.js"
    compatibility_date: CompatibilityDate
    compatibility_flags: tuple[str, ...] = ()
    placement: Placement | None = None
    limits: Limits | None = None
    databases: dict[BindingName, Name] = {}
    """Binding to the catalog name of a database."""
    variables: dict[BindingName, str] = {}
    """Shared by the environments; a stack's settings may override a value."""
    environment_variables: tuple[BindingName, ...] = ()
    """Variables that each stack must set."""
    secrets: tuple[Secret, ...] = ()
    bindings: dict[BindingName, InstanceOf[Binding]] = {}
    """Everything else that the worker binds: KV namespaces, buckets, queues, AI, …; see ``bindings.py``."""
    class_migrations: tuple[ClassMigration, ...] = ()
    """What becomes of its Durable Object classes: tagged steps, of which Cloudflare gets those after the one that it took last."""
    assets: InstanceOf[Assets] | None = None
    """Files that Cloudflare serves itself."""
    version_metadata: BindingName = "CF_VERSION_METADATA"
    reports_version: bool = True
    """False: its replies do not name the version that answers, so only the deployments API identifies it."""
    checks: tuple[AnyCheck, ...] = ()

    @property
    def version_settings(self) -> dict[str, Any]:
        """What is declared of a version besides code, compatibility and bindings, in the words of Cloudflare's API."""
        return self.model_dump(include={"placement", "limits"}, exclude_none=True)

    @property
    def binding_names(self) -> list[str]:
        """The name of every binding, in order of the fields."""
        secrets = (secret.binding for secret in self.secrets)
        assets = [self.assets.binding] if self.assets and self.assets.binding else []
        return [self.version_metadata, *assets, *self.databases, *self.variables, *self.environment_variables, *secrets, *self.bindings]

    @model_validator(mode="after")
    def _coherent(self) -> Self:
        names = self.binding_names
        if twice := sorted({name for name in names if names.count(name) > 1}):
            message = f"the binding {twice[0]} is declared twice"
            raise ValueError(message)
        if self.assets and self.assets.overlaps(self.bundle):
            message = "the folder of the assets and that of the bundle are within each other: build them into two folders"
            raise ValueError(message)
        if self.reports_version != any(check.names_version for check in self.checks):
            message = "one check must set version_at, or reports_version must be false; not both"
            raise ValueError(message)
        own = {each.class_name for each in self.bindings.values() if isinstance(each, DurableObject) and each.in_worker is None}
        require_coherent(self.class_migrations, own)
        for check in self.checks:
            if undeclared := sorted(check.secrets - {secret.binding for secret in self.secrets}):
                message = f"the check {check.name} needs the secret {undeclared[0]}, which the worker does not bind"
                raise ValueError(message)
        return self


class Catalog(Declared):
    """The workers and databases that every environment has."""

    workers: dict[Name, CatalogWorker]
    databases: dict[Name, CatalogDatabase]

    @model_validator(mode="after")
    def _bound_databases_exist(self) -> Self:
        for name, worker in self.workers.items():
            if unknown := sorted(set(worker.databases.values()) - set(self.databases)):
                message = f"{name} binds the database {unknown[0]}, which is not in the catalog"
                raise ValueError(message)
            referred = {binding.worker() for binding in worker.bindings.values()} - {None, *self.workers}
            taken = {each.from_worker for step in worker.class_migrations for each in step.transferred_classes} - {*self.workers}
            if taken:
                message = f"{name} takes over a class of the worker {min(taken)}, which is not in the catalog"
                raise ValueError(message)
            if referred:
                message = f"{name} binds a class of the worker {min(filter(None, referred))}, which is not in the catalog"
                raise ValueError(message)
        return self

    @property
    def secrets(self) -> tuple[Secret, ...]:
        """Every secret of every worker, once per key, in order of the catalog."""
        return tuple({secret.key: secret for worker in self.workers.values() for secret in worker.secrets}.values())


@contextmanager
def faults_in_one_line() -> Iterator[None]:
    """Raise SettingsError with a line for each mistake in catalog data, in place of pydantic's ValidationError."""
    with all_faults() as faults:
        try:
            yield
        except ValidationError as error:
            faults.errors.append((error.title, error))
        except Exception:  # a wrong value may have made the code after it fail: the wrong value is what has to be said
            if not faults.errors:
                raise
    places = ((f"crane_infra/catalog.py {name}{f'.{path}' if path else ''}", what) for name, path, what in faults.lines())
    refuse([SettingsError(place, what, "Fix it there") for place, what in places])
