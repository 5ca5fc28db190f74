"""Files, settings, previews and last outputs in, the report out. Pure: whoever calls it has read everything.

Production's part needs no secret: it compares with the stack's plain outputs. Prevents the code of a pull request from having to run beside
production's passphrase only so that a reviewer sees what would change there.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from crane_infra.config.catalog import Catalog
from crane_infra.config.consistency import require_consistent, require_nothing_lost
from crane_infra.config.settings import ENVIRONMENTS, Environment, Settings
from crane_infra.errors import WOULD_REFUSE, CraneError, ReportError
from crane_infra.migrations.ledger import Ledger
from crane_infra.migrations.pending_line import UNSEEN, pending_in, takes_over
from crane_infra.release.gate import verdict_for
from crane_infra.release.outputs import StackOutputs, ledger_of, migrations_in, read_outputs
from crane_infra.release.rollback import require_meant
from crane_infra.release.schemas import schema_files_of
from crane_infra.report.databases import database_changes
from crane_infra.report.engine import STASH, VERSION, Preview, one_line
from crane_infra.report.files import Files
from crane_infra.report.model import DatabaseChanges, EnvironmentChanges, Gate, Report
from crane_infra.report.sizes import sizes_of
from crane_infra.report.workers import Wanted, comparable, worker_changes

_GATE = "production gate "
_ADOPTS = "adopts "


@dataclass(frozen=True)
class Side:
    """What was read for one environment.

    ``settings`` are an error where a run would refuse them; ``others`` the databases of the other environments (consistency.neighbours);
    ``outputs`` are the last ones, None where nobody gave them; ``preview`` is the engine's, if it was run here.
    """

    settings: Settings | CraneError
    files: Files
    others: Mapping[str, Mapping[str, Any]]
    outputs: Mapping[str, Any] | None
    preview: Preview | None = None

    @property
    def is_known(self) -> bool:
        """Whether there is anything to compare with."""
        return self.outputs is not None


def make_report(catalog: Catalog, sides: Mapping[Environment, Side], failed: tuple[str, ...], now: datetime) -> Report:
    """The report on both environments. ``failed`` is what a preview that did not end well said besides its JSON.

    Raises ReportError where a preview was made from other files than these.
    """
    for side in sides.values():
        _require_same_files(side)
    release = sides["production"].files.release
    sizes = {sha256: size for side in sides.values() for sha256, size in sizes_of(side.files, side.preview).items()}
    # A promotion is about production; staging's outputs are there for the gate.
    promotes = sides["production"].preview is not None and sides["staging"].preview is None
    told = ("production",) if promotes else ENVIRONMENTS
    environments = tuple(_environment(catalog, environment, sides[environment], sizes) for environment in told)
    return Report(None if release is None else release.digest, _gate(sides, now), environments, failed)


def _require_same_files(side: Side) -> None:
    workers = side.files.manifest["workers"]
    for step in side.preview.steps if side.preview else ():
        tag = (step.new.get("annotations") or {}).get("workersTag") if step.type == VERSION else None
        if tag and step.name in workers and tag != workers[step.name]["digest"]:
            what = f"the preview is of {tag[:12]}, the files are {workers[step.name]['digest'][:12]}"
            raise ReportError(f"worker {step.name}", what, "Run pulumi preview and this in the same checkout")


def _gate(sides: Mapping[Environment, Side], now: datetime) -> Gate | None:
    production, staging = sides["production"], sides["staging"]
    settings, release = production.settings, production.files.release
    if isinstance(settings, CraneError) or release is None or not staging.is_known:
        return None
    verdict = verdict_for(settings, release, staging.outputs, now)
    said = f"production gate open: {verdict.reason}" if verdict.is_open else str(verdict.error())
    proven = any(proof.digest == release.digest for proof in read_outputs(staging.outputs).proofs)
    return Gate(verdict.is_open, said, promotes=production.preview is not None, proven=proven)


def _environment(catalog: Catalog, environment: Environment, side: Side, sizes: Mapping[str, int]) -> EnvironmentChanges:
    preview = side.preview
    refusals = list(preview.errors) if preview else []
    losses = preview.losses if preview else ()
    if isinstance(side.settings, CraneError):
        return EnvironmentChanges(environment, refusals=_once([*refusals, str(side.settings)]), losses=losses)
    said = [text.removesuffix(WOULD_REFUSE).rstrip() for text in preview.messages if text.endswith(WOULD_REFUSE)] if preview else []
    refusals += [text for text in said if not text.startswith(_GATE)]
    consistent = _refused(refusals, lambda: require_consistent(catalog, _settings(side), side.others))
    last = read_outputs(side.outputs)
    _refused(refusals, lambda: require_nothing_lost(last.declared, _settings(side)))
    refusals += side.files.refusals
    _refused(refusals, lambda: _require_meant(side))
    databases, more = _databases(side, side.settings, last) if side.is_known else ((), ())
    wanted = Wanted(side.files.catalog, side.settings, side.files.manifest, _fingerprints(side, last), sizes)
    workers = worker_changes(wanted, last) if consistent and side.is_known else ()
    return EnvironmentChanges(
        environment=environment,
        workers=workers,
        databases=databases,
        refusals=_once([*refusals, *more]),
        losses=losses,
        adoptions=_adoptions(preview),
        notes=tuple(_notes(side, last, preview, databases)),
        is_known=side.is_known,
        previewed=preview is not None,
    )


def _settings(side: Side) -> Settings:
    if isinstance(side.settings, CraneError):
        raise side.settings
    return side.settings


def _refused(refusals: list[str], ask: Callable[[], None]) -> bool:
    """Whether a question found nothing; what it found is kept."""
    try:
        ask()
    except CraneError as error:
        refusals.append(str(error))
        return False
    return True


def _once(texts: list[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(texts))


def _require_meant(side: Side) -> None:
    """A rollback names the release of these files; which proof has its commit is known to staging, and only a hint."""
    if side.files.release is not None:
        require_meant(_settings(side), side.files.release, {})


def _fingerprints(side: Side, last: StackOutputs) -> Mapping[str, str] | None:
    """Those that a preview computed; the last ones where its record stays as it is; None where nobody has looked at the secrets."""
    if side.preview is None or side.preview.errors:
        return None
    step = side.preview.step(STASH, "release")
    if step is None:
        return last.fingerprints
    environment = (step.new.get("input") or {}).get("environment") if isinstance(step.new.get("input"), dict) else None
    return read_outputs({"environment": environment}).fingerprints or None


def _databases(side: Side, settings: Settings, last: StackOutputs) -> tuple[tuple[DatabaseChanges, ...], tuple[str, ...]]:
    migrations = {name: files for name, files in side.files.migrations.items() if name in settings.databases}
    schemas = {name: schema_files_of(settings, name, files, side.files.bases.get(name)) for name, files in migrations.items()}
    found = {name: _ledger(side, settings, last, name) for name in schemas}
    return database_changes(settings, schemas, {name: ledger for name, ledger in found.items() if ledger is not None}, last.databases)


def _ledger(side: Side, settings: Settings, last: StackOutputs, name: str) -> Ledger | None:
    """What is known of a ledger: what the preview saw of it, else its record of the schema, which failed releases keep too, else the last outputs."""
    preview = side.preview
    if preview and not preview.errors and not any(text.startswith(UNSEEN) for text in preview.messages):
        return _seen(side.files, preview, name, settings.databases[name].name)
    step = preview.step(STASH, f"{name}-schema") if preview else None
    if step and step.old:
        return ledger_of(migrations_in((step.old.get("input") or {}).get("migrations")))
    if preview and not preview.errors and step is None:
        return ledger_of({file.name: file.sha256 for file in side.files.migrations[name]})  # the record stays as it is
    if name in last.databases:
        return last.ledger(name)
    return None if settings.databases[name].adopt else Ledger()


def _seen(files: Files, preview: Preview, name: str, shown: str) -> Ledger:
    """The ledger, from what a preview that read it calls pending: all other files are done."""
    pending = {found[1] for text in preview.messages if (found := pending_in(text)) and found[0] == shown}
    base = files.bases.get(name)
    if base and one_line(base.name) in pending:
        return Ledger()
    return ledger_of({file.name: file.sha256 for file in files.migrations[name] if one_line(file.name) not in pending})


def _adoptions(preview: Preview | None) -> tuple[str, ...]:
    return tuple(text for text in preview.messages if text.startswith(_ADOPTS) or takes_over(text)) if preview else ()


def _notes(side: Side, last: StackOutputs, preview: Preview | None, databases: tuple[DatabaseChanges, ...]) -> list[str]:
    """What the preview said that stands nowhere else, and what could not be compared."""
    findings = {one_line(f"{one.shown}: {finding}") for one in databases for pending in one.pending for finding in pending.findings}
    said = [text for text in (preview.messages if preview else ()) if text not in findings and text not in _adoptions(preview)]
    notes = [text for text in said if not (text.startswith(_GATE) or text.endswith(WOULD_REFUSE) or pending_in(text))]
    fingerprints = _fingerprints(side, last)
    if fingerprints is not None and not comparable(last.fingerprints, fingerprints):
        notes.append("fingerprint-key is another one than at the last release, so nobody can tell which secrets changed")
    return notes
