"""The sentences of the comment that are chosen, not only filled in. Pure.

Prevents a word of ours, such as contract, from standing alone where somebody has to judge what happens to the data.
"""

from collections.abc import Iterator

from crane_infra.report.markdown import code
from crane_infra.report.model import DatabaseChanges, EnvironmentChanges, Pending, Report

_WRITES = ("INSERT", "REPLACE", "UPDATE", "DELETE", "WITH")
_WHEN = {"staging": "after the merge", "production": "when this release is promoted"}
KINDS = {"expand": "expand: adds", "contract": "**contract: takes away**", "data": "data: writes rows", "none": "none"}
STANDINGS = {"new": "**new**", "adopted": "**taken over**, its code is replaced", "kept": "as it is"}


def headline(report: Report) -> str:
    """What the release does, in a few words."""
    migrations = {(database.name, one.name) for each in report.environments for database in each.databases for one in database.pending}
    workers = {worker.name for each in report.environments for worker in each.workers if worker.changes or worker.standing != "kept"}
    told = [_counted(len(workers), "worker changes", "workers change") if workers else "no worker changes"]
    told.append(_counted(len(migrations), "migration", "migrations") if migrations else "no migration")
    release = "These files do not make a release" if report.digest is None else f"Release {code(report.digest[:12])}"
    known = any(each.workers or each.databases for each in report.environments)
    return f"{release}: {', '.join(told)}" if known else release


def gate(report: Report) -> Iterator[str]:
    """The verdict, and whether it is what one expects here."""
    if report.gate is None:
        yield "**Production gate:** no verdict, for want of a release or of staging's last outputs."
    elif report.gate.is_open:
        yield f"**Production gate:** open. {code(report.gate.said)}"
    elif report.gate.promotes:
        yield f"**Production gate:** closed. {code(report.gate.said)}"
    else:
        yield "**Production gate:** not proven yet, which is normal in a pull request: staging proves the release after the merge."
        yield f"The gate says: {code(report.gate.said)}"


def adopted(one: EnvironmentChanges) -> Iterator[str]:
    """What will be taken over, where no preview has looked at it."""
    for worker in one.workers:
        if worker.standing == "adopted":
            yield f"worker {code(worker.script)}: its preview says what changes of it"
    for database in one.databases:
        if database.standing == "adopted":
            yield f"database {code(database.shown)}: its data stays; its preview says which migrations are pending"


def data(one: EnvironmentChanges, report: Report) -> str:
    """What happens to the data of an environment, in one line; nothing where that is not known."""
    if not one.databases:
        return ""
    told = [text for database in one.databases if (text := _database(database))]
    still = [code(database.shown) for database in one.databases if not _database(database)]
    if still and told:
        told.append(f"{', '.join(still)} {'stays as it is' if len(still) == 1 else 'stay as they are'}")
    elif still:
        told.append("nothing: no migration is pending, and no database is made, replaced or deleted")
    stopped = bool(one.refusals or one.lint_errors or report.failed)
    when = f"{_WHEN[one.environment]}{', once what fails is mended' if stopped else ''}"
    return f"- **{one.environment}**, {when}: {'; '.join(told)}."


def _database(database: DatabaseChanges) -> str:
    shown, count = code(database.shown), len(database.pending)
    if database.standing == "adopted":
        return f"{shown} is taken over with its data"
    made = f"{shown} is made, empty" if database.standing == "new" else ""
    if not count:
        return made
    effects = "; ".join(dict.fromkeys(_effect(one) for one in database.pending))
    return f"{made or shown}{', then' if made else ' gets'} {_counted(count, 'migration', 'migrations')} ({effects})"


def _effect(one: Pending) -> str:
    if one.loses_rows:
        return f"**may delete rows of {', '.join(map(code, one.loses_rows))}**"
    if one.kind == "contract":
        return f"**takes away from {', '.join(map(code, one.tables)) or 'the schema'}**"
    if written(one):
        return f"writes rows of {', '.join(map(code, one.tables))}"
    return "adds to the schema, rows stay as they are" if one.kind == "expand" else "changes neither schema nor rows"


def rows(one: Pending) -> str:
    """What happens to rows that are there."""
    if one.loses_rows:
        return f"**may be lost in {', '.join(map(code, one.loses_rows))}**"
    verbs = ", ".join(map(code, written(one)))
    if one.kind == "contract":
        return f"**what is taken away is gone**{f'; {verbs}' if verbs else ''}"
    return f"written: {verbs}" if verbs else "stay as they are"


def written(one: Pending) -> tuple[str, ...]:
    """The kinds of statements that write rows."""
    return tuple(verb for verb in one.verbs if verb in _WRITES)


def limits(report: Report) -> Iterator[str]:
    """What this report does not know, in whole sentences."""
    for one in report.environments:
        if not one.is_known:
            yield f"{one.environment}: not compared, since nobody gave this report its last outputs."
    if any(one.environment == "production" and one.is_known and not one.previewed for one in report.environments):
        yield (
            "production: compared with the last release there, from plain outputs alone. Its secrets are compared by its own preview, "
            "before the approval of a promotion."
        )


def _counted(count: int, one: str, many: str) -> str:
    return f"{count} {one if count == 1 else many}"
