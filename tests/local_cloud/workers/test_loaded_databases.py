"""A version that is loaded uses its databases as one that workerd started with: the same answers, errors, types and keys of ``env``.

Its exports are its own, whatever form they have.
"""

import pytest

from tests.cloud import Api, Body

pytestmark = pytest.mark.cloud

KV = {"name": "KV", "type": "kv_namespace", "namespace_id": "makes-workerd-start-anew"}
OLD, NEW = "2024-01-01", "2026-01-01"
"""Compatibility dates; with the old one, the environment of the process has no values."""
USES = """import { env as imported } from "cloudflare:workers";
const ready = imported.DB.prepare("SELECT 1 AS one");
const timeless = (value) => JSON.parse(JSON.stringify(value, (key, inner) => (key === "duration" || key === "sql_duration_ms" ? 0 : inner)));
const why = (error) => ({ error: [error.constructor.name, error.message, error.cause?.message ?? null] });
const bytes = new Uint8Array([0, 1, 255]);
const uses = {
  made: (DB) => DB.exec("CREATE TABLE t(a, b); CREATE TABLE p(id INTEGER PRIMARY KEY);\\nCREATE TABLE c(p REFERENCES p DEFERRABLE INITIALLY DEFERRED)"),
  run: (DB) => DB.prepare("INSERT INTO t VALUES(?1, ?2)").bind("x", 1.5).run(),
  types: (DB) => DB.prepare("INSERT INTO t VALUES(?, ?) RETURNING *, typeof(a), typeof(b)").bind(bytes, true).all(),
  buffer: (DB) => DB.prepare("SELECT hex(?) AS hex, ? AS none").bind(bytes.buffer, null).first(),
  all: (DB) => DB.prepare("SELECT a, b, a FROM t").all(),
  empty: (DB) => DB.prepare("SELECT a FROM t WHERE 0").all(),
  first: (DB) => DB.prepare("SELECT b FROM t").first("b"),
  nothing: (DB) => DB.prepare("SELECT b FROM t WHERE 0").first(),
  raw: (DB) => DB.prepare("SELECT a AS n, b AS n FROM t").raw({ columnNames: true }),
  batch: (DB) => DB.batch([DB.prepare("UPDATE t SET b = 2"), DB.prepare("SELECT b FROM t WHERE b = ?").bind(2)]),
  session: async (DB) => { const s = DB.withSession("first-primary"); return [await s.prepare("SELECT count(*) AS n FROM t").first(), s.getBookmark()]; },
  prepared: () => ready.first(),
  undone: (DB) => DB.batch([DB.prepare("DELETE FROM t"), DB.prepare("SELECT * FROM missing")]),
  kept: (DB) => DB.prepare("SELECT count(*) AS n FROM t").first(),
  syntax: (DB) => DB.prepare("SELEC 1").all(),
  column: (DB) => DB.prepare("SELECT 1 AS one").first("two"),
  unbound: (DB) => DB.prepare("SELECT ?").all(),
  undefined: (DB) => DB.prepare("SELECT ?").bind(undefined).all(),
  line: (DB) => DB.exec("SELECT 1;\\nSELECT * FROM missing"),
  orphan: (DB) => DB.prepare("INSERT INTO c VALUES(7)").run(),
  forbidden: (DB) => DB.prepare("PRAGMA journal_mode").all(),
  large: (DB) => DB.prepare("SELECT length(?) AS n").bind("x".repeat(1e6)).first(),
  dump: (DB) => DB.dump().then((buffer) => buffer.byteLength),
  other: ({ }, { OTHER }) => OTHER.prepare("SELECT count(*) AS n FROM sqlite_schema WHERE name = 't'").first(),
  shape: (DB) => [DB, ready, DB.withSession()].map((each) => [each.constructor.name, Object.keys(each), String(each)]),
};
async function used(env) {
  const seen = { keys: Object.keys(env).filter((name) => name !== "KV"), same: imported.DB === env.DB, text: env.TEXT, process: Object.keys(globalThis.process?.env ?? {}) };
  for (const [name, use] of Object.entries(uses)) {
    try { seen[name] = timeless((await use(env.DB, env)) ?? null); } catch (error) { seen[name] = why(error); }
  }
  return Response.json(seen);
}
"""
FORMS = {
    "an object": "export default { fetch: (request, env) => used(env) };",
    "a class": """import { WorkerEntrypoint } from "cloudflare:workers";
      export default class extends WorkerEntrypoint { fetch() { return used(this.env); } };
      export class Named extends WorkerEntrypoint {};""",
}


def uses_of_a_database(api: Api, code: str, *more: Body, date: str) -> Body:
    """What a new worker sees of two new databases."""
    worker = api.worker()
    databases = [{"name": name, "type": "d1", "database_id": api.database()} for name in ("DB", "OTHER")]
    bindings = [{"name": "TEXT", "type": "plain_text", "text": "t"}, *databases, *more]
    api.deploy(worker, (api.upload(worker, code, bindings=bindings, compatibility_date=date, compatibility_flags=["nodejs_compat"]), 100))
    reply = api.edge(worker)
    assert reply.status_code == 200, reply.text
    seen: Body = reply.json()
    return seen


def test_a_loaded_version_sees_of_a_database_what_a_started_one_sees(api: Api) -> None:
    started = uses_of_a_database(api, USES + FORMS["an object"], KV, date=NEW)
    assert started["same"] is True
    assert started["kept"] == {"n": 2}
    assert started["other"] == {"n": 0}
    assert started["syntax"]["error"][1].startswith("D1_ERROR: ")
    for form, date in (("an object", NEW), ("a class", NEW)):
        assert uses_of_a_database(api, USES + FORMS[form], date=date) == started, (form, date)
    old = uses_of_a_database(api, USES + FORMS["an object"], date=OLD)
    assert {**old, "process": started["process"]} == started
