"""The warm Python: ``server.py SOCKET MODULES``. Imports the modules, then forks for each request until its standard input ends.

It has one thread and opens no connection of its own, so a fork is a whole Python: nothing of Pulumi or gRPC has begun when it is made.
Beside the socket is a file for each command that waits, by its process id, with that of its fork.
"""

import atexit
import functools
import gc
import importlib
import marshal
import os
import runpy
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

PACKAGES = ["-m", "pip", "list"]


@dataclass(frozen=True)
class Request:
    """A call of Python: its arguments, folder, environment and standard streams, and the command that waits for its end: its id and connection."""

    words: list[str]
    folder: str
    environ: dict[str, str]
    pid: int
    streams: list[int]
    command: socket.socket

    def answer(self, code: int) -> None:
        """End the command with this exit code, or by this signal if it is negative. Nobody waits for one that was killed."""
        with suppress(OSError):
            self.command.sendall(str(code).encode())
        self.leave()

    def leave(self) -> None:
        """Close what it holds: who reads what a program prints waits until nobody can write there any more."""
        self.command.close()
        for stream in self.streams:
            os.close(stream)


def read_request(command: socket.socket) -> Request | None:
    """Read what a command sends; None where it was killed before it had sent all."""
    size, streams, _, _ = socket.recv_fds(command, 8, 3)
    with command.makefile("rb") as sent:
        content = sent.read(int.from_bytes(size, "big"))
    if not content or len(content) < int.from_bytes(size, "big"):
        return None
    words, folder, environ, pid = marshal.loads(content)  # noqa: S302 - it comes from command.py
    return Request(words, folder, environ, pid, streams, command)


@dataclass
class Runs:
    """The programs that run, by process id."""

    listener: socket.socket
    requests: dict[int, Request] = field(default_factory=dict)

    def serve(self) -> Request | None:
        """Answer requests. Comes back in each fork, with its request, and at the end of standard input with None."""
        woken, wake = socket.socketpair()
        wake.setblocking(False)  # noqa: FBT003 (the library's own signature)
        signal.set_wakeup_fd(wake.fileno())
        signal.signal(signal.SIGCHLD, lambda *_: None)
        while True:
            ready = self._wait_for(woken)
            if sys.stdin in ready:
                for pid in self.requests:
                    os.kill(pid, signal.SIGKILL)
                return None
            if woken in ready:
                woken.recv(4096)
                self._end_commands()
            for pid in [pid for pid, request in self.requests.items() if request.command in ready]:
                os.kill(pid, signal.SIGKILL)  # somebody killed the command
            if self.listener in ready and (request := self._accept()):
                return request

    def _wait_for(self, woken: socket.socket) -> list[object]:
        with selectors.DefaultSelector() as selector:
            for source in (sys.stdin, self.listener, woken, *(request.command for request in self.requests.values())):
                selector.register(source, selectors.EVENT_READ)
            return [key.fileobj for key, _ in selector.select()]

    def _end_commands(self) -> None:
        """Tell the commands whose programs have ended."""
        for pid in list(self.requests):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                request = self.requests.pop(pid)
                self._file_of(request).unlink(missing_ok=True)
                request.answer(os.waitstatus_to_exitcode(status))

    def _accept(self) -> Request | None:
        """Begin what a command asks for; in the fork, its request comes back."""
        request = read_request(self.listener.accept()[0])
        if request is None:
            return None
        if request.words[: len(PACKAGES)] == PACKAGES:
            with suppress(OSError):
                os.write(request.streams[1], packages(*request.words))
            request.answer(0)
            return None
        pid = os.fork()
        if pid == 0:
            self._file_of(request).write_text(str(os.getpid()))  # the fork itself: it is there before the program begins
            self.listener.close()
            request.command.close()
            for other in self.requests.values():
                other.leave()
            return request
        self.requests[pid] = request
        return None

    def _file_of(self, request: Request) -> Path:
        return Path(self.listener.getsockname()).with_name(str(request.pid))


@functools.cache
def packages(*words: str) -> bytes:
    """What pip lists. It is asked once, since no test installs anything."""
    return subprocess.run([sys.executable, *words], stdout=subprocess.PIPE, check=True).stdout


def become(request: Request) -> None:
    """Take on what a new Python would have got: streams, environment, folder and places of modules, and no handlers of signals."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for number, stream in enumerate(request.streams):
        os.dup2(stream, number)
        os.close(stream)
    os.environ.clear()
    os.environ.update(request.environ)
    os.chdir(request.folder)
    sys.path[1:1] = [place for place in request.environ.get("PYTHONPATH", "").split(os.pathsep) if place]


def run(words: list[str]) -> None:
    """Do what ``python SCRIPT ARGUMENTS``, ``python -m MODULE ARGUMENTS`` or ``python -c CODE ARGUMENTS`` does."""
    if words[0] == "-m":
        sys.argv, sys.path[0] = words[1:], os.getcwd()  # noqa: PTH109
        runpy.run_module(words[1], run_name="__main__", alter_sys=True)
    elif words[0] == "-c":
        sys.argv, sys.path[0] = ["-c", *words[2:]], ""
        exec(words[1], {"__name__": "__main__"})  # noqa: S102
    else:
        sys.argv, sys.path[0] = words, os.path.dirname(words[0])  # noqa: PTH120
        runpy.run_path(words[0], run_name="__main__")


def end_as_python(code: int) -> None:
    """End this process as Python does at the end of a program, but for what it does with each module that was imported: 40 ms in a fork."""
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code & 0xFF)


def run_to_its_end(words: list[str]) -> None:
    """Run Python with these arguments and end as it ends. What ends with a message is left to Python itself."""
    try:
        run(words)
    except SystemExit as end:
        if end.code is not None and not isinstance(end.code, int):
            raise
        code = end.code or 0
    else:
        code = 0
    with suppress(OSError, ValueError):  # a stream that nobody reads, of which Python says so
        end_as_python(code)
    sys.exit(code)


def complete_models() -> None:
    """Build what Pydantic builds at the first use of a model, else each fork does."""
    models = list(pydantic.BaseModel.__subclasses__()) if (pydantic := sys.modules.get("pydantic")) else []
    for model in models:  # grows
        models += model.__subclasses__()
        if model.__module__.startswith("crane_infra."):
            model.model_rebuild()


def leave_out_debug_messages() -> None:
    """Keep what Pulumi's SDK says for ``--debug``: 170 calls of the engine in each run, which drops them."""
    if log := sys.modules.get("pulumi.log"):
        log.__dict__["debug"] = lambda *_, **__: None


def main() -> None:
    """Serve; in a fork, run what was asked for."""
    sys.path[0] = os.getcwd()  # noqa: PTH109
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(sys.argv[1])
        gc.disable()
        for name in sys.argv[2:]:
            importlib.import_module(name)
        complete_models()
        leave_out_debug_messages()
        gc.freeze()
        gc.enable()
        listener.listen()
        print("ready", flush=True)  # noqa: T201 (its answer)
        request = Runs(listener).serve()
    if request is None:
        shutil.rmtree(os.path.dirname(sys.argv[1]))  # noqa: PTH120
    else:
        become(request)
        run_to_its_end(request.words)


if __name__ == "__main__":
    main()
