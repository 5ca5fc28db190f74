"""What the report knows of a database's ledger without asking the database. Pure."""

from crane_infra.config.settings import Settings
from crane_infra.migrations.ledger import Ledger
from crane_infra.release.outputs import StackOutputs, ledger_of, migrations_in
from crane_infra.release.preview_record import RecordedDatabase
from crane_infra.report.engine import STASH
from crane_infra.report.files import Files
from crane_infra.report.side import Side


def known_ledger(side: Side, settings: Settings, last: StackOutputs, name: str) -> Ledger | None:
    """The ledger of the database ``name``; None for one that is adopted and that no preview has looked at.

    Best known from the record of the preview, which read it; else from Pulumi's record of the schema, which failed releases keep too; else
    from the last outputs.
    """
    preview, recorded = side.preview, side.recorded
    if recorded is not None and recorded.databases is not None:
        return _seen(side.files, name, recorded.databases.get(name, RecordedDatabase()))
    step = preview.step(STASH, f"{name}-schema") if preview else None
    if step and step.old:
        return ledger_of(migrations_in(step.part("input", before=True).get("migrations")))
    if preview and not preview.errors and step is None:
        return _seen(side.files, name, RecordedDatabase())  # the schema stays as it is
    if name in last.databases:
        return last.ledger(name)
    return None if settings.databases[name].adopt else Ledger()


def _seen(files: Files, name: str, database: RecordedDatabase) -> Ledger:
    """The ledger as a preview read it: every file that is not pending is done."""
    base = files.bases.get(name)
    if base and base.name in database.pending:
        return Ledger()
    return ledger_of({file.name: file.sha256 for file in files.migrations[name] if file.name not in database.pending})
