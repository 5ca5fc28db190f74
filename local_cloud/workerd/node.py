"""The Node child process: one JSON object a line in and out.

It ends when our end of its stdin closes, so killing this process leaves no child behind. The child leads its own process group; if it
dies before us, its workerd is killed through that group.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import signal
from typing import TYPE_CHECKING, Any

from local_cloud.errors import LocalCloudError
from local_cloud.workerd.install import RUNTIME, node
from local_cloud.workerd.leftovers import remove_leftovers, temporary_folder

if TYPE_CHECKING:
    from pathlib import Path

_START_SECONDS, _END_SECONDS, _LONGEST_LINE = 120, 5, 2**20


class NodeError(Exception):
    """The Node program could not do what was asked, or has ended."""


class Node:
    """A running Node program; made by ``Node.start``."""

    def __init__(self, process: asyncio.subprocess.Process, folder: Path) -> None:
        """Wrap a started process of the cloud in ``folder``."""
        self._process, self._folder = process, folder
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._listener: asyncio.Task[None] | None = None
        self.compatibility_date = ""

    @classmethod
    async def start(cls, modules: Path, databases: Path, *, keep_open: int) -> Node:
        """Start node on these modules; ``keep_open`` is a file descriptor that the child holds as long as it lives.

        First removes the temporary files that a killed Miniflare leaves beside the databases. Raises LocalCloudError when node does not start.
        """
        remove_leftovers(databases.parent)
        temporary = temporary_folder(databases.parent)
        temporary.mkdir(mode=0o700)
        process = await asyncio.create_subprocess_exec(
            *(str(node()), str(RUNTIME / "main.mjs"), str(modules), str(databases)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=_LONGEST_LINE,
            process_group=0,
            pass_fds=(keep_open,),
            env={**_environment(), "TMPDIR": str(temporary), "NODE_COMPILE_CACHE": str(modules / "compiled")},
        )
        self = cls(process, databases.parent)
        try:
            hello = json.loads(await asyncio.wait_for(self._line(), _START_SECONDS) or "{}")
            self.compatibility_date = hello["compatibilityDate"]
        except (TimeoutError, ValueError, KeyError) as error:
            await self.stop()
            raise LocalCloudError(
                "the local cloud's runtime", "node does not start", "Delete the runtime cache (.crane/runtime in a clone), then start again"
            ) from error
        self._listener = asyncio.create_task(self._listen())
        return self

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self._process.returncode is None

    async def ask(self, op: str, **arguments: object) -> dict[str, Any]:
        """Make the program do ``op``; raises NodeError with the program's message when it cannot."""
        stdin = self._process.stdin
        if not self.alive or stdin is None:
            raise NodeError("node has ended")
        number = next(self._numbers)
        answer = self._waiting[number] = asyncio.get_running_loop().create_future()
        try:
            stdin.write(json.dumps({"id": number, "op": op, **arguments}).encode() + b"\n")
            await stdin.drain()
            reply = await answer
        except ConnectionError as error:
            raise NodeError("node has ended") from error
        finally:
            self._waiting.pop(number, None)
        if "error" in reply:
            raise NodeError(str(reply["error"]))
        result: dict[str, Any] = reply["result"]
        return result

    async def stop(self) -> None:
        """End the program and everything it started."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._process.wait(), _END_SECONDS)
        self._end_group()
        await self._process.wait()
        if self._listener is not None:
            await self._listener
        remove_leftovers(self._folder)

    async def _line(self) -> bytes:
        return b"" if self._process.stdout is None else await self._process.stdout.readline()

    async def _listen(self) -> None:
        while line := await self._line():
            reply = json.loads(line)
            answer = self._waiting.get(reply["id"])
            if answer is not None and not answer.done():
                answer.set_result(reply)
        await self._process.wait()
        self._end_group()
        for answer in self._waiting.values():
            if not answer.done():
                answer.set_exception(NodeError("node has ended"))

    def _end_group(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)


def _environment() -> dict[str, str]:
    """Give the child's environment: deployed code runs below it, so nothing of a real account may be in it."""
    return {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
