"""Starts the local cloud's process: daemon.py runs it as ``python -m local_cloud.server.serve``."""

from __future__ import annotations

import argparse
import asyncio
import atexit
import contextlib
import gc
import os
import sys
from pathlib import Path


def main() -> None:
    """Run one local cloud until it is stopped; exits with one line when it cannot start."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--modules", type=Path, required=True)
    parser.add_argument("--instance", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--subdomain", required=True)
    parser.add_argument("--program", type=Path, required=True)
    given = parser.parse_args()
    with contextlib.suppress(PermissionError):  # already the leader of a session
        os.setsid()
    # What is imported lives until the end: a search for garbage in it, now and at the end, would take a third of the time to start.
    gc.disable()
    sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type] # httpx's command line, a third of its import, for nobody
    from local_cloud.errors import LocalCloudError  # noqa: PLC0415
    from local_cloud.server.process import serve  # noqa: PLC0415
    from local_cloud.workerd.node import NodeError  # noqa: PLC0415

    gc.freeze()
    gc.enable()
    atexit.register(gc.freeze)
    try:
        asyncio.run(serve(given.folder, given.modules, given.instance, given.port, given.subdomain, given.program))
    except (LocalCloudError, NodeError) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
