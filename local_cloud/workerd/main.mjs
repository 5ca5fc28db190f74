// The local cloud's Node side: one Miniflare (workerd and D1) that follows commands on stdin, one JSON object a line.
// It keeps no state and exits when stdin closes, so a killed parent leaves nothing behind.
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { d1Client } from "./d1_client.mjs";
import databases from "./databases.cjs";
import { codeWithDatabases } from "./loaded.mjs";
import { Trials } from "./trials.mjs";

const [modules, persist] = process.argv.slice(2);
const require = createRequire(`${modules}/`);
const { Miniflare, NoOpLog, PLUGINS, supportedCompatibilityDate } = require("miniflare");
const gate = readFileSync(new URL("gate.mjs", import.meta.url), "utf8");
const localhost = { host: "127.0.0.1", port: 0 };
const common = { ...localhost, log: new NoOpLog(), cf: false };
const plugin = { package: fileURLToPath(new URL("databases.cjs", import.meta.url)), name: "crane-databases" };
const codes = tmpdir(); // where the code of the versions is that the gate loads
const trials = new Trials(Miniflare, common, supportedCompatibilityDate);
let miniflare;

const say = (message) => process.stdout.write(`${JSON.stringify(message)}\n`);
const logged = (out, err) => [out, err].forEach((stream) => stream.on("data", (text) => process.stderr.write(text)));
const named = (names) => Object.fromEntries(names.map((name) => [name, name]));

function gateWorker(key, workers) {
  return {
    name: "gate",
    compatibilityDate: supportedCompatibilityDate,
    modules: [{ type: "ESModule", path: "gate.mjs", contents: gate }],
    bindings: { KEY: key },
    d1Databases: { ANY: databases.OF_ALL },
    unsafeBindings: [bound("DATABASES", {})],
    workerLoaders: { LOADER: {} },
    serviceBindings: { CODE: { disk: { path: codes, writable: false } }, ...named(workers.map((worker) => worker.name)) },
    unsafeDirectSockets: [localhost],
  };
}

// JSON has no bytes: a binary module arrives as base64.
const decoded = (module) => (module.base64 === undefined ? module : { ...module, contents: Buffer.from(module.base64, "base64") });
const beside = (...parts) => join(dirname(persist), ...parts);
const placed = ({ set, ...assets }) => ({ ...assets, directory: beside("assets", "sets", set) });
const prepared = (workers) =>
  workers.map(({ assets, ...worker }) => ({ ...worker, modules: worker.modules.map(decoded), ...(assets && { assets: placed(assets) }) }));

// Miniflare gives the folders of all workers' assets one name, and so serves those of the first worker from all: here each has its own.
const servicesOfAssets = PLUGINS.assets.getServices;
PLUGINS.assets.getServices = async (given) => {
  const services = await servicesOfAssets(given);
  const files = services.find((service) => service.disk);
  const readers = services.flatMap((service) => service.worker?.bindings ?? []).filter(({ service }) => service?.name === files?.name);
  for (const named of [files, ...readers.map(({ service }) => service)]) if (named) named.name += `:${given.options.assets.workerName}`;
  return services;
};

// A binding of a database; without an id, of all.
const bound = (name, options) => ({ name, type: "d1", plugin, options });
const started = ({ d1Databases, ...worker }) => ({ ...worker, unsafeBindings: Object.entries(d1Databases).map(([name, id]) => bound(name, { id })) });

// The versions that the gate loads when a request names them. One with databases is started where the code of D1's bindings is not found.
let found;
const client = () => (found ??= { code: d1Client(require("workerd").default) }).code;
const canLoad = ({ isLoaded, d1Databases }) => isLoaded && (!Object.keys(d1Databases).length || client() !== undefined);
const keep = (workers) =>
  workers.forEach((worker) => writeFileSync(join(codes, `${worker.name}.json`), JSON.stringify(codeWithDatabases(worker, client))));
const place = async () => ({ url: String(await miniflare.unsafeGetDirectURL("gate")) });

// Fails where a version has to be started after all, and where workerd ended and Miniflare could not start it again, as when another program
// has its port.
async function offer({ workers }) {
  if (!workers.every(canLoad)) throw new Error("this version has to be started");
  keep(workers);
  await miniflare.ready;
  return place();
}

// Miniflare wants the port back that it had, and any program may have taken it since: then it starts anew, on another.
async function configure({ key, workers: versions }) {
  keep(versions.filter(canLoad));
  const own = prepared(versions.filter((version) => !canLoad(version))).map(started);
  const workers = [gateWorker(key, own), ...own];
  const kept = { d1Persist: persist, kvPersist: beside("kv"), r2Persist: beside("r2"), durableObjectsPersist: beside("objects") };
  const options = { ...common, ...kept, handleRuntimeStdio: logged, workers };
  const hadPort = miniflare !== undefined;
  try {
    return await run(options);
  } catch (error) {
    if (!hadPort || !String(error?.message).includes("Address already in use")) throw error;
    return run(options);
  }
}

async function run(options) {
  try {
    if (miniflare) await miniflare.setOptions(options);
    else miniflare = new Miniflare(options);
    await miniflare.ready;
    return await place();
  } catch (error) {
    await miniflare?.dispose().catch(() => {});
    miniflare = undefined;
    throw error;
  }
}

async function check({ workers, loadable }) {
  return trials.check({ workers: prepared(workers), loadable });
}

async function answer({ id, op, ...rest }) {
  try {
    say({ id, result: await { configure, offer, check }[op](rest) });
  } catch (error) {
    say({ id, error: String(error?.message ?? error).slice(0, 8000) });
  }
}

async function end() {
  setTimeout(() => process.exit(1), 3000).unref();
  await Promise.all([miniflare?.dispose().catch(() => {}), trials.end()]);
  process.exit(0);
}

process.on("SIGINT", () => {});
createInterface({ input: process.stdin }).on("line", (line) => answer(JSON.parse(line))).on("close", end);
say({ ready: true, compatibilityDate: supportedCompatibilityDate });
