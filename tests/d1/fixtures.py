"""The fixtures that the tests of the client and of migrations share."""

from collections.abc import AsyncIterator, Iterator

import pytest
import stamina

from crane_infra.d1.client import D1
from tests.d1.server import D1Server, connected, running


@pytest.fixture(autouse=True)
def no_waiting() -> Iterator[None]:
    """Retries as many as ever, without the time between them."""
    with stamina.set_testing(True, attempts=5, cap=True):
        yield


@pytest.fixture
def server() -> Iterator[D1Server]:
    """An empty database behind a D1 REST API."""
    with running() as database:
        yield database


@pytest.fixture
async def db(server: D1Server) -> AsyncIterator[D1]:
    """The client under test, connected to ``server``."""
    async with connected(server) as client:
        yield client
