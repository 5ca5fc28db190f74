"""The server that checks ask, and pauses that are as long as a test asks for."""

import threading
from collections.abc import Iterator

import pytest

from tests.checks.server import LONG, Server


@pytest.fixture(autouse=True)
def pauses_of_any_length(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pause of ten seconds at most would leave room for a second try before a deadline that even a slow machine keeps."""
    monkeypatch.setattr("crane_infra.checks.run._LONGEST_PAUSE", LONG)


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()
