"""An upload becomes a version in the recorded format, or is refused with the code and text of Cloudflare."""

from typing import Any

import pytest

from local_cloud.ids import is_local
from tests.cloud import Api, upload_body

pytestmark = pytest.mark.cloud

UNKNOWN = "10ca1000-0000-4000-8000-000000000000"


def test_an_upload_answers_in_the_recorded_format(api: Api) -> None:
    worker = api.worker()
    bindings = [{"name": "KEY", "type": "secret_text", "text": "one"}, {"name": "TTL", "type": "plain_text", "text": "45"}]
    annotations = {"workers/message": "release 1", "workers/tag": "abc"}
    sent = upload_body(bindings=bindings, annotations=annotations, usage_model="standard", compatibility_flags=["nodejs_compat"])
    version = api.result("POST", f"/workers/workers/{worker['id']}/versions", sent)
    assert is_local(version["id"])
    assert version == {
        "id": version["id"],
        "number": 1,
        "created_on": version["created_on"],
        "source": "api",
        "urls": [f"https://{version['id'][:8]}-{worker['name']}.automation-ab6.workers.dev"],
        "usage_model": "standard",
        "annotations": {"workers/triggered_by": "create_version_api", **annotations},
        "compatibility_flags": ["nodejs_compat"],
        "bindings": [{"name": "KEY", "type": "secret_text"}, {"name": "TTL", "text": "45", "type": "plain_text"}],
        "compatibility_date": "2026-01-01",
        "main_module": "index.js",
        "modules": sent["modules"],
    }
    path = f"/workers/workers/{worker['id']}/versions"
    assert api.result("GET", f"{path}/{version['id']}?include=modules") == version
    assert "modules" not in api.result("GET", f"{path}/{version['id']}")
    assert [listed["number"] for listed in (api.upload(worker), *api.result("GET", path))] == [2, 2, 1]


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("export default { async fetch() { ", "Uncaught SyntaxError: Unexpected end of input"),
        ("throw new Error('at the top')", "Uncaught Error: at the top"),
        ("import 'nowhere'; export default {}", 'No such module "nowhere"'),
    ],
)
def test_a_module_that_does_not_start_is_refused(api: Api, code: str, words: str) -> None:
    worker = api.worker()
    status, number, text = api.refusal("POST", f"/workers/workers/{worker['id']}/versions", upload_body(code))
    assert (status, number) == (400, 10021)
    assert words in text
    assert api.result("GET", f"/workers/workers/{worker['id']}/versions") == []


@pytest.mark.parametrize("code", ["export default {};", "export const fetch = () => new Response();", "export default { build: 1 };", ""])
def test_a_module_without_a_handler_is_refused(api: Api, code: str) -> None:
    worker = api.worker()
    refusal = (400, 10068, "The uploaded script has no registered event handlers.")
    assert api.refusal("POST", f"/workers/workers/{worker['id']}/versions", upload_body(code)) == refusal


ENTRY = "import { WorkerEntrypoint as Entry } from 'cloudflare:workers';"


@pytest.mark.parametrize(
    ("code", "handlers"),
    [
        ("export default { async scheduled() {}, fetch: () => new Response(), other() {} };", ["fetch", "scheduled"]),
        (f"{ENTRY} export default class extends Entry {{ fetch() {{ return new Response(); }} }};", ["fetch"]),
        (f"{ENTRY} export class Named extends Entry {{ add() {{}} }}", []),
    ],
)
def test_a_script_shows_its_handlers(api: Api, code: str, handlers: list[str]) -> None:
    worker = api.worker()
    version = api.upload(worker, code)
    (script,) = [script for script in api.result("GET", "/workers/scripts") if script["id"] == worker["name"]]
    shown = api.result("GET", f"/workers/scripts/{worker['name']}/versions/{version['id']}")
    assert (script["handlers"], shown["resources"]["script"]["handlers"]) == (handlers, handlers)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"bindings": [{"name": "X", "type": "teapot"}]}, "binding X of type teapot is invalid"),
        ({"bindings": [{"name": "X", "type": "plain_text"}]}, "binding X of type plain_text is invalid: text is missing"),
        ({"bindings": [{"name": "X", "type": "plain_text", "text": "a"}] * 2}, "binding name 'X' already in use"),
        ({"bindings": ["X"]}, "A binding is an object"),
        ({"compatibility_date": "2099-01-01"}, "Can't set compatibility date in the future"),
        ({"compatibility_date": "yesterday"}, "Invalid compatibility date"),
        ({"compatibility_flags": ["no_such_flag"]}, "No such compatibility flag: no_such_flag"),
        ({"main_module": "other.js"}, "No such module: other.js"),
        ({"modules": []}, "No modules were uploaded"),
        ({"modules": [{"name": "index.js", "content_type": "text/html", "content_base64": ""}]}, "unsupported content type"),
    ],
)
def test_an_upload_that_cannot_become_a_version_is_refused(api: Api, more: dict[str, Any], words: str) -> None:
    status, number, text = api.refusal("POST", f"/workers/workers/{api.worker()['id']}/versions", upload_body(**more))
    assert (status, number) == (400, 10021)
    assert words in text


def test_a_binding_to_a_missing_target_is_refused_with_its_own_code(api: Api) -> None:
    path = f"/workers/workers/{api.worker()['id']}/versions"
    database = upload_body(bindings=[{"name": "X", "type": "d1", "database_id": UNKNOWN}])
    service = upload_body(bindings=[{"name": "X", "type": "service", "service": "nobody"}])
    assert api.refusal("POST", path, database) == (400, 10181, f"D1 binding 'X' references database '{UNKNOWN}' which was not found.")
    text = "Service binding 'X' references environment 'production' on Worker 'nobody' which was not found."
    assert api.refusal("POST", path, service) == (400, 10144, text)
