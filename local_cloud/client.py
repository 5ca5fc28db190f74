"""A client for the account of a local cloud: its REST API, its databases by name, a deployment around Pulumi.

It knows nothing of Pulumi, so a rehearsal can check what a stack claims against the cloud itself.
"""

import base64
import hashlib
import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from local_cloud.d1.file_shape import count_tables
from local_cloud.daemon import Running
from local_cloud.errors import LocalCloudError
from local_cloud.plain_http import no_certificates
from local_cloud.workerd.paths import database_file, databases_of

_SECONDS = 60.0


@dataclass(frozen=True)
class Account:
    """The account of a running local cloud."""

    running: Running

    def ask(self, method: str, path: str, body: object = None, *, token: str = "", **given: Any) -> Any:  # noqa: ANN401 (JSON)
        """The ``result`` of a call below the account, with its own token or another one; raises LocalCloudError when the cloud refuses it or does not answer."""
        url = f"{self.running.api_url}/accounts/{self.running.account_id}{path}"
        headers = {"Authorization": f"Bearer {token or self.running.token}"}
        try:
            reply = httpx.request(
                method, url, headers=headers, json=body, timeout=_SECONDS, trust_env=False, verify=no_certificates(), **given
            )
            envelope = reply.json()
        except (httpx.HTTPError, ValueError) as error:
            raise LocalCloudError(f"{method} {path}", f"the local cloud did not answer ({type(error).__name__})", "Run it again") from None
        if not envelope["success"]:
            raise LocalCloudError(f"{method} {path}", f"the local cloud refused: {envelope['errors']}", "Run it again")
        return envelope["result"]

    def database(self, name: str) -> str:
        """The id of a database, by its name; raises LocalCloudError when there is none."""
        ids = [database["uuid"] for database in self.ask("GET", f"/d1/database?name={name}") if database["name"] == name]
        if not ids:
            raise LocalCloudError(f"database {name}", "the account has no database with this name", "Run it again")
        return str(ids[0])

    def add_database(self, name: str, file: Path) -> str:
        """Create a database with all that a SQLite file holds, and give its id. The file is moved, so it can be large; nobody may have it open.

        D1 opens the file of a database at its first query, which this makes. Raises LocalCloudError, also where D1 does not read the file.
        """
        tables = count_tables(file)
        uuid = str(self.ask("POST", "/d1/database", {"name": name})["uuid"])
        live = database_file(databases_of(self.running.folder), uuid)
        live.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if live.exists():
            raise LocalCloudError(f"database {name}", "is in use already", "Run it again")
        shutil.move(file, live)
        if self.ask("GET", f"/d1/database/{uuid}")["num_tables"] != tables:
            raise LocalCloudError(f"database {name}", "D1 does not read the file that it was given", "Run it again")
        return uuid

    def rows(self, database: str, sql: str) -> list[dict[str, Any]]:
        """The rows that a statement returns on a database, by the database's name."""
        return list(self.ask("POST", f"/d1/database/{self.database(database)}/query", {"sql": sql})[0]["results"])

    def ledger(self, database: str) -> list[str]:
        """The migrations in a database's ledger, in the order in which they were applied."""
        return [str(row["name"]) for row in self.rows(database, "SELECT name FROM d1_migrations ORDER BY id")]

    def serving(self, script: str) -> str:
        """The id of the version that has all traffic of a script; a candidate beside it has none."""
        shares = self.ask("GET", f"/workers/scripts/{script}/deployments")["deployments"][0]["versions"]
        (serving,) = [share["version_id"] for share in shares if share["percentage"] > 0]
        return str(serving)

    def newest_version(self, script: str) -> str:
        """The id of the version of a script that was uploaded last."""
        return str(self.ask("GET", f"/workers/scripts/{script}/versions")["items"][0]["id"])

    def put_script(self, script: str, modules: Mapping[str, tuple[str, bytes]], metadata: Mapping[str, Any]) -> str:
        """Deploy a worker as wrangler does, in one form that gets all traffic at once, and give the version's id.

        ``modules`` has content type and content by name. Raises LocalCloudError.
        """
        parts = {"metadata": (None, json.dumps(metadata).encode(), "application/json")}
        files = {name: (name, content, kind) for name, (kind, content) in modules.items()}
        self.ask("PUT", f"/workers/scripts/{script}", files={**parts, **files})
        return self.serving(script)

    def upload_assets(self, script: str, files: Mapping[str, bytes]) -> str:
        """Upload the static assets of a script, contents by the path at which they are served, and give the token for its version.

        Raises LocalCloudError.
        """
        digests = {path: hashlib.sha256(content).hexdigest()[:32] for path, content in files.items()}
        contents = {digest: base64.b64encode(files[path]) for path, digest in digests.items()}
        manifest = {path: {"hash": digest, "size": len(files[path])} for path, digest in digests.items()}
        session = self.ask("POST", f"/workers/scripts/{script}/assets-upload-session", {"manifest": manifest})
        completion = str(session["jwt"])
        for bucket in session["buckets"]:
            parts = [(digest, (digest, contents[digest], "application/octet-stream")) for digest in bucket]
            reply = self.ask("POST", "/workers/assets/upload?base64=true", files=parts, token=session["jwt"])
            completion = reply["jwt"] or completion
        return completion

    def wait_until_deployed(self) -> None:
        """Wait until what was deployed last runs: nobody asks a worker for it. Raises LocalCloudError where it does not run within a minute."""
        try:
            httpx.get(f"{self.running.edge_url}/-", timeout=_SECONDS, trust_env=False, verify=no_certificates())
        except httpx.HTTPError as error:
            raise LocalCloudError("the local cloud", f"its workers do not start ({type(error).__name__})", "Run it again") from None

    def is_empty(self) -> bool:
        """Whether the account has no worker and no database."""
        return not any(self.ask("GET", what) for what in ("/workers/workers", "/d1/database"))
