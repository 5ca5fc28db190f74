// JSON replies that no cache keeps, and the route table: path -> method -> handler(request, env).

export function json(status, value, headers = {}) {
  return new Response(JSON.stringify(value), {
    status,
    headers: { "content-type": "application/json", "cache-control": "no-store", ...headers },
  });
}

function notFound() {
  return json(404, { error: "not found" });
}

export async function route(routes, request, env) {
  const methods = routes.get(new URL(request.url).pathname);
  if (!methods) return notFound();
  if (!Object.hasOwn(methods, request.method)) {
    return json(405, { error: "method not allowed" }, { allow: Object.keys(methods).join(", ") });
  }
  try {
    return await methods[request.method](request, env);
  } catch (error) {
    console.error(error); // to the worker's own log; the caller learns nothing of it
    return json(500, { error: "internal" });
  }
}
