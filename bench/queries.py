"""The time of a query through the REST API: one after another, and 200 at once."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from bench import bare, machine
from bench.rows import Row, at_least, at_most, median, p95, timed
from local_cloud.workerd.connections import Connections

if TYPE_CHECKING:
    from pathlib import Path

_TIMES, _DATABASES, _EACH, _ROUNDS = 300, 20, 10, 5
_STATEMENTS = ("SELECT 1", "INSERT INTO t VALUES(1)")


def latency(folder: Path) -> list[Row]:
    """Send single statements one after another; compare with our framework's constant answer, and with D1 inside bare Miniflare."""
    d1 = bare.d1_milliseconds(machine.modules(), folder / "bare", _TIMES)
    with bare.constant_server() as url, machine.client("none") as http:
        floor = timed(lambda: http.post(url, json={"sql": _STATEMENTS[0]}), _TIMES)
    rows: list[Row] = []
    with machine.cloud(folder / "cloud") as api:
        url = api.url(f"/d1/database/{api.database('bench')}/query")
        for sql in _STATEMENTS:
            figures = timed(lambda sql=sql: api.http.post(url, json={"sql": sql}).raise_for_status(), _TIMES)  # type: ignore[misc]
            rows += [
                Row(f"{sql}, median", median(figures), "ms", median(floor), "constant answer, same framework"),
                Row(f"{sql}, median", median(figures), "ms", d1[sql], "the same inside bare Miniflare, mean", at_most(3)),
                Row(f"{sql}, p95", p95(figures), "ms", p95(floor), "constant answer, same framework"),
            ]
    return rows


def at_once(folder: Path) -> list[Row]:
    """Send 200 queries at once to 20 databases, in rounds of reads and of writes. Any error fails the measurement."""
    with machine.cloud(folder / "cloud") as api:
        urls = [api.url(f"/d1/database/{api.database(f'bench-{number}')}/query") for number in range(_DATABASES)]
        return [
            Row(f"200 at once on 20 databases, {sql}", asyncio.run(_rate(api, urls, sql)), "queries/s", goal=at_least(500))
            for sql in _STATEMENTS
        ]


async def _rate(api: machine.Api, urls: list[str], sql: str) -> float:
    """The median rate of the rounds, in queries per second. Raises RuntimeError if a query fails.

    Each database has its own client, as light as they come: with httpx three fifths of the processor time were the client's.
    """
    rates = []
    headers, body = {"authorization": api.http.headers["authorization"]}, json.dumps({"sql": sql}).encode()
    with contextlib.ExitStack() as stack:
        clients = [Connections() for _ in urls]
        for client in clients:
            stack.callback(client.close)
        for _ in range(_ROUNDS + 1):
            began = time.perf_counter()
            calls = zip(clients * _EACH, urls * _EACH, strict=True)
            replies = await asyncio.gather(*(client.post(_address(url), headers, body, 60, urlsplit(url).path) for client, url in calls))
            rates.append(len(replies) / (time.perf_counter() - began))
            errors = [reply.decode() for reply in replies if not json.loads(reply)["success"]]
            if errors:
                raise RuntimeError(f"{len(errors)} of {len(replies)} queries failed; the first answer: {errors[0][:300]}")
    return median(rates[1:])


def _address(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    return parts.hostname or "", parts.port or 0
