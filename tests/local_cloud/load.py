"""A mixed load on a local cloud. It records what it sent and what was acknowledged, and checks both afterwards."""

import sqlite3
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import psutil

from local_cloud.daemon import Running
from local_cloud.workerd.paths import database_file
from tests.cloud import Api, api_of
from tests.local_cloud.workers.forms import files, send

_PAIR = "INSERT INTO a VALUES({0}); INSERT INTO b VALUES({0});"
_ANSWER = "export default {{ fetch: (request, env) => Response.json([{0}, env.KEY]) }};"
Do = Callable[["_Counting"], None]


@dataclass
class Known:
    """What was sent and acknowledged, by kind: sets of values, and sequences in which only the last one counts."""

    sent: dict[str, list[Any]] = field(default_factory=lambda: defaultdict(list))
    acknowledged: dict[str, list[Any]] = field(default_factory=lambda: defaultdict(list))

    def check(self, kind: str, found: set[Any]) -> None:
        """Assert that everything acknowledged exists, and nothing that was never sent."""
        assert set(self.acknowledged[kind]) <= found <= set(self.sent[kind]), kind

    def possible(self, kind: str) -> list[Any]:
        """The values that may exist when each write replaces the one before: the last acknowledged, or any sent after it."""
        last = self.acknowledged[kind][-1:]
        return self.sent[kind][self.sent[kind].index(last[0]) :] if last else [None, *self.sent[kind]]


class Load:
    """Several clients, one for each kind of work; each continues until one of its calls fails or the load ends."""

    def __init__(self, running: Running) -> None:
        """Create the databases and workers that the load writes to."""
        self.known = Known()
        self._numbers = count(1)
        self.script = "put-as-a-form"
        with api_of(running).http as http:
            api = Api(running, http)
            self.databases = [api.database() for _ in range(3)]
            self.worker = api.worker()
            for database in self.databases:
                api.query(database, "CREATE TABLE a(n); CREATE TABLE b(n)")

    def run(self, running: Running, after: int, end: Callable[[], None]) -> None:
        """Run until ``after`` calls were acknowledged, then call ``end`` at once, while other calls are under way."""
        rows = [self._rows(database) for database in self.databases]
        kinds: list[Do] = [*rows, self._made_databases, self._releases, self._schedules, self._scripts]
        ending, over, calls, early = threading.Event(), threading.Event(), count(1), list[str]()

        def acknowledged() -> None:
            if next(calls) == after:
                ending.set()
                try:
                    end()
                finally:
                    over.set()

        def work(do: Do) -> None:
            with api_of(running).http as http:
                api = _Counting(running, http, acknowledged)
                while not over.is_set():
                    try:
                        do(api)
                    except (httpx.TransportError, _NotAcknowledgedError) as error:
                        early.extend([] if ending.is_set() else [f"{error!r}; the cloud's log:\n{_log(running)}"])
                        over.wait(60)

        with ThreadPoolExecutor(len(kinds)) as clients:
            for done in [clients.submit(work, do) for do in kinds]:
                done.result()
        assert over.is_set(), "\n".join(early)
        assert early == [], "\n".join(early)

    def check(self, running: Running) -> None:
        """Check through the API that everything acknowledged exists, and that every other request took effect as a whole or not at all."""
        with api_of(running).http as http:
            api = Api(running, http)
            for database in self.databases:
                firsts, seconds = api.query(database, "SELECT n FROM a; SELECT n FROM b")
                assert firsts == seconds
                self.known.check(database, {row["n"] for row in firsts})
            self._check_databases(api)
            self._check_worker(api)
            self._check_script(api)

    def _check_databases(self, api: Api) -> None:
        listed = {database["name"]: database["uuid"] for database in api.result("GET", "/d1/database?per_page=1000")}
        made = {name for name in listed if name.startswith("made-")}
        deleted = set(self.known.sent["deleted"])
        assert set(self.known.acknowledged["made"]) - deleted <= made <= set(self.known.sent["made"])
        assert not made & set(self.known.acknowledged["deleted"])
        for name in made:
            assert api.query(listed[name], "SELECT 1 AS one") == [[{"one": 1}]]

    def _check_worker(self, api: Api) -> None:
        path = f"/workers/scripts/{self.worker['name']}"
        versions = api.result("GET", f"/workers/workers/{self.worker['id']}/versions?per_page=1000")
        assert sorted(version["number"] for version in versions) == list(range(1, len(versions) + 1))
        assert set(self.known.acknowledged["version"]) <= {version["id"] for version in versions}
        deployments = api.result("GET", f"{path}/deployments?per_page=1000")["deployments"]
        assert set(self.known.acknowledged["deployment"]) <= {deployment["id"] for deployment in deployments}
        if deployments:
            assert api.edge(self.worker).json() in [list(state) for state in self.known.possible("serving") if state]
        crons = tuple(entry["cron"] for entry in api.result("GET", f"{path}/schedules")["schedules"])
        assert (crons or None) in self.known.possible("crons")

    def _check_script(self, api: Api) -> None:
        """A script is stored as a whole: worker, version and deployment."""
        reply = api.call("GET", f"/workers/scripts/{self.script}/versions?per_page=1000")
        versions = reply.json()["result"]["items"] if reply.status_code == 200 else []
        assert bool(versions) == (reply.status_code == 200)
        self.known.check("script", {int(version["annotations"]["workers/message"]) for version in versions})
        if versions:
            newest = api.result("GET", f"/workers/scripts/{self.script}/deployments")["deployments"][0]
            assert newest["versions"] == [{"percentage": 100, "version_id": versions[0]["id"]}]

    def _rows(self, database: str) -> Do:
        def insert(api: Api) -> None:
            number = next(self._numbers)
            with _Recorded(self.known, database, number):
                api.query(database, _PAIR.format(number))

        return insert

    def _made_databases(self, api: Api) -> None:
        name = f"made-{next(self._numbers)}"
        with _Recorded(self.known, "made", name):
            uuid = api.database(name)
        if len(self.known.sent["made"]) % 2:
            with _Recorded(self.known, "deleted", name):
                api.result("DELETE", f"/d1/database/{uuid}")

    def _releases(self, api: Api) -> None:
        """Deploy a version with a secret, then change the secret; the edge shows each state."""
        number = next(self._numbers)
        bindings = [{"name": "KEY", "type": "secret_text", "text": f"first-{number}"}]
        version = api.upload(self.worker, _ANSWER.format(number), bindings=bindings)
        self.known.acknowledged["version"].append(version["id"])
        with _Recorded(self.known, "serving", (number, f"first-{number}")):
            self.known.acknowledged["deployment"].append(api.deploy(self.worker, (version, 100))["id"])
        with _Recorded(self.known, "serving", (number, f"second-{number}")):
            secret = {"name": "KEY", "type": "secret_text", "text": f"second-{number}"}
            api.result("PUT", f"/workers/scripts/{self.worker['name']}/secrets", secret)

    def _scripts(self, api: "_Counting") -> None:
        number = next(self._numbers)
        with _Recorded(self.known, "script", number):
            form = files(_ANSWER.format(number), annotations={"workers/message": str(number)})
            api.taken(send(api, "PUT", f"/workers/scripts/{self.script}", form))

    def _schedules(self, api: Api) -> None:
        number = next(self._numbers)
        crons = (f"{number % 60} {number // 60 % 24} * * *", f"{number % 60} {number // 60 % 24} 1 * *")
        with _Recorded(self.known, "crons", crons):
            api.result("PUT", f"/workers/scripts/{self.worker['name']}/schedules", [{"cron": cron} for cron in crons])


