"""What happened to a stack: every release, promotion, rollback, refusal and restore, put together from what others recorded. Pure.

Pulumi's history has the runs; the proofs say which release each proved; the ledgers say which migrations it applied; Cloudflare's deployments
say which versions it deployed, and what somebody deployed in between. Nothing here keeps a record of its own: docs/decisions/0041.
"""

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import groupby
from typing import Literal

from crane_infra.release.proof import CLOCK_SKEW
from crane_infra.status.updates import Update

Kind = Literal["release", "promotion", "rollback", "refresh", "destroy", "other run", "manual deployment", "migrations", "restore"]
Outcome = Literal["succeeded", "unchanged", "failed", "refused", "in progress", "seen"]
_RUNS = ("release", "promotion", "rollback", "refresh", "destroy", "other run")
_KINDS: Mapping[str, Kind] = {"refresh": "refresh", "destroy": "destroy"}


@dataclass(frozen=True)
class Event:
    """Something that happened to a stack. ``by`` is empty where nobody recorded it; ``by_source`` says where it comes from.

    ``refused``: the run ended before it changed anything. ``versions`` are by script; ``migrations`` name the database and the file.
    """

    stack: str
    kind: Kind
    outcome: Outcome
    at: datetime
    seconds: int | None = None
    by: str = ""
    by_source: Literal["message", "cloudflare", "commit", ""] = ""
    commit: str = ""
    digest: str = ""
    versions: Mapping[str, str] | None = None
    migrations: tuple[str, ...] = ()
    link: str = ""
    summary: str = ""

    @property
    def is_run(self) -> bool:
        """Whether it was a run of Pulumi."""
        return self.kind in _RUNS and self.outcome != "seen"

    @property
    def went_wrong(self) -> bool:
        """Whether it is a run that did not do what it was started for."""
        return self.outcome in ("failed", "refused")

    @property
    def who(self) -> str:
        """Who did it, for a person: the author of a commit need not have run it."""
        return f"commit of {self.by}" if self.by_source == "commit" else self.by


@dataclass(frozen=True)
class ProvenRelease:
    """What a proof says: when which release was proven, the version of each script, and the migrations of each database."""

    at: datetime
    digest: str
    commit: str
    versions: Mapping[str, str]
    migrations: Mapping[str, frozenset[str]]


@dataclass(frozen=True)
class AppliedMigration:
    """A row of a ledger: when which file was applied to a database, for which release."""

    at: datetime
    database: str
    name: str
    release: str


@dataclass(frozen=True)
class LiveDeployment:
    """A deployment that Cloudflare lists: when, of which script, which version has most of the traffic, all shares in words, and by whom.

    ``goes_back_to`` is the release, or how it begins, that ``crane rollback`` put back with it.
    """

    at: datetime
    script: str
    version: str
    summary: str
    by: str
    goes_back_to: str = ""


@dataclass(frozen=True)
class Records:
    """All that others recorded of a stack. ``updates`` are in the order of its history, newest first. ``ledgers`` are the names in each ledger that was read, by the name of the database.

    ``is_whole``: ``updates`` are the whole history. What happened before the first of them cannot be told from what happened beside it.
    """

    stack: str
    project: str
    updates: Sequence[Update] = ()
    proofs: Sequence[ProvenRelease] = ()
    applied: Sequence[AppliedMigration] = ()
    ledgers: Mapping[str, frozenset[str]] | None = None
    deployments: Sequence[LiveDeployment] = ()
    is_whole: bool = True


def events_of(records: Records, now: datetime) -> list[Event]:
    """Everything that happened to a stack, newest first."""
    composer = _Composer(records)
    events = [*composer.runs(), *composer.manual_deployments(), *composer.migrations_beside(), *composer.restores(now)]
    return sorted(events, key=lambda event: event.at)[::-1]


def moment_of(text: str | None) -> datetime | None:
    """A time as a ledger or Cloudflare writes it; without a zone it is UTC. None where it is no time."""
    try:
        moment = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


