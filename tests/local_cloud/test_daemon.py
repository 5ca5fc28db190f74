"""The cloud's process: acknowledged changes outlive it, one runs per folder, and it leaves nothing behind."""

import contextlib
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from local_cloud import daemon
from local_cloud.daemon import Running
from local_cloud.errors import LocalCloudError
from local_cloud.faults.client import Faults
from local_cloud.lock import is_free_within
from local_cloud.store import Store
from local_cloud.workerd.install import ensure_modules
from tests.cloud import CACHE, Api, api_of
from tests.local_cloud.load import children
from tests.ports import free_port

pytestmark = pytest.mark.cloud

Begin = Callable[..., Running]
UP = "import sys, pathlib; from local_cloud import daemon; daemon.start(pathlib.Path(sys.argv[1]), runtime_cache=pathlib.Path(sys.argv[2]))"
DOWN = "import sys, pathlib; from local_cloud import daemon; daemon.stop(pathlib.Path(sys.argv[1]))"
UNENDING = """export default { fetch() {
  const { readable, writable } = new TransformStream();
  const writer = writable.getWriter();
  writer.write(new TextEncoder().encode("begun"));
  return new Response(readable);
} };"""


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
    provider_port = free_port()
    (tmp_path / "cloud").mkdir(mode=0o700)
    with contextlib.closing(Store(tmp_path / "cloud" / "state.sqlite")) as store:  # ports that nothing else on the machine takes meanwhile
        store.remember("provider_port", str(provider_port))
    first = begin(tmp_path / "cloud", free_port())
    with api_of(first).http as http:
        database, worker = _filled(Api(first, http))
    os.kill(first.pid, number)
    assert is_free_within(tmp_path / "cloud", 60)
    with socket.socket() as other:
        if number == signal.SIGKILL:  # another program took the provider's port meanwhile
            _listen(other, provider_port)
        second = begin(tmp_path / "cloud")
    assert second.instance_id != first.instance_id
    assert (second.token, second.port, second.api_url) == (first.token, first.port, first.api_url)
    assert first.provider_port == provider_port
    assert (second.provider_port == provider_port) == (number == signal.SIGTERM)
    with api_of(second).http as http:
        again = Api(second, http)
        assert again.query(database, "SELECT a FROM t") == [[{"a": "kept"}]]
        assert again.edge(worker).json() == ["key", "kept"]
        assert again.result("GET", f"/workers/scripts/{worker['name']}/deployments")["deployments"]


def test_a_runtime_whose_port_somebody_took_meanwhile_starts_on_another(begin: Begin, tmp_path: Path) -> None:
    """Any program's outgoing connection can take it while workerd is exchanged for one with another database."""
    running = begin(tmp_path / "cloud")
    with api_of(running).http as http, contextlib.ExitStack() as taken:
        api = Api(running, http)
        database = api.database()
        (node,) = children(running.pid)
        for workerd in map(psutil.Process, children(node)):
            ports = [connection.laddr.port for connection in workerd.net_connections() if connection.status == psutil.CONN_LISTEN]
            workerd.kill()
            workerd.wait()
            for port in ports:
                _listen(taken.enter_context(socket.socket()), port)
        api.database()
        assert api.query(database, "SELECT 1 AS one") == [[{"one": 1}]]


def test_a_killed_runtime_is_started_again_by_the_requests_that_need_it(begin: Begin, tmp_path: Path) -> None:
    running = begin(tmp_path / "cloud")
    with api_of(running).http as http:
        api = Api(running, http)
        _, worker = _filled(api)
        killed = list(children(running.pid))
        os.kill(killed[0], signal.SIGKILL)
        replies = iter(lambda: (api.edge(worker), list(children(running.pid))), None)
        reply = next(reply for reply, children in replies if reply.status_code == 200 and children not in ([], killed))
        assert reply.json() == ["key", "kept"]


def test_nothing_is_left_behind_by_a_killed_cloud(begin: Begin, tmp_path: Path) -> None:
    """Node holds the folder's lock as long as it lives, and ends when its parent does."""
    running = begin(tmp_path / "cloud")
    os.kill(running.pid, signal.SIGKILL)
    assert is_free_within(tmp_path / "cloud", 60)
    assert daemon.status(tmp_path / "cloud") is None


def test_a_cloud_killed_during_its_start_does_not_block_the_next(begin: Begin, tmp_path: Path) -> None:
    """At the first sign of its process, its Node or its workerd."""
    running = begin(tmp_path / "cloud")
    with api_of(running).http as http:
        database, worker = _filled(Api(running, http))
    for generation in (1, 2, 3):
        while (ended := _killed_during_its_start(running.folder, generation)).returncode == 0:
            pass  # it was ready before the kill
        assert ended.stderr.splitlines()[-1].partition(": ")[2].startswith("the local cloud does not start: "), generation
        with api_of(begin(running.folder)).http as http:
            again = Api(running, http)
            assert again.query(database, "SELECT a FROM t") == [[{"a": "kept"}]], generation
            assert again.edge(worker).json() == ["key", "kept"], generation


