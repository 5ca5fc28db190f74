// The one worker that the server calls. It passes a request to the version that the request names, or statements to the database.
// Versions that workerd started with are bound under their ids; any other is loaded with its first request. A request without the key is refused.
import { WorkerEntrypoint } from "cloudflare:workers";

const clean = ["crane-key", "crane-database", "crane-version", "crane-url"];

const objectOf = (databases, id) => databases.get(databases.idFromName(id));

// What a D1 binding asks, not prepare().all(): only its reply has duplicate column names and the columns of empty results.
// A list of statements is one transaction, as with batch().
async function query(databases, id, request) {
  const body = await request.text();
  const url = "http://d1/query?resultsFormat=ROWS_AND_COLUMNS";
  try {
    const reply = await objectOf(databases, id).fetch(url, { method: "POST", body, cf: { miniflare: { name: id } } });
    return new Response(await reply.text(), { status: reply.status });
  } catch (error) {
    // The commit failed: a deferred foreign key is violated.
    return Response.json({ success: false, error: String(error?.message ?? error) });
  }
}

async function run(version, url, request) {
  const passed = new Request(url, request);
  for (const name of clean) passed.headers.delete(name);
  passed.headers.set("host", new URL(url).host);
  passed.headers.set("cf-connecting-ip", "127.0.0.1");
  try {
    return await version.fetch(new Request(passed, { cf: { colo: "LOC" } }), { redirect: "manual" });
  } catch (error) {
    console.error(error?.stack ?? String(error));
    return new Response("error code: 1101", { status: 500, headers: { "crane-threw": "yes" } });
  }
}

// What a loaded version's D1 binding asks.
export class Database extends WorkerEntrypoint {
  fetch(request) {
    const { id } = this.ctx.props;
    return objectOf(this.env.DATABASES, id).fetch(request, { cf: { miniflare: { name: id } } });
  }
}

async function codeOf(id, env, ctx) {
  const { databases = {}, ...code } = await (await env.CODE.fetch(`http://code/${id}.json`)).json();
  const services = Object.entries(databases).map(([name, id]) => [name, ctx.exports.Database({ props: { id } })]);
  return { ...code, env: { ...code.env, ...Object.fromEntries(services) } };
}

const loaded = (id, env, ctx) => env.LOADER.get(id, () => codeOf(id, env, ctx)).getEntrypoint();

export default {
  async fetch(request, env, ctx) {
    const header = (name) => request.headers.get(name);
    if (header("crane-key") !== env.KEY) return new Response("forbidden", { status: 403 });
    const database = header("crane-database");
    if (database) return query(env.DATABASES, database, request);
    const version = header("crane-version");
    return run(env[version] ?? loaded(version, env, ctx), header("crane-url"), request);
  },
};
