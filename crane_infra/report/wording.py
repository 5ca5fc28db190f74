"""The sentences of the comment that are chosen, not only filled in. Pure.

Prevents a word of ours, such as contract, from standing alone where somebody has to judge what happens to the data.
"""

from collections.abc import Iterable, Iterator

from crane_infra.report.markdown import code
from crane_infra.report.model import DatabaseChanges, EnvironmentChanges, Pending, Report

_WRITES = ("INSERT", "REPLACE", "UPDATE", "DELETE", "WITH")
_MOST_NAMES = 8
_WHEN = {"staging": "after the merge", "production": "when this release is promoted"}
KINDS = {"expand": "expand: adds", "contract": "**contract: takes away**", "data": "data: writes rows", "none": "none"}
STANDINGS = {"new": "**new**", "adopted": "**taken over**, its code is replaced", "kept": "as it is"}


def headline(report: Report) -> str:
    """What the release does, in a few words."""
    if report.digest is None:
        return "These files do not make a release"
    release = f"Release {code(report.digest[:12])}"
    if not any(each.workers or each.databases for each in report.environments):
        return release
    migrations = {(database.name, one.name) for each in report.environments for database in each.databases for one in database.pending}
    workers = {worker.name for each in report.environments for worker in each.workers if worker.changes or worker.standing != "kept"}
    changing = f"{counted(len(workers), 'worker')} change{'s' if len(workers) == 1 else ''}" if workers else "no worker changes"
    return f"{release}: {changing}, {counted(len(migrations), 'migration') if migrations else 'no migration'}"


def gate(report: Report) -> Iterator[str]:
    """The verdict, and whether it is what one expects here."""
    if report.gate is None:
        yield "**Production gate:** no verdict, for want of a release or of staging's last outputs."
    elif report.gate.is_open:
        yield f"**Production gate:** open. {code(report.gate.said)}"
    elif report.gate.promotes:
        yield "**Production gate:** closed, so this release cannot be promoted."
    elif report.gate.proven:
        yield f"**Production gate:** closed, although staging has proven this release. {code(report.gate.said)}"
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
    when = f"- **{one.environment}**, {_WHEN[one.environment]}"
    if one.losses:
        return f"{when}: **{'; '.join(map(code, one.losses))}**."
    told = [text for database in one.databases if (text := _database(database))]
    if one.refusals and not told:
        return f"{when}: nothing, since a run stops before it touches any data."
    if not one.databases:
        return ""
    still = [code(database.shown) for database in one.databases if not _database(database)]
    if still and told:
        told.append(f"{', '.join(still)} {'stays as it is' if len(still) == 1 else 'stay as they are'}")
    elif still:
        told.append("nothing: no migration is pending, and no database is made, replaced or deleted")
    stopped = bool(one.refusals or one.lint_errors or report.failed)
    return f"{when}{', once what fails is mended' if stopped else ''}: {'; '.join(told)}."


def _database(database: DatabaseChanges) -> str:
    shown, count = code(database.shown), len(database.pending)
    made = {"new": f"{shown} is made, empty", "adopted": f"{shown} is taken over with its data"}.get(database.standing, "")
    if not count:
        return made
    effects = "; ".join(dict.fromkeys(_effect(one) for one in database.pending))
    return f"{made or shown}{', then' if made else ' gets'} {counted(count, 'migration')} ({effects})"


def _effect(one: Pending) -> str:
    told = [f"**may delete rows of {listed(one.loses_rows)}**"] if one.loses_rows else []
    own = listed(table for table in one.tables if table not in one.loses_rows) or "the schema"
    if one.kind == "contract":
        told.append(f"**takes away from {own}**")
    if verbs := written(one):
        told.append(_emphasized(f"{_does(verbs)} rows of {own}", verbs))
    if told:
        return ", ".join(told)
    if one.kind != "expand":
        return "changes neither schema nor rows"
    changes = (
        "changes the schema and takes nothing from a table" if any(verb.startswith("DROP") for verb in one.verbs) else "adds to the schema"
    )
    return f"{changes}, rows stay as they are"


def _does(verbs: tuple[str, ...]) -> str:
    return "deletes or changes" if _deletes(verbs) else "changes" if "UPDATE" in verbs else "adds"


def _deletes(verbs: tuple[str, ...]) -> bool:
    """WITH may begin any of them."""
    return bool({"DELETE", "REPLACE", "WITH"}.intersection(verbs))


def _emphasized(text: str, verbs: tuple[str, ...]) -> str:
    return f"**{text}**" if _deletes(verbs) else text


def rows(one: Pending) -> str:
    """What happens to rows that are there."""
    told = [f"**may be lost in {listed(one.loses_rows)}**"] if one.loses_rows else []
    told += ["**what is taken away is gone**"] if one.kind == "contract" else []
    verbs = written(one)
    told += [_emphasized({"adds": "added", "changes": "changed"}.get(_does(verbs), "deleted or changed"), verbs)] if verbs else []
    return "; ".join(told) or "stay as they are"


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


def listed(names: Iterable[str]) -> str:
    """Names as code, the first few."""
    every = list(names)
    more = [f"{len(every) - _MOST_NAMES} more"] if len(every) > _MOST_NAMES else []
    return ", ".join([*map(code, every[:_MOST_NAMES]), *more])


def counted(count: int, one: str) -> str:
    """A number of things, in the plural where it takes one."""
    return f"{count} {one}{'' if count == 1 else 's'}"
