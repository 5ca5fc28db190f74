"""No round of a trial is known to the worker from one before it: each question comes over a connection of its own, without a cookie."""

import asyncio
from dataclasses import dataclass, field

from crane_infra.checks.model import Check
from crane_infra.checks.request import Target
from crane_infra.traffic.series import ENOUGH
from crane_infra.traffic.trial import run_trial

CHECKS = (Check(name="version", path="/version", version_at="id"), Check(name="health", path="/health"))
ANSWER = b"HTTP/1.1 200 OK\r\nset-cookie: seen=before; Path=/\r\ncontent-type: application/json\r\ncontent-length: 11\r\n\r\n"


@dataclass
class Worker:
    """Gives everyone a cookie, and keeps what each connection asked."""

    connections: list[list[str]] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the questions of one connection."""
        asked: list[str] = []
        self.connections.append(asked)
        while head := (await reader.read(65536)).decode():
            asked.append(head)
            writer.write(ANSWER + b'{"id": "v"}')
        writer.close()


async def test_each_question_of_a_trial_comes_from_a_stranger() -> None:
    worker = Worker()
    async with await asyncio.start_server(worker.serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        assert await run_trial(Target("w", f"http://127.0.0.1:{port}", "v", {}), "v", CHECKS, lambda _: None) is None
    assert [len(asked) for asked in worker.connections] == [1] * ENOUGH * len(CHECKS)
    assert not any("cookie:" in head.lower() for asked in worker.connections for head in asked)
