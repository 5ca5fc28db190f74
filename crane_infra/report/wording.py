"""The sentences of the comment that depend on the report. Pure.

A term of ours, such as contract, never stands alone where somebody has to judge what happens to the data.
"""

from collections.abc import Iterable, Iterator

from crane_infra.counted import counted
from crane_infra.report.markdown import code
from crane_infra.report.model import DatabaseChanges, EnvironmentChanges, Pending, Report

_WRITES = ("INSERT", "REPLACE", "UPDATE", "DELETE", "WITH")
_MOST_NAMES = 8
_WHEN = {"staging": "after the merge", "production": "when this release is promoted"}
KINDS = {"expand": "expand: adds", "contract": "**contract: removes**", "data": "data: writes rows", "none": "none"}
TABLE_KINDS = {"expand": "adds", "contract": "**removes**", "data": "writes rows", "none": "none"}
ONLY_LOSES = "**may lose rows**"
STANDINGS = {"new": "**new**", "adopted": "**adopted**, its code is replaced", "kept": "unchanged"}


def headline(report: Report) -> str:
    """What the release does, in a few words."""
    if report.digest is None:
        return "These files do not make up a release"
    release = f"Release {code(report.digest[:12])}"
    if not any(environment.workers or environment.databases for environment in report.environments):
        return release
    databases = [database for environment in report.environments for database in environment.databases]
    migrations = {(database.name, pending.name) for database in databases for pending in database.pending}
    workers = [worker for environment in report.environments for worker in environment.workers]
    changed = {worker.name for worker in workers if worker.changes or worker.standing != "kept"}
    changing = f"{counted(len(changed), 'worker')} change{'s' if len(changed) == 1 else ''}" if changed else "no worker changes"
    return f"{release}: {changing}, {counted(len(migrations), 'migration') if migrations else 'no migration'}"


def gate(report: Report) -> Iterator[str]:
    """The verdict of the production gate, and whether it is to be expected here."""
    if report.gate is None:
        yield "**Production gate:** no verdict, because there is no release or staging's last outputs are unknown."
    elif report.gate.is_open:
        yield f"**Production gate:** open. {code(report.gate.message)}"
    elif report.gate.promotes:
        yield "**Production gate:** closed, so this release cannot be promoted."
    elif report.gate.proven:
        yield f"**Production gate:** closed, although staging has proven this release. {code(report.gate.message)}"
    else:
        yield "**Production gate:** not proven yet, which is normal in a pull request: staging proves the release after the merge."
        yield f"The gate says: {code(report.gate.message)}"


def gate_note(report: Report) -> str:
    """What whoever approves should know although the gate is open, as an alert; mostly empty."""
    return f"> [!WARNING]\n> {code(report.gate.note)}" if report.gate and report.gate.note else ""


def adopted(environment: EnvironmentChanges) -> Iterator[str]:
    """What will be adopted, in an environment that no preview has looked at."""
    for worker in environment.workers:
        if worker.standing == "adopted":
            yield f"worker {code(worker.script)}: its own preview shows what changes"
    for database in environment.databases:
        if database.standing == "adopted":
            yield f"database {code(database.shown)}: its data stays; its own preview shows the pending migrations"


def data(environment: EnvironmentChanges, report: Report) -> str:
    """What happens to the data of an environment, in one line; empty where that is unknown."""
    when = f"- **{environment.environment}**, {_WHEN[environment.environment]}"
    if environment.losses:
        return f"{when}: **{'; '.join(map(code, environment.losses))}**."
    changes = [text for database in environment.databases if (text := _database(database))]
    if environment.refusals and not changes:
        return f"{when}: nothing, because a run stops before it touches any data."
    if not environment.databases:
        return ""
    unchanged = [code(database.shown) for database in environment.databases if not _database(database)]
    if unchanged and changes:
        changes.append(f"{', '.join(unchanged)} {'does' if len(unchanged) == 1 else 'do'} not change")
    elif unchanged:
        changes.append("nothing: no migration is pending, and no database is created, replaced or deleted")
    stopped = bool(environment.refusals or environment.lint_errors or report.failed)
    return f"{when}{', once the failures are fixed' if stopped else ''}: {'; '.join(changes)}."


