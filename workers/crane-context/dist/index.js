// crane-context, the reference worker: which agent sessions are alive.

import { hasKey } from "./keys.js";
import { json, route } from "./replies.js";

const LISTED = 100;

const routes = new Map([
  ["/health", { GET: health }],
  ["/version", { GET: version }],
  ["/active", { GET: keyed(active) }],
  ["/sessions/heartbeat", { POST: keyed(heartbeat) }],
]);
const stagingRoutes = new Map([...routes, ["/smoke", { POST: keyed(smoke) }]]);

export default {
  fetch(request, env) {
    return route(env.ENVIRONMENT === "staging" ? stagingRoutes : routes, request, env);
  },
};

function keyed(handler) {
  return async (request, env) =>
    (await hasKey(request, "X-Relay-Key", env.CONTEXT_RELAY_KEY)) ? handler(request, env) : json(401, { error: "unauthorized" });
}

async function health(_request, env) {
  await env.DB.prepare("SELECT 1").first();
  return json(200, { status: "ok", worker: "crane-context" });
}

function version(_request, env) {
  const { id, tag, timestamp } = env.CF_VERSION_METADATA;
  return json(200, { id, tag, timestamp });
}

async function active(_request, env) {
  const since = new Date(Date.now() - Number(env.CONTEXT_SESSION_STALE_MINUTES) * 60_000).toISOString();
  const { results } = await env.DB.prepare(
    "SELECT id, agent, host, started_at, last_heartbeat_at FROM sessions WHERE last_heartbeat_at >= ? ORDER BY last_heartbeat_at DESC LIMIT ?",
  )
    .bind(since, LISTED)
    .all();
  return json(200, { sessions: results, count: results.length });
}

async function heartbeat(request, env) {
  const { session_id: id, agent, host = null } = (await request.json().catch(() => null)) ?? {};
  if (!isName(id) || !isName(agent) || !(host === null || isName(host))) return json(400, { error: "malformed" });
  const now = new Date().toISOString();
  await env.DB.prepare(
    `INSERT INTO sessions (id, agent, host, started_at, last_heartbeat_at) VALUES (?1, ?2, ?3, ?4, ?4)
     ON CONFLICT (id) DO UPDATE SET host = excluded.host, last_heartbeat_at = excluded.last_heartbeat_at`,
  )
    .bind(id, agent, host, now)
    .run();
  const jitter = (Math.random() * 2 - 1) * Number(env.HEARTBEAT_JITTER_SECONDS);
  return json(200, { next_heartbeat_seconds: Math.round(Number(env.HEARTBEAT_INTERVAL_SECONDS) + jitter) });
}

function isName(value) {
  return typeof value === "string" && value.length > 0 && value.length <= 200;
}

// One row, however often it is called. max() keeps it true when two callers write at once.
async function smoke(_request, env) {
  const now = new Date().toISOString();
  await env.DB.prepare(
    `INSERT INTO smoke_writes (name, written_at) VALUES ('smoke', ?)
     ON CONFLICT (name) DO UPDATE SET written_at = max(written_at, excluded.written_at)`,
  )
    .bind(now)
    .run();
  const writtenAt = await env.DB.prepare("SELECT written_at FROM smoke_writes WHERE name = 'smoke'").first("written_at");
  if (writtenAt === null || writtenAt < now) throw new Error("the row that was written is not there");
  return json(201, { written: true });
}
