// Miniflare alone: `bare.mjs <modules> start` prints "ready" when an empty script serves; `bare.mjs <modules> d1 <folder> <times>` prints how many
// milliseconds a statement takes that a worker sends to its database. It ends when its stdin ends.
import { createRequire } from "node:module";

const [modules, mode, folder, times] = process.argv.slice(2);
const { Miniflare, NoOpLog } = createRequire(`${modules}/`)("miniflare");
const common = { host: "127.0.0.1", port: 0, log: new NoOpLog(), cf: false, modules: true };

const script = `export default { async fetch(request, { DB }) {
  const { sql, times } = await request.json();
  for (let n = 0; n < times; n++) await DB.prepare(sql).all();
  return new Response();
} };`;

async function d1() {
  const miniflare = new Miniflare({ ...common, script, d1Databases: { DB: "bare" }, d1Persist: folder });
  const run = async (sql, count) => {
    const began = performance.now();
    const reply = await miniflare.dispatchFetch("http://bare/", { method: "POST", body: JSON.stringify({ sql, times: count }) });
    if (!reply.ok) throw new Error(await reply.text());
    return (performance.now() - began) / count;
  };
  await run("CREATE TABLE t(a)", 1);
  const figures = {};
  for (const sql of ["SELECT 1", "INSERT INTO t VALUES(1)"]) {
    await run(sql, 20);
    figures[sql] = await run(sql, Number(times));
  }
  await miniflare.dispose();
  return figures;
}

async function start() {
  const miniflare = new Miniflare({ ...common, script: "export default { fetch: () => new Response() };" });
  await miniflare.ready;
  process.stdin.on("end", () => miniflare.dispose().then(() => process.exit())).resume();
  return "ready";
}

console.log(JSON.stringify(await { start, d1 }[mode]()));
