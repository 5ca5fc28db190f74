"""What is started as Python: ``command.py SOCKET PYTHON ARGUMENTS``. It imports next to nothing, to start in no time.

A program, the host of one, ``crane``, ``pip list`` and a local cloud run in the warm Python behind the socket; anything else runs in a Python of its own.
"""

import _socket  # ``socket`` takes longer than all the rest
import marshal
import os
import signal
import sys

SCRIPTS = ("/pulumi-language-python-exec", "/host.py", "/bin/crane")
BEGINNINGS = (["-m", "pip", "list"], ["-m", "local_cloud.server.serve"], ["-c", "from crane_infra.cli.main import main; main()"])


def main() -> None:
    """Run the arguments, and end as they end."""
    path, python, *words = sys.argv[1:]
    if not words[0].endswith(SCRIPTS) and all(words[: len(beginning)] != beginning for beginning in BEGINNINGS):
        os.execv(python, [python, *words])  # noqa: S606 - the Python that was asked for
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    server = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    server.connect(path)
    request = marshal.dumps((words, os.getcwd(), dict(os.environ), os.getpid()))  # noqa: PTH109 - pathlib takes long, too
    streams = b"".join(stream.to_bytes(4, sys.byteorder) for stream in (0, 1, 2))
    server.sendmsg([len(request).to_bytes(8, "big")], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, streams)])
    while request:
        request = request[server.send(request) :]
    code = int(server.recv(16) or 1)
    if code < 0:
        os.kill(os.getpid(), -code)
    sys.exit(code)


if __name__ == "__main__":
    main()