def test_a_second_start_reports_the_running_cloud(begin: Begin, tmp_path: Path) -> None:
    running = begin(tmp_path / "cloud")
    with pytest.raises(LocalCloudError) as refused:
        begin(tmp_path / "cloud")
    assert str(refused.value) == (
        f"{tmp_path / 'cloud'}: a local cloud is already running (pid {running.pid}). Use it, or stop it with 'crane local down'."
    )
    assert daemon.status(tmp_path / "cloud") == running


def test_a_port_in_use_is_reported(begin: Begin, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(LocalCloudError, match=f"127.0.0.1:{port}: the port is in use"):
            begin(tmp_path / "cloud", port)
    assert daemon.status(tmp_path / "cloud") is None


def test_two_clouds_live_side_by_side_and_stopping_one_leaves_the_other(begin: Begin, cloud: Running, tmp_path: Path) -> None:
    other = begin(tmp_path / "cloud")
    assert other.token != cloud.token
    daemon.stop(other.folder)
    assert daemon.status(other.folder) is None
    assert daemon.status(cloud.folder) == cloud


def test_deployed_code_runs_without_the_real_accounts_environment(begin: Begin, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CLOUDFLARE_API_TOKEN", "planted-token")
    running = begin(tmp_path / "cloud")
    started = list(children(running.pid))
    assert started
    for child in started:
        assert b"planted-token" not in Path(f"/proc/{child}/environ").read_bytes()


def test_stopping_a_cloud_that_does_not_run_does_nothing(tmp_path: Path) -> None:
    daemon.stop(tmp_path / "nothing")
    assert daemon.status(tmp_path / "nothing") is None


def test_when_a_stop_is_over_no_process_of_it_runs(begin: Begin, tmp_path: Path) -> None:
    running = begin(tmp_path / "cloud")
    with contextlib.ExitStack() as stack:
        descriptors = [os.pidfd_open(pid) for pid in _family(running.pid)]
        for descriptor in descriptors:
            stack.callback(os.close, descriptor)
        daemon.stop(running.folder)
        assert select.select(descriptors, [], [], 0)[0] == descriptors


def test_a_stale_file_never_ends_a_foreign_process(cloud: Running, tmp_path: Path) -> None:
    """A file that names another cloud's ports and process, as after a crash and a reused port."""
    facts = json.loads((cloud.folder / "cloud.json").read_text())
    (tmp_path / "cloud.json").write_text(json.dumps({**facts, "instance_id": "10ca1000-0000-4000-8000-000000000000"}))
    assert daemon.status(tmp_path) is None
    daemon.stop(tmp_path)
    assert daemon.status(cloud.folder) == cloud


def test_its_tokens_are_not_shown_and_that_of_the_admin_port_is_in_one_file_and_new_after_each_start(begin: Begin, tmp_path: Path) -> None:
    running = begin(tmp_path / "cloud")
    Faults(running).reset()
    assert [token for token in (running.token, running.admin_token) if token in repr(running)] == []
    files = [path for path in running.folder.rglob("*") if path.is_file()]
    assert [path.name for path in files if running.admin_token.encode() in path.read_bytes()] == ["cloud.json"]
    daemon.stop(running.folder)
    assert begin(running.folder).admin_token != running.admin_token


def test_a_failed_install_leaves_nothing_and_names_the_reason(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("npm_config_registry", "http://127.0.0.1:9/")
    monkeypatch.setenv("npm_config_cache", str(tmp_path / "npm"))
    monkeypatch.setenv("npm_config_fetch_retries", "0")
    with pytest.raises(LocalCloudError, match="cannot install its Node modules: npm"):
        ensure_modules(tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


def test_of_two_simultaneous_starts_one_wins_and_the_other_reports_it(tmp_path: Path) -> None:
    folder = tmp_path / "cloud"
    begun = [_python(UP, folder, CACHE) for _ in range(2)]
    error_lines = [process.communicate()[1].splitlines() for process in begun]
    running = daemon.status(folder)
    daemon.stop(folder)
    assert running
    assert sorted(process.returncode for process in begun) == [0, 1]
    what = f"{folder}: a local cloud is already running (pid {running.pid}). Use it, or stop it with 'crane local down'."
    assert sorted(lines[-1:] for lines in error_lines) == [[], [f"local_cloud.errors.LocalCloudError: {what}"]]


def test_two_simultaneous_stops_both_succeed(begin: Begin, tmp_path: Path) -> None:
    running = begin(tmp_path / "cloud")
    stops = [_python(DOWN, running.folder) for _ in range(2)]
    assert [(process.communicate()[1], process.returncode) for process in stops] == [("", 0)] * 2
    assert _gone([running.pid])


def test_two_folders_cannot_have_the_same_port_and_the_first_one_keeps_it(begin: Begin, cloud: Running, tmp_path: Path) -> None:
    with pytest.raises(LocalCloudError) as refused:
        begin(tmp_path / "cloud", cloud.port)
    assert str(refused.value) == (
        f"the local cloud does not start: 127.0.0.1:{cloud.port}: the port is in use. Stop the process that listens there, or start the local cloud "
        f"on another port. The whole log is in {tmp_path / 'cloud' / 'cloud.log'}."
    )
    assert daemon.status(cloud.folder) == cloud


def test_a_stop_ends_everything_even_during_an_endless_reply(begin: Begin, tmp_path: Path) -> None:
    running = begin(tmp_path / "cloud")
    with api_of(running).http as http:
        api = Api(running, http)
        worker = api.worker()
        api.deploy(worker, (api.upload(worker, UNENDING), 100))
        started = _family(running.pid)
        assert len(started) == 4  # itself, Node, what serves, and what tries uploads
        with http.stream("GET", f"{running.edge_url}/{worker['name']}/") as reply:
            assert next(reply.iter_text()) == "begun"
            daemon.stop(running.folder)
    assert _gone(started)


def test_a_cloud_whose_folder_was_deleted_stops_by_itself(begin: Begin, tmp_path: Path) -> None:
    running = begin(tmp_path / "cloud")
    started = _family(running.pid)
    shutil.rmtree(running.folder)
    assert _gone(started)
    daemon.stop(running.folder)
    assert not running.folder.exists()


def test_a_runtime_that_lost_both_its_parents_is_ended_by_the_next_stop(begin: Begin, tmp_path: Path) -> None:
    running = begin(tmp_path / "cloud")
    with api_of(running).http as http:
        api = Api(running, http)
        api.upload(api.worker())
    cloud, node, *workerds = _family(running.pid)
    assert len(workerds) == 2
    for pid in (cloud, node):
        os.kill(pid, signal.SIGKILL)
    assert is_free_within(running.folder, 60)
    daemon.stop(running.folder)
    assert _gone(workerds)


@pytest.mark.parametrize("name", ["cloud", "-".join(["long"] * 45)])
def test_temporary_files_stay_in_the_folder_and_go_with_a_stop_or_the_next_start(begin: Begin, tmp_path: Path, name: str) -> None:
    """A killed Miniflare leaves its temporary files; a longer folder name would be too long for a socket's path."""
    running = begin(tmp_path / name)
    temporary = running.folder / "temporary"
    (first,) = temporary.iterdir()
    for pid in _family(running.pid):
        os.kill(pid, signal.SIGKILL)
    assert is_free_within(running.folder, 60)
    assert first.exists()
    begin(running.folder)
    (second,) = temporary.iterdir()
    assert first != second
    daemon.stop(running.folder)
    assert not temporary.exists()
    assert not {first.name, second.name} & {path.name for path in Path(tempfile.gettempdir()).iterdir()}


def _listen(other: socket.socket, port: int) -> None:
    """Take a port whose connections may not all be over, as servers do."""
    other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    other.bind(("127.0.0.1", port))
    other.listen()


def _killed_during_its_start(folder: Path, generation: int) -> subprocess.CompletedProcess[str]:
    """Start a cloud, and kill its process at the first sign of a descendant of this generation."""
    daemon.stop(folder)
    starting = _python(UP, folder, CACHE)
    seen: list[int] = []
    while starting.poll() is None and not (seen and list(_generation(starting.pid, generation))):
        seen = list(_generation(starting.pid, 1)) or seen
    if starting.poll() is None:
        os.kill(seen[0], signal.SIGKILL)
    out, err = starting.communicate()
    return subprocess.CompletedProcess(starting.args, starting.returncode, out, err)


def _python(code: str, *arguments: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=CACHE.parents[1])


def _family(pid: int) -> list[int]:
    """A process and its descendants, in that order."""
    return [pid, *(other for child in children(pid) for other in _family(child))]


def _generation(pid: int, generation: int) -> Iterator[int]:
    """A process's children (1), their children (2), and so on."""
    for child in children(pid):
        yield from [child] if generation == 1 else _generation(child, generation - 1)


def _gone(pids: list[int]) -> bool:
    """Wait until none of these processes runs; one that we have yet to reap counts as ended."""
    with contextlib.ExitStack() as stack:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                descriptor = os.pidfd_open(pid)
                stack.callback(os.close, descriptor)
                if not select.select([descriptor], [], [], 60)[0]:
                    return False
    return True