def _log(running: Running) -> str:
    return (Path(running.folder) / "cloud.log").read_text(errors="replace")[-4000:]


def check_files(folder: Path, databases: set[str]) -> None:
    """Check a stopped cloud's files: no damage, no record without its parent, no file without its database."""
    with closing(sqlite3.connect(folder / "state.sqlite")) as store:
        orphans = "SELECT kind, id FROM records WHERE parent IS NOT NULL AND parent NOT IN (SELECT id FROM records)"
        assert store.execute(orphans).fetchall() == []
    files = [folder / "state.sqlite", *(file for file in (folder / "d1").glob("*/*.sqlite") if file.name != "metadata.sqlite")]
    assert len(files) > 1
    for file in files:
        with closing(sqlite3.connect(file)) as database:
            assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)], file.name
    assert set(files[1:]) <= {database_file(folder / "d1", uuid) for uuid in databases}


class _NotAcknowledgedError(Exception):
    """A reply that is not a success."""


class _Counting(Api):
    """Calls that report each success; any other reply ends this client, since every call of a load is valid."""

    def __init__(self, running: Running, http: httpx.Client, acknowledged: Callable[[], None]) -> None:
        super().__init__(running, http)
        self._acknowledged = acknowledged

    def result(self, method: str, path: str, body: object = None) -> Any:  # noqa: ANN401 (JSON)
        return self.taken(self.call(method, path, body))

    def taken(self, reply: httpx.Response) -> Any:  # noqa: ANN401 (JSON)
        """Give the result of a success, and report it."""
        if reply.status_code >= 500:
            raise _NotAcknowledgedError(reply.text)
        assert reply.json()["success"] is True, reply.text
        self._acknowledged()
        return reply.json()["result"]


class _Recorded:
    """One call that writes: recorded before it is sent, and again once it is acknowledged."""

    def __init__(self, known: Known, kind: str, value: object) -> None:
        self._known, self._kind, self._value = known, kind, value

    def __enter__(self) -> None:
        self._known.sent[self._kind].append(self._value)

    def __exit__(self, failed: object, *_: object) -> None:
        if failed is None:
            self._known.acknowledged[self._kind].append(self._value)


def children(pid: int) -> Iterator[int]:
    """The children of a process; none where it has ended."""
    with suppress(psutil.NoSuchProcess):
        yield from (child.pid for child in psutil.Process(pid).children())
