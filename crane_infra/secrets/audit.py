"""The secrets of both environments side by side: declared, in the source, on the worker, and whether the environments share a value. Pure.

Knows names, dates and fingerprints, and never a value.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

from crane_infra.config.catalog import Catalog, Secret
from crane_infra.config.environments import ENVIRONMENTS, Environment
from crane_infra.config.settings import KEY_NAME, SharedSecret
from crane_infra.errors import CraneError, LiveError, SecretError
from crane_infra.secrets.marks import marks_in_use

SAME, DIFFERENT, UNKNOWN = "same", "different", "unknown"


@dataclass(frozen=True)
class Side:
    """What is known of one environment. A part that is None could not be seen."""

    environment: Environment
    scripts: Mapping[str, str] = field(default_factory=dict)
    """The names at Cloudflare of the workers, by their names in the catalog."""
    source: str = ""
    """What the source of its secrets is called."""
    in_source: Mapping[str, str | None] | None = None
    """The keys that the source has, each with the moment of its last change where the source says it."""
    on_workers: Mapping[str, frozenset[str] | None] | None = None
    """By worker the names of the secrets that serve; None for a worker that is not there."""
    marks: Mapping[str, SharedSecret] = field(default_factory=dict)


@dataclass(frozen=True)
class Place:
    """One secret in one environment. None: it could not be seen."""

    in_source: bool | None
    on_worker: bool | None
    changed_on: str | None
    age_days: int | None


@dataclass(frozen=True)
class Row:
    """One declared secret of one worker."""

    worker: str
    binding: str
    key: str
    rule: str
    places: Mapping[str, Place]
    values: str
    """Whether both environments have the same value: ``same``, ``different`` or ``unknown``."""


@dataclass(frozen=True)
class Audit:
    """All rows, what is wrong, and what is worth knowing."""

    rows: tuple[Row, ...]
    findings: tuple[CraneError, ...]
    notes: tuple[str, ...]


def audit(catalog: Catalog, sides: Sequence[Side], fingerprints: Mapping[Environment, Mapping[str, str]], now: datetime) -> Audit:
    """Compare the catalog with these environments; ``fingerprints`` are those of both, by environment."""
    compared, shared = _compared(catalog, fingerprints), _shared(catalog, fingerprints)
    rows = [
        Row(
            name, secret.binding, secret.key, rule_of(secret), {side.environment: _place(side, name, secret, now) for side in sides}, values
        )
        for name, worker in catalog.workers.items()
        for secret in worker.secrets
        for values in [compared.get(secret.key, UNKNOWN)]
    ]
    marks = {key: mark for side in sides for key, mark in side.marks.items()}
    findings = [finding for side in sides for finding in _of_one(catalog, side)]
    findings += _of_both(catalog, compared, shared, marks, now.date())
    return Audit(tuple(rows), tuple(findings), tuple(marks_in_use(marks, shared, now.date())))


def rule_of(secret: Secret) -> str:
    """The rules of a secret in a few words."""
    rule = "distinct" if secret.distinct else "same" if secret.same else "may differ"
    return rule if secret.required else f"{rule}, optional"


def _place(side: Side, worker: str, secret: Secret, now: datetime) -> Place:
    changed_on = (side.in_source or {}).get(secret.key)
    live = (side.on_workers or {}).get(worker)
    return Place(
        None if side.in_source is None else secret.key in side.in_source,
        None if live is None else secret.binding in live,
        changed_on,
        _age(changed_on, now),
    )


def _age(changed_on: str | None, now: datetime) -> int | None:
    try:
        return (now - datetime.fromisoformat(changed_on)).days if changed_on else None
    except (TypeError, ValueError):
        return None


def _compared(catalog: Catalog, fingerprints: Mapping[Environment, Mapping[str, str]]) -> dict[str, str]:
    """By key, whether both environments have the same value, as far as their fingerprints can tell."""
    first, second = (fingerprints.get(environment, {}) for environment in ENVIRONMENTS)
    if not first or not second or first.get(KEY_NAME) != second.get(KEY_NAME):
        return {}
    keys = [secret.key for secret in catalog.secrets if secret.key in first and secret.key in second]
    return {key: SAME if first[key] == second[key] else DIFFERENT for key in keys}


def _shared(catalog: Catalog, fingerprints: Mapping[Environment, Mapping[str, str]]) -> frozenset[str]:
    """The distinct secrets of one environment whose value the other one has, under whatever key. Under different keys nothing is shared."""
    first, second = (fingerprints.get(environment, {}) for environment in ENVIRONMENTS)
    return frozenset(
        secret.key
        for secret in catalog.secrets
        if secret.distinct and (first.get(secret.key) in second.values() or second.get(secret.key) in first.values())
    )


def _of_one(catalog: Catalog, side: Side) -> Iterator[CraneError]:
    if side.in_source is not None:
        required = [secret.key for secret in catalog.secrets if secret.required]
        if missing := [key for key in required if key not in side.in_source]:
            yield SecretError(side.source, f"does not have the required secrets {', '.join(missing)}", "Set them there: docs/secrets.md")
    for name, live in (side.on_workers or {}).items():
        if live is None:
            continue
        where = f"worker {side.scripts[name]}"
        declared = catalog.workers[name].secrets
        if undeclared := sorted(live - {secret.binding for secret in declared}):
            todo = "Declare what is needed in crane_infra/catalog.py; pulumi up removes the rest"
            yield LiveError(where, f"has secrets that nobody declared: {', '.join(undeclared)}", todo)
        if absent := sorted({secret.binding for secret in declared if secret.required} - live):
            yield LiveError(where, f"lacks required secrets: {', '.join(absent)}", f"pulumi up -s {side.environment} sets them")


def _of_both(
    catalog: Catalog, compared: Mapping[str, str], shared: frozenset[str], marks: Mapping[str, SharedSecret], today: date
) -> Iterator[CraneError]:
    for secret in catalog.secrets:
        values, mark = compared.get(secret.key), marks.get(secret.key)
        if secret.key in shared and mark is None:
            yield SecretError(secret.key, "has the same value in both environments", "Give each environment its own value")
        if secret.key in shared and mark is not None and today > mark.until:
            what = f"is shared by both environments, and might be until {mark.until.isoformat()} only ({mark.reason})"
            yield SecretError(secret.key, what, "Give each environment its own value, or set a later day at shared-secrets")
        if secret.same and values == DIFFERENT:
            yield SecretError(secret.key, "has different values, and both must be the same", "Set the same value for both environments")
