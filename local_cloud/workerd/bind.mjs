// Runs in a loaded version before its own code: makes D1 bindings of the services that stand under their names.
// There is one `env` in an isolate, which handlers get and modules import.
import { env } from "cloudflare:workers";
import makeBinding from "./crane-d1.mjs";

for (const name of NAMES) env[name] = makeBinding({ fetcher: env[name] });
