// Loads a script into an isolate of its own and answers what it handles, or why it does not start. No code of a handler runs.
// The first of the two scripts imports the other's main module and tells its handlers (handlers.mjs); the other is the version itself.
async function started(entrypoint) {
  try {
    await entrypoint.fetch("http://probe/");
  } catch (error) {
    if (!String(error?.message).includes("Worker has no such entrypoint")) throw error;
  }
}

export default {
  async fetch(request, env) {
    const [inspecting, itself] = (await request.json()).map((code) => env.LOADER.load({ ...code, globalOutbound: null }));
    try {
      const [found] = await Promise.all([
        inspecting.getEntrypoint().fetch("http://probe/").then((reply) => reply.json()),
        started(itself.getEntrypoint(crypto.randomUUID())), // asking for what no script exports starts it, and does no more
      ]);
      return Response.json({ found });
    } catch (error) {
      return Response.json({ error: String(error?.message ?? error) });
    }
  },
};
