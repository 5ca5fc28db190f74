// A worker of Miniflare as a worker loader takes it: its code, and its values as `env`. Databases come beside, for the gate to bind their services.
import { readFileSync } from "node:fs";

const KEYS = { ESModule: "js", CommonJS: "cjs", Text: "text" };
const BIND = readFileSync(new URL("bind.mjs", import.meta.url), "utf8");

export function code({ modules, compatibilityDate, compatibilityFlags, bindings }) {
  const named = modules.map(({ type, path, contents }) => [path.slice(1), { [KEYS[type]]: contents }]);
  return { compatibilityDate, compatibilityFlags, mainModule: named[0][0], modules: Object.fromEntries(named), env: bindings };
}

// With databases, a module that makes their bindings runs before the version's own (bind.mjs); `client` gives the code that they consist of.
export function codeWithDatabases({ d1Databases: databases, ...worker }, client) {
  const own = code(worker);
  const names = Object.keys(databases);
  if (!names.length) return own;
  const main = JSON.stringify(`./${own.mainModule}`);
  const ours = {
    "crane-main.mjs": `import "./crane-bind.mjs"; import * as main from ${main}; export * from ${main}; export default main.default;`,
    "crane-bind.mjs": BIND.replace("NAMES", () => JSON.stringify(names)),
    "crane-d1.mjs": client(),
  };
  const added = Object.fromEntries(Object.entries(ours).map(([name, js]) => [name, { js }]));
  return { ...own, mainModule: "crane-main.mjs", modules: { ...own.modules, ...added }, databases };
}
