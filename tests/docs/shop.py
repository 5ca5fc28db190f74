"""A project of wrangler with two workers in two environments, which the real wrangler deploys to a local cloud."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local_cloud.client import Account
from tests.wrangler import Wrangler

API = """import { DurableObject } from "cloudflare:workers";
export class Room extends DurableObject { async hello() { return "room"; } }
export default { async fetch(_, env) {
  await env.CACHE.put("key", "kept");
  await env.FILES.put("file", "stored");
  await env.JOBS.send({ job: 1 });
  const room = await env.ROOM.get(env.ROOM.idFromName("one")).hello();
  const mail = await (await env.MAIL.fetch("https://mail/")).text();
  const orders = await env.DB.prepare("SELECT COUNT(*) AS orders FROM orders").first();
  const page = await (await env.ASSETS.fetch("https://assets/shop.txt")).text();
  const [kv, r2] = [await env.CACHE.get("key"), await (await env.FILES.get("file")).text()];
  return Response.json({ mode: env.MODE, key: env.API_KEY?.length ?? 0, kv, r2, room, mail, page, ...orders });
} };
"""
MAIL = """import { WorkerEntrypoint } from "cloudflare:workers";
export class Letters extends WorkerEntrypoint { fetch() { return new Response("mail"); } }
export default { fetch() { return new Response("no letters here"); } };
"""
ENVIRONMENTS = {"production": "", "staging": "-staging"}
"""By environment, what its names end with."""
WORKERS = ("shop-mail", "shop-api")
"""In the order of their first deployment: one calls the other."""
SECRET = "canary-of-the-shop-0123456789"


@dataclass(frozen=True)
class Shop:
    """The project in a folder, with databases in the account."""

    folder: Path
    wrangler: Wrangler
    account: Account

    def write(self) -> None:
        """Write the files of both workers, and create the databases."""
        ids = {end: str(self.account.ask("POST", "/d1/database", {"name": f"shop{end}"})["uuid"]) for end in ENVIRONMENTS.values()}
        base = {"main": "src/index.js", "compatibility_date": "2026-01-01"}
        assets = {"directory": "public", "binding": "ASSETS", "not_found_handling": "none", "run_worker_first": ["/orders/*"]}
        more = {"assets": assets, "triggers": {"crons": ["0 3 * * *"]}, "migrations": [{"tag": "v1", "new_sqlite_classes": ["Room"]}]}
        api = {"name": "shop-api", **base, **more, **_bound("", ids), "env": {"staging": _bound("-staging", ids)}}
        files = {
            "api/wrangler.jsonc": "// What the shop runs today.\n" + json.dumps(api, indent=2),
            "api/src/index.js": API,
            "api/public/shop.txt": "the shop",
            "api/public/_headers": "/shop.txt\n  X-Shop: open\n",
            "api/migrations/0001_orders.sql": "CREATE TABLE orders (id INTEGER PRIMARY KEY, what TEXT);\n",
            "mail/wrangler.jsonc": json.dumps({"name": "shop-mail", **base, "env": {"staging": {}}}),
            "mail/src/index.js": MAIL,
        }
        for name, text in files.items():
            (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / name).write_text(text, encoding="utf-8")

    def add(self, keys: dict[str, Any]) -> None:
        """Add keys to the file of the API."""
        path = self.folder / "api" / "wrangler.jsonc"
        head, _, body = path.read_text(encoding="utf-8").partition("\n")
        path.write_text(f"{head}\n{json.dumps(json.loads(body) | keys, indent=2)}", encoding="utf-8")

    def deploy(self) -> None:
        """Let wrangler migrate and deploy both environments, and set a secret."""
        for environment, end in ENVIRONMENTS.items():
            name = "" if environment == "production" else environment
            self.wrangler("d1", "migrations", "apply", "DB", "--remote", "--env", name, cwd=self.folder / "api")
            for worker in WORKERS:
                self.wrangler("deploy", "--env", name, cwd=self.folder / worker.removeprefix("shop-"))
            secret = {"name": "API_KEY", "type": "secret_text", "text": f"{SECRET}{end}"}
            self.account.ask("PUT", f"/workers/scripts/shop-api{end}/secrets", secret)

    def bindings(self, environment: str) -> dict[str, Any]:
        """What the version that serves the API binds, by name: kinds, and ids or names; without what the local cloud adds to them."""
        script = f"shop-api{ENVIRONMENTS[environment]}"
        version = self.account.ask("GET", f"/workers/scripts/{script}/deployments")["deployments"][0]["versions"][0]["version_id"]
        bound = self.account.ask("GET", f"/workers/workers/{script}/versions/{version}")["bindings"]
        return {binding["name"]: binding for binding in bound}


def _bound(end: str, ids: dict[str, str]) -> dict[str, Any]:
    """What an environment sets."""
    return {
        "vars": {"MODE": "staging" if end else "live"},
        "ai": {"binding": "AI"},
        "kv_namespaces": [{"binding": "CACHE", "id": ("1" if end else "2") * 32}],
        "r2_buckets": [{"binding": "FILES", "bucket_name": f"shop-files{end}"}],
        "queues": {"producers": [{"binding": "JOBS", "queue": f"shop-jobs{end}"}]},
        "durable_objects": {"bindings": [{"name": "ROOM", "class_name": "Room"}]},
        "services": [{"binding": "MAIL", "service": f"shop-mail{end}", "entrypoint": "Letters"}],
        "d1_databases": [{"binding": "DB", "database_name": f"shop{end}", "database_id": ids[end], "migrations_dir": "migrations"}],
    }
