"""How ``crane migrations`` says what it found: for people, and as JSON. Pure."""

from collections.abc import Sequence
from typing import Any

from crane_infra.migrations.drift import Drift
from crane_infra.migrations.judgement import Judgement
from crane_infra.migrations.lint.judge import Examined


def status(one: Judgement) -> str:
    """Where a ledger stands, and the names of what is pending."""
    return "\n".join([_head(one), *(f"  pending  {file.name}" for file in one.plan.pending), *_refused(one)])


def plan(one: Judgement) -> str:
    """What a run would do with each pending file."""
    lines = [_head(one), *(f"  take over  {file.name}, applied by wrangler" for file in one.plan.adopt)]
    for own in one.examined:
        lines.append(f"  apply  {own.file.name}  {own.kind}  {own.file.sha256[:12]}{_list('tables', own.tables)}")
        lines += ["    goes through import, which blocks the database meanwhile"] if own.file.needs_import else []
        lines += [f"    counts the rows of {count.label} before and after" for count in own.counts]
        lines += [f"    {finding.level}: {finding}" for finding in own.findings]
    return "\n".join([*lines, *_refused(one)])


def lint(examined: Sequence[Examined]) -> str:
    """Each finding on a line, and how many there are."""
    findings = [finding for one in examined for finding in one.findings]
    errors = sum(finding.level == "error" for finding in findings)
    lines = [f"{finding.level}: {finding}" for finding in findings]
    return "\n".join([*lines, f"{len(examined)} files: {errors} errors, {len(findings) - errors} warnings"])


def drift(one: Drift) -> str:
    """Whether both schemas are the same, and the diff if not."""
    return f"{one.database}: its schema differs\n{one.diff}" if one.diff else f"{one.database}: its schema is what its migrations make"


def status_as_json(one: Judgement) -> dict[str, Any]:
    """The same as ``status``."""
    return {
        "database": one.database,
        "head": one.ledger.head.name,
        "applied": len(one.ledger.entries),
        "pending": [file.name for file in one.plan.pending],
        "taken_over_next": [file.name for file in one.plan.adopt],
        "refusal": None if one.refusal is None else str(one.refusal),
    }


def plan_as_json(one: Judgement) -> dict[str, Any]:
    """The same as ``plan``."""
    return {**status_as_json(one), "pending": [examined_as_json(own) for own in one.examined]}


def examined_as_json(one: Examined) -> dict[str, Any]:
    """One pending file."""
    return {
        "name": one.file.name,
        "path": one.file.path,
        "class": one.kind,
        "sha256": one.file.sha256,
        "tables": list(one.tables),
        "may_lose_rows": list(one.loses_rows),
        "counts": [count.label for count in one.counts],
        "import": one.file.needs_import,
        "findings": [
            {"statement": own.statement, "rule": own.rule, "level": own.level, "what": own.what, "todo": own.todo} for own in one.findings
        ],
    }


def drift_as_json(one: Drift) -> dict[str, Any]:
    """The same as ``drift``."""
    return {"database": one.database, "as_expected": not one.objects, "differs": one.objects, "diff": one.diff}


def _head(one: Judgement) -> str:
    return f"{one.database}: {len(one.ledger.entries)} applied, up to {one.ledger.head.name or 'none'}; {len(one.plan.pending)} pending"


def _refused(one: Judgement) -> list[str]:
    return [f"  refused  {one.refusal}"] if one.refusal else []


def _list(name: str, values: Sequence[str]) -> str:
    return f"  {name} {', '.join(values)}" if values else ""
