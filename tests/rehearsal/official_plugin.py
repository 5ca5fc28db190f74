"""The official provider's plugin as Pulumi installs it, but for its program, which serves the stand-in over the plugin protocol."""

import sys
from pathlib import Path

from crane_infra.rehearsal.plugin import FOLDER, PROGRAM

SERVING = """#!{python}
# The port on standard output; base URL and token from the environment, as for the official plugin; the end with the engine.
import asyncio, os, sys
from pathlib import Path
from local_cloud.provider import start_provider

async def serve():
    server = await start_provider(os.environ["CLOUDFLARE_BASE_URL"], os.environ["CLOUDFLARE_API_TOKEN"])
    with Path({starts!r}).open("a") as starts:
        starts.write(sys.argv[0] + "\\n")
    print(server.port, flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await server.stop()

asyncio.run(serve())
"""


def install(home: Path) -> Path:
    """Install the plugin into a Pulumi home and give its folder; what Pulumi leaves of an install lies beside it."""
    folder = home / "plugins" / FOLDER
    folder.mkdir(parents=True)
    program = folder / PROGRAM
    program.write_text(SERVING.format(python=sys.executable, starts=str(home / "starts")), encoding="utf-8")
    program.chmod(0o755)
    for name in ("LICENSE", "README.md"):
        (folder / name).write_text("as in the archive of the plugin\n", encoding="utf-8")
    for ending in (".lock", ".lastused"):
        folder.with_name(folder.name + ending).touch(mode=0o600)
    return folder


def starts(home: Path) -> list[Path]:
    """The path by which each start of the plugin was made."""
    marks = home / "starts"
    return [Path(line) for line in marks.read_text(encoding="utf-8").splitlines()] if marks.exists() else []
