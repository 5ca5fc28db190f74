// The one worker that the server calls. It passes a request to the version that the request names, or statements to the database.
// Databases and versions are bound under their ids. A request without the key is refused.
const clean = ["crane-key", "crane-database", "crane-version", "crane-url"];

// The binding's own fetcher, not prepare().all(): only its reply has duplicate column names and the columns of empty results.
// A list of statements is one transaction, as with batch().
async function query(database, request) {
  const body = await request.text();
  try {
    const reply = await database.fetcher.fetch("http://d1/query?resultsFormat=ROWS_AND_COLUMNS", { method: "POST", body });
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

export default {
  async fetch(request, env) {
    const header = (name) => request.headers.get(name);
    if (header("crane-key") !== env.KEY) return new Response("forbidden", { status: 403 });
    const database = header("crane-database");
    if (database) return env[database] ? query(env[database], request) : new Response("no such database", { status: 404 });
    const version = env[header("crane-version")];
    return version ? run(version, header("crane-url"), request) : new Response("no such version", { status: 404 });
  },
};
