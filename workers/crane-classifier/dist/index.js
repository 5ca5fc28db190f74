// crane-classifier, the reference worker: takes GitHub's deliveries, each once.

import { json, route } from "./replies.js";
import { isSigned } from "./signature.js";

const routes = new Map([
  ["/health", { GET: health }],
  ["/version", { GET: version }],
  ["/webhook", { POST: webhook }],
]);

export default {
  fetch(request, env) {
    return route(routes, request, env);
  },
};

async function health(_request, env) {
  await env.DB.prepare("SELECT 1").first();
  return json(200, { status: "ok", worker: "crane-classifier" });
}

function version(_request, env) {
  const { id, tag, timestamp } = env.CF_VERSION_METADATA;
  return json(200, { id, tag, timestamp });
}

async function webhook(request, env) {
  const body = await request.arrayBuffer();
  if (!(await isSigned(body, request.headers.get("X-Hub-Signature-256"), env.GH_WEBHOOK_SECRET))) {
    return json(401, { error: "bad signature" });
  }
  const payload = parsed(body);
  if (payload === null || typeof payload !== "object") return json(400, { error: "malformed json" });
  const delivery = request.headers.get("X-GitHub-Delivery");
  if (!delivery || delivery.length > 200) return json(400, { error: "no delivery id" });
  await store(env.DB, delivery, request.headers.get("X-GitHub-Event"), payload.repository?.full_name);
  return json(202, { stored: true });
}

function parsed(body) {
  try {
    return JSON.parse(new TextDecoder().decode(body));
  } catch {
    return null;
  }
}

// GitHub sends a delivery again when it saw no answer: the first one counts.
async function store(db, delivery, event, repository) {
  await db
    .prepare("INSERT INTO deliveries (id, event, repository, received_at) VALUES (?, ?, ?, ?) ON CONFLICT (id) DO NOTHING")
    .bind(delivery, event ?? "unknown", typeof repository === "string" ? repository : null, new Date().toISOString())
    .run();
}
