"""The cases whose comments are kept as files: each changes something and reports. ``python -m tests.report.cases`` writes the files again."""

import re
import tempfile
from collections.abc import Callable
from pathlib import Path

from crane_infra.release.preview_record import RecordedAdoption, RecordedCosts
from crane_infra.report.model import Report
from tests.report.previews import Json, urn
from tests.report.stage import Stage, comment
from tests.repository import ROOT

GOLDEN = Path(__file__).parent / "golden"
DOCUMENT = ROOT / "docs" / "pipeline-examples.md"
EXAMPLES = ("usual_change", "contract_migration", "referenced_table_dropped")
CONTEXT = "crane-context/migrations"
NOTES = "-- crane: expand\nCREATE TABLE labels (id INTEGER PRIMARY KEY, note_id INTEGER REFERENCES notes (id), label TEXT NOT NULL);\n"
NOTES += "CREATE INDEX labels_by_note ON labels (note_id);\n"
Case = Callable[[Stage], Report]


def usual_change(stage: Stage) -> Report:
    """Code, a variable and a migration that adds."""
    stage.deploy("production", "staging")
    _change_code(stage)
    stage.write(f"{CONTEXT}/0003_create_labels.sql", NOTES)
    stage.configure("staging", _with_variable(stage.config["staging"], "30"))
    return stage.report(staging=stage.preview())


def nothing_changes(stage: Stage) -> Report:
    """Only documents change: both environments run this release."""
    stage.deploy("staging", "production")
    return stage.report(staging=stage.preview())


def proven_already(stage: Stage) -> Report:
    """Staging has proven a release that production does not run yet."""
    stage.deploy("staging", "production")
    _change_code(stage)
    stage.deploy("staging")
    return stage.report(staging=stage.preview())


def first_release(stage: Stage) -> Report:
    """Nothing exists yet."""
    return stage.report(staging=stage.preview())


def contract_migration(stage: Stage) -> Report:
    """A column is dropped, as the file declares."""
    stage.deploy("staging", "production")
    stage.write(f"{CONTEXT}/0003_drop_host.sql", "-- crane: contract\nALTER TABLE sessions DROP COLUMN host;\n")
    return stage.report(staging=stage.preview())


def several_tables(stage: Stage) -> Report:
    """One file adds a table, drops a column of another, and changes rows of a third."""
    stage.deploy("staging", "production")
    texts = ("CREATE TABLE labels (name TEXT);", "ALTER TABLE sessions DROP COLUMN host;", "UPDATE notes SET text = '' WHERE text IS NULL;")
    stage.write(f"{CONTEXT}/0003_tidy.sql", "\n".join(("-- crane: contract", *texts, "")))
    return stage.report(staging=stage.preview())


def data_migration(stage: Stage) -> Report:
    """Rows are changed and deleted, children with them, as the file declares."""
    stage.deploy("staging", "production")
    text = "-- crane: loses-rows notes\nUPDATE sessions SET host = '' WHERE host IS NULL;\nDELETE FROM sessions WHERE seen_at < '2026-01-01';\n"
    name = "0003_forget_old_sessions.sql"
    stage.write(f"{CONTEXT}/{name}", text)
    effects = (("changed by statement 1", 0), ("deleted by statement 2", 1203))
    counted = (
        RecordedCosts(file=name, table="sessions", size=4711, effects=effects),
        RecordedCosts(file=name, table="notes", size=None, effects=(("changed by statement 1", None),)),
    )
    return stage.report(staging=stage.preview(costs={"crane-context-db": counted}))


def adoption(stage: Stage) -> Report:
    """Both environments exist, deployed without this program."""
    for ahead, environment in enumerate(stage.config):
        config = stage.config[environment]
        databases = {
            name: {**one, "adopt": f"00000000-0000-4000-8000-0000000000{ahead}{number}"}
            for number, (name, one) in enumerate(config["crane-infra:databases"].items())
        }
        workers = {name: {**one, "adopt": True} for name, one in config["crane-infra:workers"].items()}
        stage.configure(environment, {**config, "crane-infra:databases": databases, "crane-infra:workers": workers})
    replaced, kept = "its code is replaced by this release", "its data stays"
    adoptions = (
        RecordedAdoption(kind="worker", name="crane-context-staging", changes=(replaced, "the kv binding CACHE goes away")),
        RecordedAdoption(kind="worker", name="crane-classifier-staging", changes=(replaced, "nothing else changes")),
        RecordedAdoption(kind="database", name="crane-context-db-staging", changes=(kept,)),
        RecordedAdoption(kind="database", name="crane-classifier-db-staging", changes=(kept,)),
    )
    return stage.report(staging=stage.preview(adoptions=adoptions))