class _Composer:
    """Assigns each record to the run that made it."""

    def __init__(self, records: Records) -> None:
        self._records = records
        self._updates = sorted(records.updates, key=lambda update: update.started, reverse=True)[::-1]
        self._starts = [update.started for update in self._updates]
        self._proofs = {place: proof for proof in reversed(records.proofs) if (place := self._place(proof.at)) is not None}
        self._migrations: dict[int | None, list[AppliedMigration]] = {}
        for row in records.applied:
            self._migrations.setdefault(self._place(row.at), []).append(row)
        self._deployments: dict[int | None, list[LiveDeployment]] = {}
        for deployment in records.deployments:
            self._deployments.setdefault(self._place(deployment.at), []).append(deployment)

    def runs(self) -> Iterator[Event]:
        """The runs of Pulumi, oldest first."""
        digest = ""
        for place, update in enumerate(self._updates):
            event = self._run(place, update)
            if event.outcome == "succeeded" and event.digest:
                digest = event.digest
            yield replace(event, digest=digest) if event.outcome == "unchanged" and not event.digest else event

    def manual_deployments(self) -> Iterator[Event]:
        """Deployments that no run made, those of ``crane rollback`` among them. The first one of a version that a proof names is a run's, whatever the clocks say."""
        proven = {(script, version) for proof in self._records.proofs for script, version in proof.versions.items()}
        for deployment in sorted(self._records.deployments, key=lambda deployment: deployment.at):
            known = (deployment.script, deployment.version)
            is_new = bool(deployment.goes_back_to) or known not in proven
            if is_new and self._place(deployment.at) is None and self._is_after_the_first(deployment.at):
                summary = f"{deployment.script} serves {deployment.summary}"
                source: Literal["cloudflare", ""] = "cloudflare" if deployment.by else ""
                versions = {deployment.script: deployment.version}
                kind: Kind = "rollback" if deployment.goes_back_to else "manual deployment"
                yield Event(
                    self._records.stack,
                    kind,
                    "seen",
                    deployment.at,
                    by=deployment.by,
                    by_source=source,
                    digest=deployment.goes_back_to,
                    versions=versions,
                    summary=summary,
                )
            proven.discard(known)

    def migrations_beside(self) -> Iterator[Event]:
        """Migrations that were applied while no run was active: by ``crane migrations apply``, by a run that was killed, or before the history begins."""
        beside = (row for row in self._migrations.get(None, ()) if self._records.is_whole or self._is_after_the_first(row.at))
        rows = sorted(beside, key=lambda row: row.at)
        for release, group in groupby(rows, key=lambda row: row.release):
            together = list(group)
            names = tuple(f"{row.database}: {row.name}" for row in together)
            digest = _release_of(together)
            summary = "in no run that Pulumi has recorded: it is under way, or was killed" if digest else f"by {release}"
            yield Event(self._records.stack, "migrations", "seen", together[0].at, digest=digest, migrations=names, summary=summary)

    def restores(self, now: datetime) -> Iterator[Event]:
        """Databases that lack, or were given again, a migration that an earlier proof lists: somebody restored an earlier state."""
        again = [row for row in self._records.applied if self._was_proven_before(row)]
        for (database, _), group in groupby(
            sorted(again, key=lambda row: (row.database, row.at)), key=lambda row: (row.database, self._place(row.at))
        ):
            rows = list(group)
            names = ", ".join(row.name for row in rows)
            summary = f"{database} had been restored to an earlier state, and got again: {names}"
            yield Event(self._records.stack, "restore", "seen", rows[0].at, summary=summary)
        newest = next(iter(self._records.proofs), None)
        for database, present in (self._records.ledgers or {}).items():
            if newest and (lost := sorted(newest.migrations.get(database, frozenset()) - present)):
                summary = f"{database} was restored to an earlier state since {newest.at:%Y-%m-%d %H:%M} UTC, and lacks: {', '.join(lost)}"
                yield Event(self._records.stack, "restore", "seen", now, summary=summary)

    def _was_proven_before(self, row: AppliedMigration) -> bool:
        """Whether a proof of an earlier run lists the migration; a run that ended just now may be its own, by another clock."""
        return any(
            row.name in proof.migrations.get(row.database, ())
            for place, proof in self._proofs.items()
            if (ended := self._updates[place].ended) and row.at > ended + CLOCK_SKEW
        )

    def _is_after_the_first(self, moment: datetime) -> bool:
        """Whether it was after the first run that is known: what an adopted worker served before is not this stack's business."""
        return bool(self._starts) and moment >= self._starts[0]

    def _run(self, place: int, update: Update) -> Event:
        proof = self._proofs.get(place)
        migrations = tuple(f"{row.database}: {row.name}" for row in self._migrations.get(place, ()))
        deployments = self._deployments.get(place, ())
        said_digest, said_by = update.said
        going_back = update.setting(f"{self._records.project}:rollback-to")
        authors = sorted({deployment.by for deployment in deployments if deployment.by})
        by, source = next(
            (
                (name, source)
                for name, source in ((said_by, "message"), (", ".join(authors), "cloudflare"), (update.author, "commit"))
                if name
            ),
            ("", ""),
        )
        seconds = None if update.ended is None else int((update.ended - update.started).total_seconds())
        return Event(
            self._records.stack,
            self._kind(update, going_back),
            _outcome(update, happened=bool(migrations or deployments)),
            update.started,
            seconds,
            by,
            source,  # type: ignore[arg-type]
            update.commit or (proof.commit if proof else ""),
            proof.digest if proof else said_digest or going_back or _release_of(self._migrations.get(place, ())),
            {deployment.script: deployment.version for deployment in deployments} or (dict(proof.versions) if proof else None),
            migrations,
            update.link,
            update.message,
        )

    def _kind(self, update: Update, going_back: str) -> Kind:
        if update.kind != "update":
            return _KINDS.get(update.kind, "other run")
        if self._records.stack != "production":
            return "release"
        return "rollback" if going_back else "promotion"

    def _place(self, moment: datetime) -> int | None:
        """The run that was active at that time.

        In a second in which one run ends and another begins it is the one that ends: the program of a run does nothing yet when the run begins.
        """
        place = bisect_right(self._starts, moment) - 1
        if place > 0 and self._updates[place - 1].ended and self._updates[place - 1].includes(moment):
            return place - 1
        return place if place >= 0 and self._updates[place].includes(moment) else None


def _outcome(update: Update, *, happened: bool) -> Outcome:
    if not update.is_over:
        return "in progress"
    if update.result == "succeeded":
        return "succeeded" if update.changed else "unchanged"
    return "failed" if update.changed or happened else "refused"


def _release_of(rows: Sequence[AppliedMigration]) -> str:
    return next((row.release for row in rows if len(row.release) == 64 and row.release.isalnum()), "")  # noqa: PLR2004 - a sha256 in hex
