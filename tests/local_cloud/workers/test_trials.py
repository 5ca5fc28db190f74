"""Which uploads a process that runs already can try: those whose start nothing but their code decides."""

import pytest

from local_cloud.workers.runtime_options import trial
from tests.cloud import Body, modules

DATABASE = {"name": "DB", "type": "d1", "database_id": "1"}
VERSION: Body = {
    "id": "v",
    "main_module": "index.js",
    "modules": modules("export default {};"),
    "bindings": [{"name": "TTL", "type": "plain_text", "text": "45"}, DATABASE],
    "compatibility_flags": ["nodejs_compat"],
    "created_on": "2026-01-01T00:00:00Z",
    "annotations": {},
}
WASM = {"name": "x.wasm", "content_type": "application/wasm", "content_base64": ""}


def test_values_and_databases_do_not_decide_whether_a_script_starts() -> None:
    assert trial(VERSION)["loadable"]


@pytest.mark.parametrize(
    "more",
    [
        {"bindings": [{"name": "OTHER", "type": "service", "service": "other"}]},
        {"bindings": [{"name": "ROOM", "type": "durable_object_namespace", "class_name": "Room"}]},
        {"bindings": [{"name": "LIMIT", "type": "ratelimit", "namespace_id": "1", "simple": {}}]},
        {"compatibility_flags": ["no_such_flag"]},
        {"modules": [*VERSION["modules"], WASM]},
        {"modules": VERSION["modules"] * 2},
    ],
)
def test_what_only_a_start_can_judge_is_started(more: Body) -> None:
    assert not trial({**VERSION, **more})["loadable"]
