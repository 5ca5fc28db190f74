// Reads files as wrangler does: a list of [path of wrangler, [[file, environment or null], …]] on standard input, its configurations on standard output.
const [wrangler, files] = JSON.parse(require("fs").readFileSync(0, "utf8"));
const { unstable_readConfig } = require(wrangler);
const read = ([config, env]) => unstable_readConfig({ config, env: env ?? undefined }, { hideWarnings: true });
process.stdout.write(JSON.stringify(files.map(read)));