def secret_rotated(stage: Stage) -> Report:
    """One secret has another value."""
    stage.deploy("staging", "production")
    stage.secrets["WEBHOOK_SECRET"] = "canary-rotated"
    return stage.report(staging=stage.preview())


def database_replaced(stage: Stage) -> Report:
    """The engine plans to replace and delete databases."""
    stage.deploy("staging", "production")
    kind = "crane:infra:Database$cloudflare:index/d1Database:D1Database"
    inputs = {"inputs": {"name": "crane-context-db-staging"}}
    gone = {"inputs": {"name": "crane-classifier-db-staging"}}
    steps: tuple[Json, ...] = (
        *({"op": op, "urn": urn("staging", kind, "crane-context-db"), "oldState": inputs} for op in ("create-replacement", "replace")),
        {"op": "delete", "urn": urn("staging", kind, "crane-classifier-db"), "oldState": gone},
    )
    return stage.report(staging=stage.preview(steps=steps))


def number_taken(stage: Stage) -> Report:
    """Two files have the same number."""
    stage.deploy("staging", "production")
    stage.write(f"{CONTEXT}/0002_create_labels.sql", NOTES)
    text = (
        "workers/crane-context/migrations/0002_create_labels.sql: the number 2 is taken by 0002_create_notes.sql. "
        "Give the newer file the next free number."
    )
    return stage.report(staging=stage.preview(logged=(("error", text),)))


def migration_edited(stage: Stage) -> Report:
    """An applied migration was edited."""
    stage.deploy("staging", "production")
    stage.write(f"{CONTEXT}/0001_create_sessions.sql", "CREATE TABLE sessions (id TEXT PRIMARY KEY, host TEXT, seen_at TEXT);\n")
    text = (
        "workers/crane-context/migrations/0001_create_sessions.sql: edited after it was applied to crane-context-db-staging (recorded d7328c34, "
        "file 35f19f1a). Restore the file, including its line endings, or add a new migration. If it means what it meant before: "
        "crane migrations accept-edit -s <stack> -d <its name in the catalog>, for staging and then for production."
    )
    return stage.report(staging=stage.preview(logged=(("error", text),)), failed="")


def referenced_table_dropped(stage: Stage) -> Report:
    """Dropping a table would empty another one."""
    stage.deploy("staging", "production")
    stage.write(f"{CONTEXT}/0003_drop_sessions.sql", "-- crane: contract\nDROP TABLE sessions;\n")
    text = (
        "workers/crane-context/migrations/0003_drop_sessions.sql, statement 1: dropping sessions also deletes rows of notes, or clears references in "
        "them (ON DELETE). Copy and drop the tables that refer to it first (docs/lint.md shows how); if these rows may go, declare -- crane: loses-rows notes. "
        "(drops-referenced-table)."
    )
    return stage.report(staging=stage.preview(logged=(("error", text),)), failed="")


def database_renamed(stage: Stage) -> Report:
    """A database has another name in both stack files."""
    stage.deploy("staging", "production")
    for environment in stage.config:
        config = stage.config[environment]
        databases = {**config["crane-infra:databases"], "crane-context-db": {"name": f"contexts-{environment}"}}
        stage.configure(environment, {**config, "crane-infra:databases": databases})
    text = (
        "Pulumi.staging.yaml databases.crane-context-db: was renamed from crane-context-db-staging to contexts-staging: this would replace or "
        "delete the database and lose its data. Restore crane-context-db-staging."
    )
    return stage.report(staging=stage.preview(logged=(("error", text),)))


def worker_removed(stage: Stage) -> Report:
    """A worker is gone from catalog and settings."""
    stage.deploy("staging", "production")
    stage.catalog = stage.catalog.model_copy(update={"workers": {"crane-context": stage.catalog.workers["crane-context"]}})
    for environment in stage.config:
        config = stage.config[environment]
        workers = {"crane-context": config["crane-infra:workers"]["crane-context"]}
        stage.configure(environment, {**config, "crane-infra:workers": workers})
    text = "Pulumi.staging.yaml workers.crane-classifier: was removed, but crane-classifier-staging is deployed. Restore it, or let go of the worker, which stays at Cloudflare: crane retire -s staging crane-classifier."
    return stage.report(staging=stage.preview(logged=(("error", text),)))


