"""The process: what was acknowledged outlives it, one runs per folder, and nothing of it is left behind."""

import json
import os
import signal
import socket
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from crane_infra.errors import LocalCloudError
from crane_infra.local import daemon
from crane_infra.local.daemon import Running
from crane_infra.local.lock import is_free_within
from crane_infra.local.workerd.install import ensure_modules
from tests.local.conftest import Api, api_of

Begin = Callable[..., Running]


def _filled(api: Api) -> tuple[str, dict[str, object]]:
    database, worker = api.database("kept"), api.worker()
    api.query(database, "CREATE TABLE t(a); INSERT INTO t VALUES('kept')")
    code = (
        "export default { async fetch(r, env) { return Response.json([env.KEY, await env.DB.prepare('SELECT a FROM t').first('a')]); } };"
    )
    bindings = [{"name": "DB", "type": "d1", "database_id": database}, {"name": "KEY", "type": "secret_text", "text": "key"}]
    api.deploy(worker, (api.upload(worker, code, bindings=bindings), 100))
    return database, worker


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_databases_workers_and_deployments_outlive_the_process(begin: Begin, tmp_path: Path, number: int) -> None:
    first = begin(tmp_path / "cloud")
    with api_of(first).http as http:
        database, worker = _filled(Api(first, http))
    os.kill(first.pid, number)
    assert is_free_within(tmp_path / "cloud", 10)
    second = begin(tmp_path / "cloud")
    assert second.instance_id != first.instance_id
    assert (second.token, second.port, second.api_url) == (first.token, first.port, first.api_url)
    with api_of(second).http as http:
        again = Api(second, http)
        assert again.query(database, "SELECT a FROM t") == [[{"a": "kept"}]]
        assert again.edge(worker).json() == ["key", "kept"]
        assert again.result("GET", f"/workers/scripts/{worker['name']}/deployments")["deployments"]


def test_a_killed_runtime_is_started_again_by_the_requests_that_need_it(begin: Begin, tmp_path: Path) -> None:
    running = begin(tmp_path / "cloud")
    with api_of(running).http as http:
        api = Api(running, http)
        _, worker = _filled(api)
        killed = _children(running.pid)
        os.kill(killed[0], signal.SIGKILL)
        replies = iter(lambda: (api.edge(worker), _children(running.pid)), None)
        reply = next(reply for reply, children in replies if reply.status_code == 200 and children not in ([], killed))
        assert reply.json() == ["key", "kept"]


def test_nothing_is_left_behind_by_a_killed_cloud(begin: Begin, tmp_path: Path) -> None:
    """Node holds the folder's lock as long as it lives, and ends when its parent does."""
    running = begin(tmp_path / "cloud")
    os.kill(running.pid, signal.SIGKILL)
    assert is_free_within(tmp_path / "cloud", 10)
    assert daemon.status(tmp_path / "cloud") is None


def test_a_second_start_says_that_one_is_running(begin: Begin, tmp_path: Path) -> None:
    running = begin(tmp_path / "cloud")
    with pytest.raises(LocalCloudError) as refused:
        begin(tmp_path / "cloud")
    assert str(refused.value) == (
        f"{tmp_path / 'cloud'}: a local cloud is running already (pid {running.pid}). Use it, or stop it with 'crane local down'."
    )
    assert daemon.status(tmp_path / "cloud") == running


def test_a_taken_port_is_said(begin: Begin, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(LocalCloudError, match=f"127.0.0.1:{port}: the port is taken"):
            begin(tmp_path / "cloud", port)
    assert daemon.status(tmp_path / "cloud") is None


def test_two_clouds_live_side_by_side_and_stopping_one_leaves_the_other(begin: Begin, cloud: Running, tmp_path: Path) -> None:
    other = begin(tmp_path / "cloud")
    assert other.token != cloud.token
    daemon.stop(other.folder)
    assert daemon.status(other.folder) is None
    assert daemon.status(cloud.folder) == cloud


def test_stopping_what_does_not_run_does_nothing(tmp_path: Path) -> None:
    daemon.stop(tmp_path / "nothing")
    assert daemon.status(tmp_path / "nothing") is None


def test_a_stale_file_never_ends_a_foreign_process(cloud: Running, tmp_path: Path) -> None:
    """A file that names another cloud's ports and process, as after a crash and a reused port."""
    facts = json.loads((cloud.folder / "cloud.json").read_text())
    (tmp_path / "cloud.json").write_text(json.dumps({**facts, "instance_id": "10ca1000-0000-4000-8000-000000000000"}))
    assert daemon.status(tmp_path) is None
    daemon.stop(tmp_path)
    assert daemon.status(cloud.folder) == cloud


def test_state_and_token_are_readable_by_their_owner_alone(cloud: Running) -> None:
    assert stat.S_IMODE(cloud.folder.stat().st_mode) == 0o700
    for name in ("cloud.json", "state.sqlite", "cloud.log"):
        assert stat.S_IMODE((cloud.folder / name).stat().st_mode) == 0o600
    assert cloud.token not in repr(cloud)


def test_a_failed_install_leaves_nothing_and_says_why(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("npm_config_registry", "http://127.0.0.1:9/")
    monkeypatch.setenv("npm_config_cache", str(tmp_path / "npm"))
    monkeypatch.setenv("npm_config_fetch_retries", "0")
    with pytest.raises(LocalCloudError, match="cannot install its Node modules: npm"):
        ensure_modules(tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
