"""Serves the fixture program to the engine, run after run, and prints the port for its ``--client``.

Cloudflare's SDK takes seconds to import: so it is imported once for all runs of a stack. The inputs are read anew for each run from
the file that is the argument. Ends when its input does.
"""

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from crane_infra.imports import without_collector

with without_collector():
    import grpc
    from declare import declare
    from pulumi.automation._server import LanguageServer
    from pulumi.runtime.proto import language_pb2_grpc


def main() -> None:
    """Serve until the input ends."""
    inputs = Path(sys.argv[1])
    server = grpc.server(ThreadPoolExecutor(max_workers=4))
    program = LanguageServer(lambda: declare(json.loads(inputs.read_text())))
    language_pb2_grpc.add_LanguageRuntimeServicer_to_server(program, server)
    print(server.add_insecure_port("127.0.0.1:0"), flush=True)  # noqa: T201 (its answer)
    server.start()
    sys.stdin.read()
    server.stop(grace=None)


if __name__ == "__main__":
    main()
