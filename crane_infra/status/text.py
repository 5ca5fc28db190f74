"""Both environments side by side, as text for a terminal. Pure.

A cell is short, so that both columns fit; what needs a sentence stands below the table.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime

from crane_infra.status.events import Event, moment_of
from crane_infra.status.inert import inert
from crane_infra.status.model import DatabaseStatus, EnvironmentStatus, ReleaseStatus, Status, WorkerStatus

UNSEEN, NONE = "not seen", "-"
DIGEST, COMMIT, VERSION = 12, 10, 8
"""How many characters of each are shown."""
_MOST_PENDING = 10
_CLEAN = "+changes"
Row = tuple[str, tuple[str, ...]]


def status_text(status: Status) -> str:
    """The whole text."""
    parts = [_table(status), _gate(status), *_lists(status)]
    return "\n\n".join(["\n".join(part) for part in parts if part])


def moment(at: datetime | None) -> str:
    """A time to the minute."""
    return f"{at:%Y-%m-%d %H:%M} UTC" if at else NONE


def day_text(written: str) -> str:
    """A time as Cloudflare writes it, to the minute."""
    return moment(moment_of(written))


def commit_text(commit: str | None) -> str:
    """The beginning of a commit, and whether files differed from it."""
    bare = (commit or "").removesuffix(_CLEAN)
    return f"{bare[:COMMIT]}{_CLEAN if commit and commit.endswith(_CLEAN) else ''}" or NONE


def traffic_text(traffic: Mapping[str, float] | None) -> str:
    """The share of each version."""
    if traffic is None:
        return UNSEEN
    return ", ".join(f"{version[:VERSION]} at {share:g}%" for version, share in traffic.items()) or "nothing"


def _table(status: Status) -> list[str]:
    rows = [("", tuple(environment.name for environment in status.environments)), *_rows(status)]
    clean = [(label, tuple(map(inert, cells))) for label, cells in rows]
    widths = [max(len(label) for label, _ in clean), *(max(len(cells[place]) for _, cells in clean) for place in range(len(rows[0][1])))]
    return ["  ".join(cell.ljust(width) for cell, width in zip((label, *cells), widths, strict=True)).rstrip() for label, cells in clean]


def _rows(status: Status) -> Iterator[Row]:
    both = status.environments
    yield "release", tuple(_release(one) for one in both)
    yield "commit", tuple(commit_text(one.release.commit) if one.release else NONE for one in both)
    yield "proven", tuple(moment(one.release.proven_at) if one.release else NONE for one in both)
    yield "by", tuple(_by(one.release) for one in both)
    yield "last run", tuple(_last_run(one.last_run) for one in both)
    for name in _names(one.workers for one in both):
        workers = [next((worker for worker in one.workers if worker.name == name), None) for one in both]
        yield f"worker {inert(name)}", tuple("" for _ in both)
        yield "  version", tuple(worker.version[:VERSION] if worker else "not deployed" for worker in workers)
        yield "  serves", tuple(_serves(worker) for worker in workers)
        yield "  deployed", tuple(_deployed(worker) for worker in workers)
        yield "  address", tuple((worker.address or NONE) if worker else NONE for worker in workers)
        yield "  health", tuple(worker.health if worker else NONE for worker in workers)
    for name in _names(one.databases for one in both):
        databases = [next((database for database in one.databases if database.name == name), None) for one in both]
        yield f"database {inert(name)}", tuple("" for _ in both)
        yield "  ledger", tuple(_ledger(database) for database in databases)
        yield "  pending", tuple(_pending(database) for database in databases)
        yield "  schema", tuple(_schema(database) for database in databases)


def _names(groups: Iterable[tuple[WorkerStatus, ...] | tuple[DatabaseStatus, ...]]) -> list[str]:
    return list(dict.fromkeys(part.name for group in groups for part in group))


def _release(environment: EnvironmentStatus) -> str:
    return environment.release.digest[:DIGEST] if environment.release else {"has no release": "none yet"}.get(environment.state, UNSEEN)


def _by(release: ReleaseStatus | None) -> str:
    return (release.by if release else "") or NONE


def _last_run(event: Event | None) -> str:
    return f"{event.kind}, {event.outcome}, {moment(event.at)}" if event else NONE


def _serves(worker: WorkerStatus | None) -> str:
    if worker is None:
        return NONE
    return traffic_text(worker.traffic) + (", DIFFERS" if worker.as_expected is False else "")


def _deployed(worker: WorkerStatus | None) -> str:
    if worker is None or not worker.deployed_on:
        return NONE
    on = day_text(worker.deployed_on)
    return f"{on} by {worker.deployed_by}" if worker.deployed_by else on


def _ledger(database: DatabaseStatus | None) -> str:
    if database is None or not database.id:
        return "not created"
    if database.applied is None:
        return UNSEEN
    return f"{database.head or 'empty'} ({database.applied})" + (", DIFFERS" if database.as_expected is False else "")


def _pending(database: DatabaseStatus | None) -> str:
    if database is None or not database.id:
        return NONE
    if database.pending is None:
        return UNSEEN
    kinds = [file.kind for file in database.pending]
    counted = ", ".join(f"{kinds.count(kind)} {kind}" for kind in dict.fromkeys(kinds))
    return counted or "none"


def _schema(database: DatabaseStatus | None) -> str:
    if database is None or not database.id:
        return NONE
    if database.drift is None:
        return "not compared"
    return "DIFFERS" if database.drift else "as its migrations"


def _gate(status: Status) -> list[str]:
    promotion = status.promotion
    lines = [inert(promotion.verdict), *([f"  note: {inert(promotion.note)}"] if promotion.note else [])]
    lines += [f"  risk: {inert(promotion.risk)}"] if promotion.risk else []
    if promotion.changes:
        lines += ["a promotion would change:", *(f"  {inert(change)}" for change in promotion.changes)]
    elif promotion.is_open:
        lines.append("a promotion would change nothing: production runs this release")
    return lines


def _lists(status: Status) -> Iterator[list[str]]:
    pending = [
        f"  {one.name}: {inert(database.shown)}: {text}"
        for one in status.environments
        for database in one.databases
        for text in pending_texts(database)
    ]
    yield ["pending:", *pending] if pending else []
    for title, lines in (
        ("to look at:", [(one.name, line) for one in status.environments for line in one.problems]),
        ("not seen:", [(one.name, line) for one in status.environments for line in one.unseen]),
        ("notes:", [(one.name, line) for one in status.environments for line in one.notes]),
    ):
        yield [title, *(f"  {name}: {inert(line)}" for name, line in lines)] if lines else []


def pending_texts(database: DatabaseStatus) -> list[str]:
    """The pending files of a database with their class; of many only the first ten."""
    files = database.pending or ()
    shown = [f"{inert(file.name)} ({file.kind})" for file in files[:_MOST_PENDING]]
    return [*shown, *([f"{len(files) - _MOST_PENDING} more"] if len(files) > _MOST_PENDING else [])]