def bundle_missing(stage: Stage) -> Report:
    """A worker was not built."""
    stage.deploy("staging", "production")
    stage.remove("crane-context/dist")
    text = (
        "bundle of crane-context (workers/crane-context/dist): the folder does not exist. Build the worker (for TypeScript: wrangler deploy "
        "--dry-run --outdir dist), or correct workers-dir."
    )
    return stage.report(staging=stage.preview(logged=(("error", text),)))


def preview_failed(stage: Stage) -> Report:
    """The engine failed before the preview."""
    stage.deploy("staging", "production")
    stage.write(f"{CONTEXT}/0003_create_labels.sql", NOTES)
    return stage.report(failed="error: getting stack configuration: get stack secrets manager: incorrect passphrase\n")


def promotion_unproven(stage: Stage) -> Report:
    """A promotion of a release that staging has not proven."""
    stage.deploy("staging", "production")
    _change_code(stage)
    return stage.report(production=stage.preview("production"), outputs=("staging",))


def promotion(stage: Stage) -> Report:
    """A promotion of a release that staging has proven."""
    stage.deploy("staging", "production")
    _change_code(stage)
    stage.write(f"{CONTEXT}/0003_create_labels.sql", NOTES)
    stage.deploy("staging")
    return stage.report(production=stage.preview("production"), outputs=("staging",))


def promotion_of_an_older_release(stage: Stage) -> Report:
    """A promotion of a release that is older than the one that production runs, and that staging proved again last."""
    _older_release_is_proven_again(stage)
    return stage.report(production=stage.preview("production"), outputs=("staging",))


def rollback(stage: Stage) -> Report:
    """The same, with the setting."""
    digest = _older_release_is_proven_again(stage)
    stage.configure("production", {**stage.config["production"], "crane-infra:rollback-to": digest})
    return stage.report(production=stage.preview("production"), outputs=("staging",))


CASES: dict[str, Case] = {
    case.__name__: case
    for case in (
        usual_change,
        nothing_changes,
        proven_already,
        first_release,
        contract_migration,
        several_tables,
        data_migration,
        adoption,
        secret_rotated,
        database_replaced,
        number_taken,
        migration_edited,
        referenced_table_dropped,
        database_renamed,
        worker_removed,
        bundle_missing,
        preview_failed,
        promotion_unproven,
        promotion,
        promotion_of_an_older_release,
        rollback,
    )
}


def _older_release_is_proven_again(stage: Stage) -> str:
    """Both environments run the next release, then staging runs the first one again, whose files are here now; gives its digest."""
    stage.deploy("staging")
    module = (stage.folder / "workers" / "crane-context/dist/index.js").read_text(encoding="utf-8")
    _change_code(stage)
    stage.deploy("staging", "production")
    stage.write("crane-context/dist/index.js", module)
    stage.deploy("staging")
    return str(stage.outputs["staging"]["proofs"][0]["digest"])


def _change_code(stage: Stage) -> None:
    stage.write("crane-context/dist/index.js", "export default { fetch: () => new Response('better') };\n")


def _with_variable(config: Json, value: str) -> Json:
    workers = {**config["crane-infra:workers"]}
    workers["crane-context"] = {"variables": {**workers["crane-context"]["variables"], "STALE_MINUTES": value}}
    return {**config, "crane-infra:workers": workers}


def main() -> None:
    """Write every comment again, in the document too."""
    GOLDEN.mkdir(exist_ok=True)
    for name, case in CASES.items():
        with tempfile.TemporaryDirectory() as folder:
            (GOLDEN / f"{name}.md").write_text(comment(case(Stage(Path(folder)))), encoding="utf-8")
    found = iter(EXAMPLES)
    text = DOCUMENT.read_text(encoding="utf-8")
    shown = re.sub(
        r"(?ms)^````text\n.*?^````$", lambda _: f"````text\n{(GOLDEN / f'{next(found)}.md').read_text(encoding='utf-8')}````", text
    )
    DOCUMENT.write_text(shown, encoding="utf-8")


if __name__ == "__main__":
    main()
