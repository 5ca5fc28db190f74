"""Runs the command of a check once, and kills it with everything that it started.

It gets few variables of the run's environment: none that holds a token. What it writes is kept in part, and is shown without secrets only.
"""

import asyncio
import contextlib
import os
import secrets
import signal
from collections.abc import Iterator, Mapping
from pathlib import Path

from crane_infra.checks.answer import in_one_line, one_line
from crane_infra.checks.attempt import Attempt
from crane_infra.checks.command import CommandCheck
from crane_infra.checks.patterns import matches
from crane_infra.checks.request import Route

_KEPT_BYTES = 1 << 18
_READ = 1 << 16
"""Characters that are looked through before the end of them is shown: what was cut at their beginning is not."""
_SHOWN = 200
_ROUNDS = 5
_LAST_OUTPUT_SECONDS = 1.0
_MARK = "CRANE_CHECK"
_PASSED_ON = ("PATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR")
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy")


def environment_of(route: Route, check: CommandCheck, environ: Mapping[str, str], mark: str) -> dict[str, str]:
    """The environment of a command: ``mark`` is in it, and in that of all its children."""
    target = route.target
    return {
        **{name: environ[name] for name in (*_PASSED_ON, *_PROXIES) if name in environ},
        **check.environment,
        **{variable: target.secrets[binding] for variable, binding in check.secrets_in.items()},
        "CRANE_URL": target.url,
        "CRANE_WORKER": target.worker,
        "CRANE_VERSION": target.version_id or route.override or "",
        "CRANE_OVERRIDE": route.override_header or "",
        _MARK: mark,
    }


async def execute(route: Route, check: CommandCheck, seconds: float) -> Attempt:
    """Run the command once, for at most so many seconds."""
    redact = route.target.redact
    shown = in_one_line(redact(check.shell or " ".join(check.run)))
    expected = f"`{shown}` to end with 0" + (f", an output matching {check.output_matches}" if check.output_matches else "")
    mark = secrets.token_hex(16)
    environment = environment_of(route, check, os.environ, mark)
    try:
        code, output = await _run(check.argv, environment, route.target.folder, seconds, mark)
    except OSError as error:
        return Attempt(passed=False, expected=expected, came=f"none, {type(error).__name__}", is_down=True, declared=expected)
    text = output.decode("utf-8", "replace")
    wrote = _end_of(redact(text[-_READ:]))
    if code is None:
        came = f"none in {seconds:.1f} s, it was killed"
        return Attempt(passed=False, expected=expected, came=f"{came}{wrote}", is_down=True, ran_out=True, declared=expected, bare=came)
    ended = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
    right = code == 0 and (check.output_matches is None or matches(check.output_matches, text))
    why = "" if right or code else "the output does not match"
    bare = f"{ended} with another output" if why else ended
    return Attempt(passed=right, expected=expected, came=f"{ended}{wrote}", why=why, declared=expected, bare=bare)


async def _run(argv: tuple[str, ...], environment: Mapping[str, str], folder: Path, seconds: float, mark: str) -> tuple[int | None, bytes]:
    """The exit code, None where the time was over, and the end of the output.

    A pipe of our own: a child that outlives the command keeps it open, and must not keep us.
    """
    reading, writing = os.pipe()
    output = _Output()
    with os.fdopen(reading, "rb", buffering=0) as source:
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(lambda: output, source)
        try:
            # In a session of its own, so that it can be killed as a whole.
            process = await asyncio.create_subprocess_exec(
                *argv,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=writing,
                stderr=writing,
                env=environment,
                cwd=folder,
                start_new_session=True,
            )
        except OSError:
            transport.close()
            raise
        finally:
            os.close(writing)
        code = None
        try:
            async with asyncio.timeout(seconds):
                code = await process.wait()
        except TimeoutError:
            pass
        finally:
            _kill_all(process.pid, mark)
            await process.wait()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_LAST_OUTPUT_SECONDS):
                    await output.ended.wait()
            transport.close()
    return code, bytes(output.kept)


class _Output(asyncio.Protocol):
    """Keeps the end of what is written."""

    def __init__(self) -> None:
        self.kept = bytearray()
        self.ended = asyncio.Event()

    def data_received(self, data: bytes) -> None:
        self.kept += data
        del self.kept[:-_KEPT_BYTES]

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio gives it
        self.ended.set()


def _kill_all(leader: int, mark: str) -> None:
    """Kill the command's process group, and what has left the group but still has the mark in its environment (where /proc tells)."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)
    for _ in range(_ROUNDS):
        marked = list(_marked(f"{_MARK}={mark}".encode()))
        for process in marked:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(process, signal.SIGKILL)
        if not marked:
            return


def _marked(mark: bytes) -> Iterator[int]:
    for entry in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            if mark in entry.read_bytes().split(b"\0"):
                yield int(entry.parent.name)


def _end_of(text: str) -> str:
    """The end of an output that is redacted already: failures are told last."""
    line = one_line(text)
    if not line:
        return " and no output"
    return f" and the output: {line if len(line) <= _SHOWN else f'…{line[-_SHOWN:]}'}"
