// A plugin of Miniflare that binds its D1 databases without declaring each: a declared one starts an isolate of its own with every workerd.
// With an id, the binding is what Miniflare gives a worker for that database. Without one, it is the namespace of all databases, for the gate.
const OF_ALL = "any"; // the one database that is declared, so that Miniflare brings D1; nobody uses it

function binding({ name, options: { id } }) {
  if (id === undefined) return { name, durableObjectNamespace: { serviceName: "d1:db", className: "D1DatabaseObject" } };
  const service = { name: `d1:db:${OF_ALL}`, props: { json: JSON.stringify({ MINIFLARE_NAMESPACE: id }) } };
  return { name, wrapped: { moduleName: "cloudflare-internal:d1-api", innerBindings: [{ name: "fetcher", service }] } };
}

exports.OF_ALL = OF_ALL;
exports.plugins = {
  "crane-databases": {
    getBindings: (bindings = []) => bindings.map(binding),
    getNodeBindings: () => ({}),
    getServices: () => [],
  },
};
