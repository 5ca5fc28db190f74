"""What a cloud stores is its owner's alone, whatever umask it starts with: data, tokens, logs, exports, states and temporary files."""

import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from local_cloud import daemon
from local_cloud.daemon import Running
from tests.cloud import Api, api_of
from tests.local_cloud.d1.test_exports import ask
from tests.local_cloud.d1.test_imports import run

pytestmark = pytest.mark.cloud

Begin = Callable[..., Running]
OTHERS = stat.S_IRWXG | stat.S_IRWXO
KINDS = (
    "cloud.json",
    "cloud.log",
    "state.sqlite",
    "lock",
    "d1/*/*.sqlite",
    "d1-beside/*/imports/*",
    "d1-beside/*/exports/*",
    "d1-beside/*/history/*",
    "temporary/*/*",
)


@pytest.fixture(params=[0o000, 0o022], ids=oct)
def umask(request: pytest.FixtureRequest) -> Iterator[None]:
    """The umask of whoever starts the cloud."""
    before = os.umask(request.param)
    yield
    os.umask(before)


def open_to_others(folder: Path) -> list[str]:
    """The files and folders that group or others may read, write or enter."""
    return [str(path.relative_to(folder)) for path in [folder, *folder.rglob("*")] if path.lstat().st_mode & OTHERS]


def use(running: Running) -> None:
    """Let the cloud write a file of each kind."""
    with api_of(running).http as http:
        api = Api(running, http)
        database, worker = api.database(), api.worker()
        run(api, database, "CREATE TABLE t(a);\nINSERT INTO t VALUES(1);\n")
        api.query(database, "INSERT INTO t VALUES(2)")
        assert ask(api, database)["status"] == "complete"
        bindings = [{"name": "DB", "type": "d1", "database_id": database}, {"name": "KEY", "type": "secret_text", "text": "key"}]
        api.deploy(worker, (api.upload(worker, bindings=bindings), 100))
        assert api.edge(worker).text == "hello"


@pytest.mark.usefixtures("umask")
def test_no_other_user_can_read_or_change_what_a_cloud_stores(begin: Begin, tmp_path: Path) -> None:
    running = begin(tmp_path / "cloud")
    use(running)
    assert [kind for kind in KINDS if not list(running.folder.glob(kind))] == []
    assert open_to_others(running.folder) == []


def test_a_start_closes_what_an_earlier_version_left_open(begin: Begin, tmp_path: Path) -> None:
    running = begin(tmp_path / "cloud")
    use(running)
    daemon.stop(running.folder)
    for path in [running.folder, *running.folder.rglob("*")]:
        path.chmod(0o777 if path.is_dir() else 0o666)
    begin(running.folder)
    assert open_to_others(running.folder) == []
