"""Files, settings, previews and last outputs in, the report out. Pure: whoever calls it has read everything.

Production's part needs no secret: it compares with the stack's plain outputs, so that the code of a pull request never runs beside
production's passphrase.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime

from crane_infra.config.catalog import Catalog
from crane_infra.config.consistency import require_consistent, require_nothing_lost
from crane_infra.config.environments import ENVIRONMENTS, Environment
from crane_infra.config.settings import Settings
from crane_infra.errors import CraneError
from crane_infra.migrations.files.names import listed
from crane_infra.release.gate import verdict_for
from crane_infra.release.outputs import StackOutputs
from crane_infra.release.rollback import require_meant
from crane_infra.release.schemas import schema_files_of
from crane_infra.report.databases import database_changes
from crane_infra.report.engine import STASH, one_line
from crane_infra.report.ledgers import known_ledger
from crane_infra.report.model import DatabaseChanges, EnvironmentChanges, Gate, Report
from crane_infra.report.side import Side
from crane_infra.report.sizes import sizes_of
from crane_infra.report.workers import DeclaredEnvironment, comparable, worker_changes


def make_report(catalog: Catalog, sides: Mapping[Environment, Side], failed: tuple[str, ...], now: datetime) -> Report:
    """The report on both environments. ``failed`` is what a preview that failed printed besides its JSON.

    Raises ReportError where a preview was made from other files than these.
    """
    for side in sides.values():
        side.require_same_files()
    release = sides["production"].files.release
    sizes = {sha256: size for side in sides.values() for sha256, size in sizes_of(side.files, side.preview).items()}
    # A promotion is about production; staging's outputs are there for the gate.
    promotes = sides["production"].preview is not None and sides["staging"].preview is None
    reported = ("production",) if promotes else ENVIRONMENTS
    environments = tuple(_environment(catalog, sides[environment], sizes) for environment in reported)
    return Report(None if release is None else release.digest, _gate(sides, now), environments, failed)


def _gate(sides: Mapping[Environment, Side], now: datetime) -> Gate | None:
    production, staging = sides["production"], sides["staging"]
    settings, release = production.settings, production.files.release
    if isinstance(settings, CraneError) or release is None or not staging.is_known:
        return None
    last = staging.outputs or StackOutputs()
    verdict = verdict_for(settings, release, last.raw, production.outputs.raw if production.outputs else None, now)
    proven = any(proof.digest == release.digest for proof in last.proofs)
    return Gate(verdict.is_open, verdict.summary, verdict.note, promotes=production.preview is not None, proven=proven)


def _environment(catalog: Catalog, side: Side, sizes: Mapping[str, int]) -> EnvironmentChanges:
    preview, recorded = side.preview, side.recorded
    refusals = list(preview.errors) if preview else []
    losses = preview.losses if preview else ()
    if isinstance(side.settings, CraneError):
        return EnvironmentChanges(side.environment, refusals=_once([*refusals, str(side.settings)]), losses=losses)
    refusals += recorded.refusals if recorded else ()
    consistent = _refused(refusals, lambda: require_consistent(catalog, _settings(side), side.others))
    last = side.outputs or StackOutputs()
    _refused(refusals, lambda: last.require_newest(side.environment))
    _refused(refusals, lambda: require_nothing_lost(last.declared, _settings(side)))
    refusals += side.files.refusals
    _refused(refusals, lambda: _require_meant(side))
    databases, more = _databases(side, side.settings, last) if side.is_known else ((), ())
    declared = DeclaredEnvironment(side.files.catalog, side.settings, side.files.manifest, _fingerprints(side, last), sizes)
    workers = worker_changes(declared, last) if consistent and side.is_known else ()
    return EnvironmentChanges(
        environment=side.environment,
        workers=workers,
        databases=databases,
        refusals=_once([*refusals, *more]),
        losses=losses,
        adoptions=_adoptions(side, side.settings),
        notes=tuple(_notes(side, last)),
        is_known=side.is_known,
        previewed=preview is not None,
    )


def _settings(side: Side) -> Settings:
    if isinstance(side.settings, CraneError):
        raise side.settings
    return side.settings


def _refused(refusals: list[str], ask: Callable[[], None]) -> bool:
    """Whether ``ask`` passes; its refusal is kept."""
    try:
        ask()
    except CraneError as error:
        refusals.append(str(error))
        return False
    return True


def _once(texts: list[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(texts))


def _require_meant(side: Side) -> None:
    """Require that a rollback names the release of these files. Staging knows which commit that is, but that is only a hint."""
    if side.files.release is not None:
        require_meant(_settings(side), side.files.release, {})


def _fingerprints(side: Side, last: StackOutputs) -> Mapping[str, str] | None:
    """Those that a preview computed; the last ones where it leaves the release as it is; None where no preview has read the secrets."""
    if side.preview is None or side.preview.errors:
        return None
    step = side.preview.step(STASH, "release")
    if step is None:
        return last.fingerprints
    environment = step.part("input").get("environment")
    secrets = environment.get("secrets") if isinstance(environment, dict) else None
    return {str(name): str(value) for name, value in secrets.items()} or None if isinstance(secrets, dict) else None


def _databases(side: Side, settings: Settings, last: StackOutputs) -> tuple[tuple[DatabaseChanges, ...], tuple[str, ...]]:
    migrations = {name: files for name, files in side.files.migrations.items() if name in settings.databases}
    schemas = {name: schema_files_of(settings, name, files, side.files.bases.get(name)) for name, files in migrations.items()}
    unused = {name for name, database in (side.recorded.databases or {}).items() if not database.in_use} if side.recorded else set[str]()
    schemas |= {name: replace(schemas[name], in_use=False) for name in unused & schemas.keys()}
    ledgers = {name: ledger for name in schemas if (ledger := known_ledger(side, settings, last, name)) is not None}
    # A database whose ledger has migrations is there; an update that failed leaves no output of it.
    known = {*last.databases, *(name for name, ledger in ledgers.items() if ledger.entries and not settings.databases[name].adopt)}
    changes, refusals = database_changes(settings, schemas, ledgers, known)
    counted = {name: database.costs for name, database in (side.recorded.databases or {}).items()} if side.recorded else {}
    return tuple(replace(change, costs=counted.get(change.name, ())) for change in changes), refusals


def _adoptions(side: Side, settings: Settings) -> tuple[str, ...]:
    """What the preview adopts: workers and databases, and the migrations that are imported from wrangler."""
    if side.recorded is None:
        return ()
    imports = tuple(
        f"{settings.databases[name].name}: imports from wrangler: {listed(database.imports)}"
        for name, database in (side.recorded.databases or {}).items()
        if database.imports and name in settings.databases
    )
    return (*map(str, side.recorded.adoptions), *imports)


def _notes(side: Side, last: StackOutputs) -> list[str]:
    """What the preview printed that its record does not hold, and what could not be compared."""
    shown_elsewhere = {one_line(text) for text in side.recorded.logged} if side.recorded else set[str]()
    notes = [text for text in (side.preview.messages if side.preview else ()) if text not in shown_elsewhere]
    if side.record_gap:
        notes.append(side.record_gap)
    fingerprints = _fingerprints(side, last)
    if fingerprints is not None and not comparable(last.fingerprints, fingerprints):
        notes.append("fingerprint-key differs from that of the last release, so this report cannot tell which secrets changed")
    return notes
