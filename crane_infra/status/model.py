"""Where both environments stand, as one value. What could not be seen is None, and ``unseen`` says why."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from crane_infra.status.events import Event

State = Literal["runs a release", "has no release", "unknown"]
HEALTHY, FAILS, NOT_CHECKED = "ok", "fails", "not checked"


@dataclass(frozen=True)
class ReleaseStatus:
    """The release that a stack proved last: its digest, its commit, when it was proven, and who ran the update."""

    digest: str
    commit: str | None
    proven_at: datetime
    by: str


@dataclass(frozen=True)
class WorkerStatus:
    """A worker. ``version`` is the one that the stack deployed, ``traffic`` the share of each version that serves, in percent.

    ``health`` is ``ok``, ``fails`` or ``not checked``. ``as_expected`` is None where it could not be seen.
    """

    name: str
    script: str
    address: str
    version: str
    traffic: Mapping[str, float] | None = None
    deployed_on: str = ""
    deployed_by: str = ""
    health: str = NOT_CHECKED
    as_expected: bool | None = None


@dataclass(frozen=True)
class PendingFile:
    """A migration that the database lacks; ``kind`` is expand, contract, data or none, or unknown where its file is not at hand."""

    name: str
    kind: str


@dataclass(frozen=True)
class DatabaseStatus:
    """A database. ``head`` and ``applied`` are those of its ledger; None where it could not be read.

    ``pending`` are the files at hand that it lacks, ``drift`` the objects that are not as its migrations make them; both None where unknown.
    """

    name: str
    shown: str
    id: str
    head: str | None = None
    applied: int | None = None
    pending: tuple[PendingFile, ...] | None = None
    drift: tuple[str, ...] | None = None
    as_expected: bool | None = None


@dataclass(frozen=True)
class EnvironmentStatus:
    """One environment. ``problems`` are what somebody has to look at, ``notes`` what was left out, ``unseen`` what could not be seen and why."""

    name: str
    state: State
    release: ReleaseStatus | None = None
    workers: tuple[WorkerStatus, ...] = ()
    databases: tuple[DatabaseStatus, ...] = ()
    events: tuple[Event, ...] = ()
    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    unseen: tuple[str, ...] = ()

    @property
    def last_run(self) -> Event | None:
        """The last run of Pulumi that was made for this stack."""
        return next((event for event in self.events if event.is_run), None)


@dataclass(frozen=True)
class Promotion:
    """The gate's verdict on the newest release of staging, and what promoting it would change. ``is_open`` None: it could not be asked.

    ``note`` is what whoever promotes should know, ``risk`` what no gate can see as it is set up; both mostly empty.
    """

    is_open: bool | None
    verdict: str
    note: str = ""
    risk: str = ""
    changes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Status:
    """Both environments at one time, and what stands between them."""

    at: datetime
    environments: tuple[EnvironmentStatus, ...]
    promotion: Promotion

    @property
    def has_problems(self) -> bool:
        """Whether somebody has to look at something: what differs, is refused, or failed."""
        return any(environment.problems for environment in self.environments)

    @property
    def is_partial(self) -> bool:
        """Whether something could not be seen."""
        return self.promotion.is_open is None or any(environment.unseen for environment in self.environments)
