"""The session's local cloud, and a database on it for each test."""

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from crane_infra.d1.api import connect
from crane_infra.d1.client import D1
from local_cloud.daemon import Running
from local_cloud.faults.client import Faults
from tests.cloud import Api
from tests.d1.fixtures import no_waiting
from tests.migrations.faults.target import NAME, Agreed, Files, Places, Target
from tests.wrangler import Wrangler

__all__ = ["no_waiting"]

Make = Callable[[], Target]


@pytest.fixture(scope="session")
def agreed() -> Agreed:
    """What wrangler has said so far."""
    return {}


@pytest.fixture
async def make(cloud: Running, api: Api, faults: Faults, tmp_path: Path, agreed: Agreed) -> AsyncIterator[Make]:
    """Make an empty database, with a folder of its own."""
    async with connect(cloud.api_url, cloud.token) as client:

        def database() -> Target:
            name = f"{NAME}-{uuid4().hex[:8]}"
            home = tmp_path / name
            home.mkdir()
            made = api.database(name)
            db = D1(client, cloud.account_id, made, name)
            return Target(api, faults, Wrangler(cloud, home), made, db, home / "migrations", agreed)

        yield database


@pytest.fixture
def target(make: Make) -> Target:
    """An empty database."""
    return make()


@pytest.fixture(scope="session")
def _known() -> list[Places]:
    return []


@pytest.fixture
async def places(make: Make, faults: Faults, _known: list[Places]) -> Places:
    """Where the calls that apply stand among the calls of a run: looked at once, on a database of its own."""
    if not _known:
        example = make()
        files = example.files()
        faults.reset()
        await example.run(files[:1])
        tables, on_empty = example.place("CREATE TABLE IF NOT EXISTS crane_migrations"), example.place(files[0].statements[0])
        faults.reset()
        await example.run(files[:2])
        _known.append(Places(tables, on_empty, example.place(files[1].statements[0])))
        faults.reset()
    return _known[0]


@pytest.fixture
def three(target: Target) -> Files:
    """Three files that make a table, write to it and change it: run twice, each of them would fail or be seen."""
    return target.files()


@pytest.fixture(autouse=True)
def _fresh(faults: Faults) -> Iterator[None]:
    yield
    faults.reset()
