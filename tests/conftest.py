"""What all tests share: Hypothesis without timing verdicts, since a busy machine is no fault of the code; an API that knows nothing."""

import functools
import gc
import json
import os
import signal
import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler

import pytest
from hypothesis import HealthCheck, settings

from tests import reaper
from tests.cloud import api, begin, cloud, clouds, faults, start_from_a_warm_python
from tests.http_server import Server
from tests.repository import ROOT, TESTS
from tests.samples import make_proof, make_settings
from tests.tiers import hold_tests_to_their_markers

__all__ = ["api", "begin", "cloud", "clouds", "faults", "make_proof", "make_settings"]

settings.register_profile("crane", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("crane")


def pytest_configure(config: pytest.Config) -> None:
    """A test may start what its marker says, and nothing that a run started outlives the run.

    The engine is a Go program that ends within seconds: without a garbage collector and on one core it takes half of the processor time to start.
    Whoever runs the tests may have the official provider's plugin in the Pulumi home, and the engine would start that instead of the stand-in.
    """
    os.environ |= {"GOGC": "off", "GOMAXPROCS": "1", "PULUMI_HOME": str(ROOT / ".crane" / "test-home")}
    # Each client of httpx reads the certificates of the world anew, which takes longer than most calls of the tests.
    ssl.create_default_context = functools.cache(ssl.create_default_context)  # type: ignore[assignment]
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell starts what runs in the background with Ctrl-C ignored
    gc.disable()  # what the collection of 7,000 tests makes stays to the end: looking through it again and again took a sixth of its time
    hold_tests_to_their_markers(config)
    start_from_a_warm_python()
    if not hasattr(config, "workerinput"):
        reaper.watch()
    elif config.args == config.getini("testpaths"):
        config.args = _own_order(int(config.workerinput["workerid"].removeprefix("gw")), config.workerinput["workercount"])


def _own_order(worker: int, workers: int) -> list[str]:
    """All folders of tests, from another one on for each worker: a file whose bytecode another worker has written need not be compiled again."""
    folders = sorted({path.relative_to(TESTS).parts[0] for path in TESTS.rglob("test_*.py")})
    first = len(folders) * worker // workers
    return [str(TESTS / folder) for folder in folders[first:] + folders[:first]]


LONGEST = ("test_pipeline.py", "test_both_accounts.py")
"""Files that are one long story."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest first, so that no worker waits for another at the end: long stories, the engine's files, those of the local cloud, the rest.

    All workers have to agree on the order.
    """
    items.sort(key=lambda item: (_place(item), item.path))


def pytest_collection_finish() -> None:
    """Collect garbage from now on, but for what the collection of the tests made."""
    gc.freeze()
    gc.enable()


def _place(item: pytest.Item) -> int:
    if item.path.name in LONGEST:
        return 0
    return next((place for place, marker in enumerate(("engine", "cloud"), 1) if item.get_closest_marker(marker)), 3)


NOTHING = [{"code": 10007, "message": "This Worker does not exist on your account."}, {"code": 7404, "message": "not found"}]


class Nothing(BaseHTTPRequestHandler):
    """Answers, in Cloudflare's envelope, that there is no such worker and no such database."""

    def do_GET(self) -> None:
        body = json.dumps({"success": False, "errors": NOTHING, "messages": [], "result": None}).encode()
        self.send_response(404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET  # noqa: N815 - named by the protocol

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def bare_account() -> Iterator[str]:
    """The address of an API that knows of no worker and no database."""
    server = Server(("127.0.0.1", 0), Nothing)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()
