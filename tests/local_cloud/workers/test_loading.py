"""What workerd loads while it runs, and what it has to start anew for."""

from pathlib import Path

import pytest

from local_cloud.store import Store
from local_cloud.workerd.loading import MOST_LOADED, missing
from local_cloud.workers.runtime_options import what_runs
from tests.cloud import Body, modules

VERSION: Body = {
    "main_module": "index.js",
    "modules": modules("export default {};"),
    "bindings": [{"name": "TTL", "type": "plain_text", "text": "45"}],
    "compatibility_flags": ["nodejs_compat"],
    "created_on": "2026-01-01T00:00:00Z",
    "annotations": {},
}


def worker(name: str, *, is_loaded: bool, code: str = "") -> Body:
    return {"name": name, "isLoaded": is_loaded, "code": code}


def loaded(count: int) -> list[Body]:
    return [worker(str(number), is_loaded=True) for number in range(count)]


RUNNING = [worker("loaded", is_loaded=True), worker("started", is_loaded=False)]


@pytest.mark.parametrize(
    ("wanted", "lacking"),
    [
        (RUNNING, []),
        (RUNNING[:1], []),
        ([*RUNNING, worker("new", is_loaded=True)], [worker("new", is_loaded=True)]),
        ([worker("started", is_loaded=True)], []),
        ([worker("loaded", is_loaded=False)], None),
        ([*RUNNING, worker("new", is_loaded=False)], None),
        ([worker("loaded", is_loaded=True, code="other")], None),
        ([worker("started", is_loaded=False, code="other")], None),
    ],
)
def test_only_a_new_worker_that_can_be_loaded_is_loaded(wanted: list[Body], lacking: list[Body] | None) -> None:
    assert missing(RUNNING, wanted) == lacking


def test_a_workerd_that_has_loaded_many_starts_anew_for_the_next_and_not_before() -> None:
    new = worker("new", is_loaded=True)
    assert missing(loaded(MOST_LOADED - 1), [new]) == [new]
    assert missing(loaded(MOST_LOADED), [new]) is None
    assert missing(loaded(MOST_LOADED + 1), loaded(1)) == []


def test_as_many_as_are_needed_are_loaded_at_once() -> None:
    assert missing([], loaded(2 * MOST_LOADED)) == loaded(2 * MOST_LOADED)


@pytest.mark.parametrize(
    ("more", "is_loaded"),
    [
        ({}, True),
        ({"bindings": [{"name": "DB", "type": "d1", "database_id": "d"}]}, True),
        ({"bindings": [{"name": "KV", "type": "kv_namespace", "namespace_id": "n"}]}, False),
        ({"bindings": [{"name": "OTHER", "type": "service", "service": "other"}]}, False),
        ({"modules": modules("export default { fetch: () => caches.default.match('https://example.com/') };")}, False),
    ],
)
def test_a_version_is_loaded_if_it_runs_as_in_a_workerd_of_its_own(tmp_path: Path, more: Body, *, is_loaded: bool) -> None:
    assert running(tmp_path, script=more)["script"] is is_loaded


def test_a_version_that_another_binds_is_started_with_it(tmp_path: Path) -> None:
    binding = {"name": "BACK", "type": "service", "service": "back"}
    assert running(tmp_path, back={}, front={"bindings": [binding]}, alone={}) == {"back": False, "front": False, "alone": True}


def running(folder: Path, **scripts: Body) -> dict[str, bool]:
    """Whether each of these deployed versions is loaded; each has the id of its script."""
    store = Store(folder / "state.sqlite")
    try:
        store.add("database", "d", {"uuid": "d"}, name="d")
        for name, more in scripts.items():
            store.add("worker", f"w-{name}", {"id": f"w-{name}", "name": name}, name=name)
            store.add("version", name, {**VERSION, "id": name, **more}, parent=f"w-{name}")
            shares = [{"version_id": name, "percentage": 100}]
            store.add("deployment", f"d-{name}", {"id": f"d-{name}", "versions": shares}, parent=f"w-{name}")
        return {one["name"]: one["isLoaded"] for one in what_runs(store)["workers"] if one["name"] in scripts}
    finally:
        store.close()