def _database(database: DatabaseChanges) -> str:
    shown, count = code(database.shown), len(database.pending)
    beginning = {"new": f"{shown} is created empty", "adopted": f"{shown} is adopted with its data"}.get(database.standing, "")
    if not count:
        return beginning
    effects = "; ".join(dict.fromkeys(map(_effect, database.pending)))
    return f"{beginning or shown}{', then' if beginning else ' gets'} {counted(count, 'migration')} ({effects})"


def _effect(pending: Pending) -> str:
    effects = [f"**may delete rows of {listed(pending.loses_rows)}**"] if pending.loses_rows else []
    if pending.kind == "contract":
        effects.append(f"**removes from {listed(pending.tables_of('contract')) or 'the schema'}**")
    if verbs := written(pending):
        effects.append(_emphasized(f"{_does(verbs)} rows of {listed(pending.tables_of('data')) or 'the schema'}", verbs))
    if effects:
        return ", ".join(effects)
    if pending.kind != "expand":
        return "changes neither schema nor rows"
    drops = any(verb.startswith("DROP") for verb in pending.verbs)
    return f"{'changes the schema and removes nothing from a table' if drops else 'adds to the schema'}, rows stay as they are"


def _does(verbs: tuple[str, ...]) -> str:
    return "deletes or changes" if _deletes(verbs) else "changes" if "UPDATE" in verbs else "adds"


def _deletes(verbs: tuple[str, ...]) -> bool:
    """Whether any of the statements may delete rows. Any of them may begin with WITH."""
    return bool({"DELETE", "REPLACE", "WITH"}.intersection(verbs))


def _emphasized(text: str, verbs: tuple[str, ...]) -> str:
    return f"**{text}**" if _deletes(verbs) else text


def rows(pending: Pending) -> str:
    """What happens to existing rows."""
    effects = [f"**may be lost in {listed(pending.loses_rows)}**"] if pending.loses_rows else []
    effects += ["**what is removed is lost**"] if pending.kind == "contract" else []
    verbs = written(pending)
    effects += [_emphasized({"adds": "added", "changes": "changed"}.get(_does(verbs), "deleted or changed"), verbs)] if verbs else []
    return "; ".join(effects) or "stay as they are"


def counted_rows(environment: EnvironmentChanges) -> Iterator[str]:
    """A line for each file and table whose rows the preview counted."""
    for database in environment.databases:
        for each in database.costs:
            size = "too many rows to count them" if each.size is None else counted(each.size, "row")
            effects = ", ".join(_counted_effect(what, rows) for what, rows in each.effects)
            yield f"- **{environment.environment}**, {code(each.file, 120)}: {code(each.table)} has {size}: {effects}"


def _counted_effect(what: str, rows: int | None) -> str:
    """How many rows something happens to; bold where they are lost or refused, and not only changed."""
    if rows is None:
        return code(what)
    text = code(f"{rows:,} {what}")
    return f"**{text}**" if rows and not what.startswith("changed") else text


def tables(pending: Pending) -> str:
    """The tables that it touches, each with what happens to it where that is not the same for all."""
    kinds = dict(pending.table_kinds)
    if len(set(kinds.values())) <= 1:
        return listed(pending.tables)
    lines = [f"{code(table)}: {', '.join(map(TABLE_KINDS.__getitem__, kinds.get(table, ()))) or ONLY_LOSES}" for table in pending.tables]
    more = [f"{len(lines) - _MOST_NAMES} more"] if len(lines) > _MOST_NAMES else []
    return "; ".join([*lines[:_MOST_NAMES], *more])


def written(pending: Pending) -> tuple[str, ...]:
    """The kinds of statements that write rows."""
    return tuple(verb for verb in pending.verbs if verb in _WRITES)


def limits(report: Report) -> Iterator[str]:
    """What this report does not know, in whole sentences."""
    for environment in report.environments:
        if not environment.is_known:
            yield f"{environment.environment}: not compared, because this report was not given its last outputs."
    if any(one.environment == "production" and one.is_known and not one.previewed for one in report.environments):
        yield (
            "production: compared with its last release, using plain outputs only. Its own preview compares the secrets, before a promotion "
            "is approved."
        )


def listed(names: Iterable[str]) -> str:
    """The first few names, as code."""
    every = list(names)
    more = [f"{len(every) - _MOST_NAMES} more"] if len(every) > _MOST_NAMES else []
    return ", ".join([*map(code, every[:_MOST_NAMES]), *more])
