"""What a person would do by hand with the account of a local cloud: its REST API, its databases by name, a deployment around Pulumi.

Knows no Pulumi. Prevents a rehearsal that believes what a stack says of the cloud.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from local_cloud.daemon import Running
from local_cloud.errors import LocalCloudError

_SECONDS = 60.0


@dataclass(frozen=True)
class Account:
    """The account of a local cloud that runs."""

    running: Running

    def ask(self, method: str, path: str, body: object = None, **given: Any) -> Any:  # noqa: ANN401 (JSON)
        """The ``result`` of a call below the account; raises LocalCloudError where it is refused or not answered."""
        url = f"{self.running.api_url}/accounts/{self.running.account_id}{path}"
        headers = {"Authorization": f"Bearer {self.running.token}"}
        try:
            reply = httpx.request(method, url, headers=headers, json=body, timeout=_SECONDS, trust_env=False, **given)
            envelope = reply.json()
        except (httpx.HTTPError, ValueError) as error:
            raise LocalCloudError(f"{method} {path}", f"the local cloud did not answer ({type(error).__name__})", "Run it again") from None
        if not envelope["success"]:
            raise LocalCloudError(f"{method} {path}", f"the local cloud refused: {envelope['errors']}", "Run it again")
        return envelope["result"]

    def database(self, name: str) -> str:
        """The id of a database by its name."""
        found = [one["uuid"] for one in self.ask("GET", f"/d1/database?name={name}") if one["name"] == name]
        if not found:
            raise LocalCloudError(f"database {name}", "the account has none of this name", "Run it again")
        return str(found[0])

    def rows(self, database: str, sql: str) -> list[dict[str, Any]]:
        """What a statement gives on a database, by its name."""
        return list(self.ask("POST", f"/d1/database/{self.database(database)}/query", {"sql": sql})[0]["results"])

    def ledger(self, database: str) -> list[str]:
        """The names in a database's ledger, in the order in which they were applied."""
        return [str(row["name"]) for row in self.rows(database, "SELECT name FROM d1_migrations ORDER BY id")]

    def serving(self, script: str) -> str:
        """The version that has all traffic of a script."""
        (share,) = self.ask("GET", f"/workers/scripts/{script}/deployments")["deployments"][0]["versions"]
        return str(share["version_id"])

    def newest_version(self, script: str) -> str:
        """The version of a script that was uploaded last."""
        return str(self.ask("GET", f"/workers/scripts/{script}/versions")["items"][0]["id"])

    def put_script(self, script: str, modules: Mapping[str, tuple[str, bytes]], metadata: Mapping[str, Any]) -> str:
        """Deploy a worker as wrangler does: one form, all traffic at once. ``modules``: content type and content by name.

        Gives the version. Raises LocalCloudError.
        """
        parts = {"metadata": (None, json.dumps(metadata).encode(), "application/json")}
        files = {name: (name, content, kind) for name, (kind, content) in modules.items()}
        self.ask("PUT", f"/workers/scripts/{script}", files={**parts, **files})
        return self.serving(script)

    def is_empty(self) -> bool:
        """Whether there is neither a worker nor a database."""
        return not any(self.ask("GET", what) for what in ("/workers/workers", "/d1/database"))
