// Imports a version's main module, as workerd does, and answers which events its default export, an object or a class, handles.
// Cloudflare refuses a version that has neither a handler nor a class that another worker could bind.
import * as main from "MAIN";

const KNOWN = ["fetch", "scheduled", "queue", "email", "tail", "tailStream", "trace", "connect", "test"];
const isClass = (value) => typeof value === "function" && /^class\b/.test(Function.prototype.toString.call(value));
const handled = (value) => KNOWN.filter((name) => typeof (isClass(value) ? value.prototype : value)?.[name] === "function");

export default {
  fetch: () => Response.json({ handlers: handled(main.default), classes: Object.keys(main).filter((name) => isClass(main[name])) }),
};
