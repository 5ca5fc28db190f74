// Tries versions in workerd before they are accepted, apart from the live one and with empty databases, so that a failure never reaches it.
import { readFileSync } from "node:fs";
import { code } from "./loaded.mjs";

const PROBE = readFileSync(new URL("probe.mjs", import.meta.url), "utf8");
const MOST = 100; // scripts that one process loads: each leaves 50 KB in it

export class Trials {
  #probe;
  #loaded = 0;

  constructor(Miniflare, common, compatibilityDate) {
    this.start = (options) => new Miniflare({ ...common, ...options });
    this.compatibilityDate = compatibilityDate;
  }

  // A script that binds nothing but values and databases is loaded into a process that runs already: a few milliseconds, where a start takes 90.
  // The words of a failure are those of a start, and only a start knows what else is bound.
  async check({ workers, loadable }) {
    const found = loadable ? await this.#load(workers) : undefined;
    return found ? { error: null, found } : this.#begin(workers);
  }

  async #load([inspector, itself]) {
    try {
      if (this.#loaded++ % MOST === 0) await this.end();
      this.#probe ??= this.start(this.#options());
      const body = JSON.stringify([inspector, itself].map(code));
      const reply = await this.#probe.dispatchFetch("http://probe/", { method: "POST", body });
      return (await reply.json()).found;
    } catch {
      await this.end(); // it was killed, or the script killed it
    }
  }

  #options() {
    const modules = [{ type: "ESModule", path: "probe.mjs", contents: PROBE }];
    const handleRuntimeStdio = (...streams) => streams.forEach((stream) => stream.resume());
    const worker = { name: "probe", compatibilityDate: this.compatibilityDate, modules, workerLoaders: { LOADER: {} } };
    return { handleRuntimeStdio, workers: [worker] };
  }

  // The first of the workers answers what the version handles.
  async #begin(workers) {
    let text = "";
    const handleRuntimeStdio = (...streams) => streams.forEach((stream) => stream.on("data", (chunk) => (text += chunk)));
    const trial = this.start({ handleRuntimeStdio, workers });
    try {
      await trial.ready;
      return { error: null, found: await (await trial.dispatchFetch("http://trial/")).json() };
    } catch (error) {
      if (!text) throw error; // workerd was killed: the workers are not at fault
      return { error: text.slice(0, 8000) };
    } finally {
      await trial.dispose().catch(() => {});
    }
  }

  // Ends the process that loads scripts; the next script starts another.
  async end() {
    const probe = this.#probe;
    this.#probe = undefined;
    await probe?.dispose().catch(() => {});
  }
}
