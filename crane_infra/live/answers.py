"""What Cloudflare's API answers about workers and databases, as far as it is read. Anything else in an answer may be anything.

A field of another type, or a deployment without a version, makes an answer unreadable: it is never taken for "nothing".
"""

from datetime import datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from crane_infra.d1.answer import fault_of
from crane_infra.live.script_settings import require_readable

Json = dict[str, Any]
Name = Annotated[str, Field(pattern=r"^[^\x00-\x1f\x7f]+$")]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True, hide_input_in_errors=True)


class ShareAnswer(_Part):
    """The share of one version, in percent."""

    version_id: Name
    percentage: Annotated[float, Field(ge=0, le=100, allow_inf_nan=False)]


class DeploymentAnswer(_Part):
    """One deployment."""

    id: Name
    versions: Annotated[list[ShareAnswer], Field(min_length=1)]
    source: str | None = None
    author_email: str | None = None
    created_on: str | None = None
    annotations: Json | None = None


class DeploymentsAnswer(_Part):
    """The deployments of a script, newest first."""

    deployments: list[DeploymentAnswer]


class _Binding(_Part):
    name: Name
    type: Name


def _date(text: str) -> str:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        message = "is not a date"  # Python's own text quotes it
        raise ValueError(message) from None
    return text


class _Version(_Part):
    id: Name
    created_on: Annotated[str, AfterValidator(_date)]
    annotations: dict[str, str] | None = None
    bindings: list[_Binding] | None = None
    modules: list[Json] | None = None
    compatibility_date: str | None = None
    compatibility_flags: list[str] | None = None
    limits: Json | None = None
    placement: Json | None = None
    migration_tag: str | None = None


class _Worker(_Part):
    name: Name
    deployed_on: str | None = None
    tags: list[str] | None = None


class _Script(_Part):
    migration_tag: Name | None = None


class _Default(_Part):
    script: _Script


class ServiceAnswer(_Part):
    """A worker as wrangler reads it."""

    id: Name
    default_environment: _Default


class VersionItem(_Part):
    """A version in a list."""

    id: Name
    number: int


class VersionsAnswer(_Part):
    """The last versions of a script."""

    items: list[VersionItem]


class _Schedule(_Part):
    cron: Name


class SchedulesAnswer(_Part):
    """The schedules of a script."""

    schedules: list[_Schedule]


class _Replication(_Part):
    mode: str | None = None


class DatabaseAnswer(_Part):
    """A D1 database. ``num_tables`` is None where the API does not say how many it has."""

    uuid: Name
    name: Name
    num_tables: int | None = None
    read_replication: _Replication | None = None

    @property
    def replication(self) -> str:
        """The mode of its read replication."""
        return (self.read_replication and self.read_replication.mode) or "disabled"


def _readable_version(version: Json) -> Json:
    _require(_Version, version)
    return version


def _readable_worker(worker: Json) -> Json:
    _require(_Worker, worker)
    require_readable(worker)
    return worker


def _require(shape: type[_Part], answer: Json) -> None:
    try:
        shape.model_validate(answer, strict=True)
    except ValidationError as error:
        raise ValueError(fault_of(error, "")) from None


DEPLOYMENT: TypeAdapter[DeploymentAnswer] = TypeAdapter(DeploymentAnswer)
DEPLOYMENTS, SCHEDULES = TypeAdapter(DeploymentsAnswer), TypeAdapter(SchedulesAnswer)
SERVICE, VERSIONS = TypeAdapter(ServiceAnswer), TypeAdapter(VersionsAnswer)
DATABASE, DATABASES = TypeAdapter(DatabaseAnswer), TypeAdapter(list[DatabaseAnswer])
VERSION: TypeAdapter[Json] = TypeAdapter(Annotated[Json, AfterValidator(_readable_version)])
"""As the API has it, once its parts are what they should be: other modules compare all of it."""
WORKER: TypeAdapter[Json] = TypeAdapter(Annotated[Json, AfterValidator(_readable_worker)])
"""The same, with the settings of its script."""
