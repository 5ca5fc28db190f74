"""What encrypts the secrets of the stacks of tests: it answers the engine as the transit engine of a Vault does, which keeps the key.

With a passphrase, each start of the engine takes a seventh of a second of processor time to derive the key, more than a third of a small run. Tests
whose subject is the passphrase take one (``World.take_passphrase``), and rehearsals and the jobs of workflows have one from the start.

It is a process of its own, which ends with its standard input. It keeps no key: what it wraps is the key of a stack that exists for a test only.
"""

import atexit
import functools
import json
import subprocess
import sys
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

PROVIDER = "hashivault://crane-tests"
_TOKEN = "token-of-the-key-manager"
_WRAPPED = "vault:v1:"


@functools.cache
def variables() -> Mapping[str, str]:
    """What leads the engine to it. It starts with the first call, and ends with this process."""
    process = subprocess.Popen([sys.executable, "-IS", __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    atexit.register(process.communicate)  # the end of its standard input ends it
    assert process.stdout
    return {"VAULT_SERVER_URL": f"http://127.0.0.1:{int(process.stdout.readline())}", "VAULT_SERVER_TOKEN": _TOKEN}


class _Transit(BaseHTTPRequestHandler):
    """``PUT /v1/transit/encrypt/KEY`` and ``PUT /v1/transit/decrypt/KEY``."""

    protocol_version = "HTTP/1.1"

    def do_PUT(self) -> None:
        """Wrap or unwrap a key."""
        sent = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if self.headers["x-vault-token"] != _TOKEN:
            self._send(403, {"errors": ["permission denied"]})
        elif "/transit/encrypt/" in self.path:
            self._send(200, {"data": {"ciphertext": f"{_WRAPPED}{sent['plaintext']}"}})
        else:
            self._send(200, {"data": {"plaintext": sent["ciphertext"].removeprefix(_WRAPPED)}})

    def _send(self, status: int, answer: Mapping[str, object]) -> None:
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Log nothing."""


def _serve() -> None:
    ThreadingHTTPServer.request_queue_size = 128  # five connections at once are too few for three workers of pytest
    with ThreadingHTTPServer(("127.0.0.1", 0), _Transit) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        print(server.server_port, flush=True)  # noqa: T201 (its answer)
        sys.stdin.read()


if __name__ == "__main__":
    _serve()
