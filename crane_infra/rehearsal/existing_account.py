"""The account as it is today, on a local cloud: workers and databases of both environments, deployed without Pulumi and full of data.

It is set up by REST calls, like those of wrangler and the dashboard. Wrangler's ledger lacks the last migration, the workers run older code,
and there are things that no stack declares: settings of the script, a schedule, a variable. The engine runs only to read the stacks' secrets.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from crane_infra.config.catalog import Catalog, CatalogWorker
from crane_infra.config.environments import ENVIRONMENTS, Environment
from crane_infra.errors import RehearsalError
from crane_infra.migrations.files.read import from_empty
from crane_infra.rehearsal.project import PROJECT, Project, config, secrets_of
from crane_infra.release.bundle import Bundle, read_bundle
from crane_infra.release.schemas import read_schema_files
from local_cloud.client import Account

ROWS = 300
UNDECLARED: Mapping[str, Any] = {"observability": {"enabled": True, "head_sampling_rate": 0.25}, "logpush": True, "tags": ["team:crane"]}
"""Settings of each script that no stack declares."""
STRAY = ("SET_BY_HAND", "yes")
"""A plain variable of each worker that the catalog does not have."""
SCHEDULE = "*/15 * * * *"
OLD_CODE = "// as wrangler deployed it"
_LEDGER = """CREATE TABLE IF NOT EXISTS d1_migrations(
    id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT UNIQUE, applied_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP NOT NULL);"""
_SECONDS_AGO = "strftime('%Y-%m-%dT%H:%M:%fZ', 'now', printf('-%d seconds', i))"
_COUNT = f"WITH RECURSIVE numbers(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM numbers WHERE i < {ROWS})"  # noqa: S608 (constants of ours, here and below)
# Rows by table, for the reference workers. Each session has a recent heartbeat, so that /active has something to list.
_DATA = {
    "sessions": f"""INSERT INTO sessions (id, agent, started_at, last_heartbeat_at) {_COUNT}
    SELECT printf('session-%03d', i), 'agent', {_SECONDS_AGO}, {_SECONDS_AGO} FROM numbers""",  # noqa: S608
    "deliveries": f"""INSERT INTO deliveries (id, event, received_at) {_COUNT}
    SELECT printf('delivery-%03d', i), 'push', {_SECONDS_AGO} FROM numbers""",  # noqa: S608
}
# Kinds of bindings that an upload keeps from the version before (wrangler 4.156 keeps secrets in this way).
_KEPT = ["plain_text", "json", "secret_text", "d1", "service", "version_metadata"]

Ids = dict[str, str]


def make_existing(project: Project, account: Account, catalog: Catalog, environ: Mapping[str, str]) -> None:
    """Set up the account, which both stacks of ``project`` can adopt. Does nothing if that was done before.

    Raises RehearsalError if the account is not empty or refuses a call, and BundleError or MigrationError for a file that cannot be read.
    """
    done = project.cloud / "existing"
    if done.exists():
        return
    if not account.is_empty():
        raise RehearsalError(str(project.folder), "its local cloud already has workers or databases", "Stop it and delete the folder first")
    for environment in ENVIRONMENTS:
        secrets = secrets_of(project, environ, environment)
        setup = _Setup(project, account, catalog, config(project, environment), environment, secrets)
        databases = {name: setup.database(name) for name in catalog.databases}
        for name in catalog.workers:
            setup.worker(name, databases)
    done.touch()


def deploy_manually(account: Account, script: str, code: str) -> str:
    """Deploy one module to a worker, keep its bindings, and return the id of the version. Raises RehearsalError if the account refuses."""
    module = {"index.js": ("application/javascript+module", code.encode())}
    return account.put_script(script, module, {"main_module": "index.js", "compatibility_date": "2024-01-01", "keep_bindings": _KEPT})


@dataclass(frozen=True)
class _Setup:
    project: Project
    account: Account
    catalog: Catalog
    stack: Mapping[str, Any]
    environment: Environment
    secrets: Mapping[str, str]

    def database(self, name: str) -> str:
        """A database as ``wrangler d1 migrations apply`` leaves it, before the last file was added."""
        database_id = str(self.account.ask("POST", "/d1/database", {"name": self.stack[f"{PROJECT}:databases"][name]["name"]})["uuid"])
        files, base = read_schema_files(self.catalog.databases[name], self.project.workers_dir)
        self._query(database_id, _LEDGER)
        if base is not None:  # somebody ran it by hand, and the migrations that it contains count as applied
            self._query(database_id, "\n".join(f"{statement}\n;" for statement in base.statements))
        later = from_empty(files[:-1], base)
        for file in files[:-1]:
            statements = file.statements if file in later else ()
            record = "INSERT INTO d1_migrations (name) VALUES ('{}');".format(file.name.replace("'", "''"))  # noqa: S608 (as wrangler does)
            self._query(database_id, "\n".join([*(f"{statement.rstrip(';')};" for statement in statements), record]))
        tables = {row["name"] for row in self._query(database_id, "SELECT name FROM sqlite_master WHERE type = 'table'")}
        for table in _DATA.keys() & tables:
            self._query(database_id, _DATA[table])
        return database_id

    def worker(self, name: str, databases: Ids) -> None:
        """A worker as ``wrangler deploy`` leaves it, with settings that were changed in the dashboard later."""
        worker, script = self.catalog.workers[name], name if self.environment == "production" else f"{name}-{self.environment}"
        bundle = read_bundle(self.project.workers_dir / worker.bundle, worker.main_module, name)
        metadata = {
            "main_module": worker.main_module,
            "compatibility_date": worker.compatibility_date,
            "compatibility_flags": list(worker.compatibility_flags),
            "bindings": self._bindings(name, worker, databases),
        }
        self.account.put_script(script, _older(bundle), metadata)
        self.account.ask("POST", f"/workers/scripts/{script}/subdomain", {"enabled": True, "previews_enabled": True})
        self.account.ask("PATCH", f"/workers/scripts/{script}/script-settings", UNDECLARED)
        self.account.ask("PUT", f"/workers/scripts/{script}/schedules", [{"cron": SCHEDULE}])

    def _bindings(self, name: str, worker: CatalogWorker, databases: Ids) -> list[dict[str, str]]:
        configured = self.stack[f"{PROJECT}:workers"][name]
        variables = {**worker.variables, **configured.get("variables", {}), STRAY[0]: STRAY[1]}
        return [
            {"type": "version_metadata", "name": worker.version_metadata},
            *({"type": "plain_text", "name": key, "text": text} for key, text in variables.items()),
            *(
                {"type": "secret_text", "name": secret.binding, "text": self.secrets[secret.key]}
                for secret in worker.secrets
                if secret.key in self.secrets
            ),
            *({"type": "d1", "name": key, "id": databases[database]} for key, database in worker.databases.items()),
        ]

    def _query(self, database: str, sql: str) -> list[dict[str, Any]]:
        return list(self.account.ask("POST", f"/d1/database/{database}/query", {"sql": sql})[-1]["results"])


def _older(bundle: Bundle) -> dict[str, tuple[str, bytes]]:
    """The modules, with a comment added to the main one: other bytes with the same answers."""
    return {
        module.name: (module.content_type, module.content + (f"\n{OLD_CODE}\n".encode() if module.name == bundle.main_module else b""))
        for module in bundle.modules
    }
