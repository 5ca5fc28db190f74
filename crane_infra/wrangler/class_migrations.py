"""The migrations of Durable Object classes in a file of wrangler become steps of the catalog. Pure.

All of them, in their order: which ones are still to be sent, an update works out from the tag that is live.
"""

from collections.abc import Mapping

from pydantic import ValidationError

from crane_infra.config.class_migrations import ClassMigration, TransferredClass
from crane_infra.errors import WranglerError
from crane_infra.frozen import first_fault
from crane_infra.wrangler.findings import Findings, printable
from crane_infra.wrangler.keys import Migration
from crane_infra.wrangler.read import Environment


def class_migrations(
    environment: Environment, migrations: list[Migration], scripts: Mapping[str, str], findings: Findings
) -> tuple[ClassMigration, ...]:
    """The steps. ``scripts`` maps the names at Cloudflare of the imported workers to those of the catalog.

    A step that cannot be declared is a fault: without it, those after it would be sent to a worker that they do not fit.
    """
    steps = (_step(environment.where(f"migrations[{number}]"), each, scripts, findings) for number, each in enumerate(migrations))
    return tuple(step for step in steps if step)


def _step(where: str, migration: Migration, scripts: Mapping[str, str], findings: Findings) -> ClassMigration | None:
    if unknown := sorted({each.from_script for each in migration.transferred_classes} - scripts.keys()):
        what = f"takes a class over from {printable(unknown[0])}, which is not among the imported workers of this environment"
        findings.faults.append(WranglerError(where, what, "Import the file of that worker with this one"))
        return None
    lists = {name: tuple(getattr(migration, name)) for name in ("new_sqlite_classes", "new_classes", "deleted_classes")}
    renamed = {each.old: each.new for each in migration.renamed_classes}
    fields = {**lists, "renamed_classes": renamed, "loses_objects": bool(migration.deleted_classes)}
    try:
        transferred = tuple(
            TransferredClass(from_worker=scripts[each.from_script], from_class=each.old, to_class=each.new)
            for each in migration.transferred_classes
        )
        said = {name: value for name, value in {**fields, "transferred_classes": transferred}.items() if value}
        step = ClassMigration(tag=migration.tag, **said)
    except ValidationError as error:
        path, what = first_fault(error)
        findings.faults.append(WranglerError(f"{where}.{path}" if path else where, printable(what), "Correct it, as wrangler documents it"))
        return None
    if step.deleted_classes:
        lost = f"{step.tag} deletes all objects of {', '.join(step.deleted_classes)}, and the catalog says that this is meant"
        findings.note(where, lost, "If it was not deployed yet, copy what you need of them first")
    return step
