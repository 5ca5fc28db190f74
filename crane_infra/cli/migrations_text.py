"""The output of ``crane migrations``, as text and as JSON. Pure."""

import json
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from crane_infra.counted import counted

if TYPE_CHECKING:  # lint of files imports neither
    from crane_infra.commands.class_migrations import ClassesOfWorker
    from crane_infra.migrations.drift import Drift
    from crane_infra.migrations.judgement import Judgement
    from crane_infra.migrations.lint.judge import Examined


def listed(stack: str, databases: Iterable[str | dict[str, Any]]) -> str:
    """What is shown of each database, one after the other, or as one JSON object."""
    shown = list(databases)
    as_text = all(isinstance(database, str) for database in shown)
    return "\n".join(map(str, shown)) if as_text else json.dumps({"stack": stack, "databases": shown}, indent=2)


def status(judgement: "Judgement") -> str:
    """What is applied to a database, and the names of the pending migrations."""
    return "\n".join([_head(judgement), *(f"  pending  {file.name}" for file in judgement.plan.pending), *_refused(judgement)])


def plan(judgement: "Judgement") -> str:
    """What an update would do with each pending file; what stops it is said once, at the end."""
    stops = {str(error) for error in judgement.refusal.errors} if judgement.refusal else set()
    lines = [_head(judgement), *(f"  import  {file.name}, applied by wrangler" for file in judgement.plan.adopt)]
    for examined in judgement.examined:
        file = examined.file
        lines.append(f"  apply  {file.name}  {examined.kind}  {file.sha256[:12]}{_list('tables', examined.tables)}")
        lines += ["    runs through D1's import, which blocks the database until it is done"] if file.needs_import else []
        lines += [f"    counts the rows of {count.label} before and after" for count in examined.counts]
        lines += [f"    {finding.level}: {finding}" for finding in examined.findings if str(finding.error()) not in stops]
    lines += [f"  {line}" for line in judgement.costs]
    return "\n".join([*lines, *_refused(judgement)])


def classes(worker: "ClassesOfWorker") -> str:
    """The Durable Object migrations that an update would send with the next version of a worker."""
    lines = [f"{worker.script}: Durable Object migrations up to {worker.live or 'none'}; {len(worker.pending)} pending"]
    lines += [f"  apply  {step.tag}  {step.summary}" for step in worker.pending]
    lines += ["    the version gets all traffic at once, untried, and crane rollback cannot go back past it"] if worker.pending else []
    return "\n".join([*lines, *([f"  refused  {worker.refusal}"] if worker.refusal else [])])


def lint(examined: "Sequence[Examined]") -> str:
    """Each finding on a line, then the number of files, errors and warnings."""
    findings = [finding for file in examined for finding in file.findings]
    errors = sum(finding.level == "error" for finding in findings)
    lines = [f"{finding.level}: {finding}" for finding in findings]
    return "\n".join(
        [*lines, f"{counted(len(examined), 'file')}: {counted(errors, 'error')}, {counted(len(findings) - errors, 'warning')}"]
    )


def drift(comparison: "Drift") -> str:
    """Whether both schemas are the same, and the diff if not."""
    if comparison.diff:
        return f"{comparison.database}: its schema differs from its migrations\n{comparison.diff}"
    return f"{comparison.database}: its schema matches its migrations"


def status_as_json(judgement: "Judgement") -> dict[str, Any]:
    """The same as ``status``."""
    return {
        "database": judgement.database,
        "head": judgement.ledger.head.name,
        "applied": len(judgement.ledger.entries),
        "pending": [file.name for file in judgement.plan.pending],
        "taken_over_next": [file.name for file in judgement.plan.adopt],
        "refusal": None if judgement.refusal is None else str(judgement.refusal),
    }


def plan_as_json(judgement: "Judgement") -> dict[str, Any]:
    """The same as ``plan``."""
    pending = [examined_as_json(examined) for examined in judgement.examined]
    return {**status_as_json(judgement), "pending": pending, "costs": list(judgement.costs)}


def classes_as_json(worker: "ClassesOfWorker") -> dict[str, Any]:
    """The same as ``classes``."""
    return {
        "worker": worker.script,
        "live": worker.live,
        "pending": [step.form() for step in worker.pending],
        "refusal": None if worker.refusal is None else str(worker.refusal),
    }


def examined_as_json(examined: "Examined") -> dict[str, Any]:
    """One pending file."""
    return {
        "name": examined.file.name,
        "path": examined.file.path,
        "class": examined.kind,
        "sha256": examined.file.sha256,
        "tables": list(examined.tables),
        "may_lose_rows": list(examined.loses_rows),
        "counts": [count.label for count in examined.counts],
        "import": examined.file.needs_import,
        "findings": [
            {"statement": finding.statement, "rule": finding.rule, "level": finding.level, "what": finding.what, "todo": finding.todo}
            for finding in examined.findings
        ],
    }


def drift_as_json(comparison: "Drift") -> dict[str, Any]:
    """The same as ``drift``."""
    return {
        "database": comparison.database,
        "as_expected": not comparison.objects,
        "differs": comparison.objects,
        "diff": comparison.diff,
    }


def _head(judgement: "Judgement") -> str:
    ledger, pending = judgement.ledger, len(judgement.plan.pending)
    return f"{judgement.database}: {len(ledger.entries)} applied, up to {ledger.head.name or 'none'}; {pending} pending"


def _refused(judgement: "Judgement") -> list[str]:
    return [f"  refused  {error}" for error in judgement.refusal.errors] if judgement.refusal else []


def _list(name: str, values: Sequence[str]) -> str:
    return f"  {name} {', '.join(values)}" if values else ""
