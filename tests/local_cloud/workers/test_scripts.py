"""Scripts: an uploaded form is the same worker as in the newer API; settings, the workers.dev switch, deletion."""

import json
from typing import Any
from uuid import UUID

import pytest

from local_cloud.envelope import Refusal
from local_cloud.workers.routes.multipart_form import Part, parse
from tests.cloud import HELLO, Api, modules
from tests.local_cloud.workers.forms import MODULE, files, put_script, refused, says, send, sent

pytestmark = pytest.mark.cloud

GONE = (404, 10007, "This Worker does not exist on your account.")


def test_a_script_that_was_put_serves_and_is_a_worker_with_a_version_and_a_deployment(api: Api) -> None:
    annotations = {"workers/message": "first", "workers/tag": "abc"}
    script = put_script(api, annotations=annotations, bindings=[{"name": "TTL", "type": "plain_text", "text": "45"}])
    assert api.edge(script).text == "hello"
    assert (script["id"], script["entry_point"], script["last_deployed_from"]) == (script["name"], "index.js", "api")
    worker = api.result("GET", f"/workers/workers/{script['name']}")
    assert (worker["id"], worker["name"], worker["subdomain"]["enabled"]) == (script["tag"], script["name"], True)
    (version,) = api.result("GET", f"/workers/workers/{worker['id']}/versions")
    assert version["annotations"] == {"workers/triggered_by": "upload", **annotations}
    assert version["bindings"] == [{"name": "TTL", "type": "plain_text", "text": "45"}]
    assert str(UUID(script["deployment_id"])) == version["id"]
    (deployment,) = api.result("GET", f"/workers/scripts/{script['name']}/deployments")["deployments"]
    assert deployment["versions"] == [{"percentage": 100, "version_id": version["id"]}]
    assert deployment["annotations"] == {"workers/triggered_by": "upload", "workers/message": "first"}
    assert worker["deployed_on"] == deployment["created_on"]


def test_what_the_newer_api_made_is_a_script(api: Api) -> None:
    worker = api.worker()
    assert api.refusal("GET", f"/workers/services/{worker['name']}") == GONE
    version = api.upload(worker, annotations={"workers/tag": "abc"})
    api.deploy(worker, (version, 100))
    service = api.result("GET", f"/workers/services/{worker['name']}")
    script = service["default_environment"]["script"]
    assert (script["id"], script["tag"], script["last_deployed_from"]) == (worker["name"], worker["id"], "api")
    assert script in api.result("GET", "/workers/scripts")
    (summary,) = api.result("GET", f"/workers/scripts/{worker['name']}/versions?deployable=true")["items"]
    assert (summary["id"], summary["number"], summary["metadata"]["source"]) == (version["id"], 1, "api")
    assert sent(api, "PUT", f"/workers/scripts/{worker['name']}", files(says("put")))["tag"] == worker["id"]
    assert api.edge(worker).text == "put"


def test_wrangler_is_recognised_by_its_user_agent(api: Api) -> None:
    script = put_script(api)
    path = f"/workers/scripts/{script['name']}"
    version = sent(api, "POST", f"{path}/versions", files(), **{"user-agent": "wrangler/4.156.0"})
    assert (version["metadata"]["source"], version["annotations"]) == ("wrangler", {"workers/triggered_by": "version_upload"})
    assert version["resources"]["script"]["last_deployed_from"] == "wrangler"
    assert api.result("GET", f"{path}/versions/{version['id']}") == {key: version[key] for key in version if key != "startup_time_ms"}


def test_every_module_of_a_form_arrives_byte_for_byte_and_can_be_read_back(api: Api) -> None:
    code = """import text from "./a b.txt"; import data from "./data.bin";
    export default { fetch: () => Response.json([text, [...new Uint8Array(data)]]) };"""
    binary = bytes(range(256)) + b"\r\n--\r\n"
    parts = files(code, ("a b.txt", "ä\r\n\n".encode(), "text/plain"), ("data.bin", binary, "application/octet-stream"))
    name = "byte-for-byte"
    sent(api, "PUT", f"/workers/scripts/{name}", parts)
    api.result("POST", f"/workers/scripts/{name}/subdomain", {"enabled": True})
    assert api.edge({"name": name}).json() == ["ä\r\n\n", list(binary)]
    reply = api.call("GET", f"/workers/scripts/{name}/content/v2")
    read = {part.name: part.content for part in parse(reply.headers["content-type"], reply.content)}
    assert read == {"index.js": code.encode(), "a b.txt": "ä\r\n\n".encode(), "data.bin": binary}
    assert reply.headers["cf-entrypoint"] == "index.js"


def test_a_script_that_does_not_start_leaves_nothing_of_itself(api: Api) -> None:
    status, code, text = refused(api, "PUT", "/workers/scripts/never-started", files("throw new Error('at the top')"))
    assert (status, code) == (400, 10021)
    assert "at the top" in text
    assert api.refusal("GET", "/workers/workers/never-started") == GONE


ROOM = "import { DurableObject } from 'cloudflare:workers'; export class Room extends DurableObject {}; export default { fetch() {} };"


def test_new_classes_come_with_a_whole_script_whose_tag_is_shown(api: Api) -> None:
    api.made.append("with-classes")
    bound = {"bindings": [{"type": "durable_object_namespace", "name": "ROOM", "class_name": "Room"}]}
    second = {"old_tag": "v1", "new_tag": "v2", "steps": [{"new_classes": ["Room"]}]}
    for migrations in ({"new_tag": "v1", "new_sqlite_classes": ["Room"]}, second):
        reply = send(api, "PUT", "/workers/scripts/with-classes", files(ROOM, **bound, migrations=migrations))
        assert (reply.status_code, reply.json()["result"]["migration_tag"]) == (200, migrations["new_tag"])
    assert "migration_tag" not in api.result("GET", "/workers/workers/with-classes")


class TestMigrationsOfClasses:
    """Cloudflare applies them when their version is deployed, alone, and takes them only from whoever knows the tag of the script."""

    @pytest.mark.parametrize("wrong", [[1], {"new_tag": "v1", "steps": [1]}, {"new_tag": "v1", "new_classes": "Room"}, {"steps": [{}]}])
    def test_of_another_form_are_refused(self, api: Api, wrong: object) -> None:
        assert refused(api, "PUT", "/workers/scripts/no-classes", files(ROOM, migrations=wrong))[:2] == (400, 10001)
        assert api.refusal("GET", "/workers/workers/no-classes") == GONE

    def test_are_applied_when_their_version_is_deployed_alone_and_are_never_put_back(self, api: Api) -> None:
        worker = api.worker()
        path, script = f"/workers/workers/{worker['id']}/versions", f"/workers/services/{worker['name']}"
        first, other = api.upload(worker, ROOM), api.upload(worker, ROOM + "//")
        api.deploy(worker, (first, 100))
        steps = [{"new_sqlite_classes": ["Room"]}, {"renamed_classes": [{"from": "Room", "to": "Hall"}]}]
        body = {"main_module": "index.js", "modules": modules(ROOM), "migrations": {"new_tag": "v2", "steps": steps}}
        reply = api.call("POST", path, body).json()
        version = reply["result"]
        assert [note["message"] for note in reply["messages"]] == [
            "The local cloud notes renamed_classes and moves no objects: each version has objects of its own"
        ]
        assert "migration_tag" not in version
        for share in (0, 50):
            beside = [{"version_id": first["id"], "percentage": 100 - share}, {"version_id": version["id"], "percentage": share}]
            status, code, _ = api.refusal("POST", f"/workers/scripts/{worker['name']}/deployments", {"versions": beside})
            assert (status, code) == (400, 10211)
        assert "migration_tag" not in api.result("GET", script)["default_environment"]["script"]
        api.deploy(worker, (version, 100))
        assert api.result("GET", script)["default_environment"]["script"]["migration_tag"] == "v2"
        assert api.result("GET", f"{path}/{version['id']}")["migration_tag"] == "v2"
        assert api.refusal("POST", path, body) == (412, 10079, "Migration tag precondition failed; current tag is v2")
        back = {"versions": [{"version_id": first["id"], "percentage": 100}]}
        assert api.refusal("POST", f"/workers/scripts/{worker['name']}/deployments", back)[:2] == (400, 10211)
        api.deploy(worker, (version, 50), (other, 50))
        api.deploy(worker, (version, 100))

    def test_do_not_come_with_a_version_of_a_script(self, api: Api) -> None:
        worker = api.worker()
        path = f"/workers/scripts/{worker['name']}/versions"
        assert refused(api, "POST", path, files(ROOM, migrations={"new_tag": "v1", "new_classes": ["Room"]}))[:2] == (400, 10211)


@pytest.mark.parametrize("key", ["body_part", "containers", "exports"])
def test_what_the_local_cloud_cannot_run_is_refused_by_name(api: Api, key: str) -> None:
    text = f"The local cloud does not emulate '{key}' of an upload"
    metadata: dict[str, Any] = {key: {"any": "thing"}}
    assert refused(api, "PUT", "/workers/scripts/not-emulated", files(HELLO, **metadata)) == (501, 10404, text)
    body = {"main_module": "index.js", "modules": modules(HELLO), key: {"any": "thing"}}
    assert api.refusal("POST", f"/workers/workers/{api.worker()['id']}/versions", body) == (501, 10404, text)


def test_a_body_that_is_not_a_form_is_refused(api: Api) -> None:
    assert api.refusal("PUT", "/workers/scripts/no-form", {"main_module": "index.js"})[0] == 400
    assert send(api, "PUT", "/workers/scripts/no-form", files()[1:]).status_code == 400


BOUNDARY = "multipart/form-data; boundary=b"


def test_parts_are_split_at_their_boundary_alone() -> None:
    body = b'--b\r\nContent-Disposition: form-data; name="a"; filename="x.js"\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nx--b\n\r\n\r\n--b--\r\n'
    assert parse(BOUNDARY, body) == [Part("a", b"x--b\n\r\n", "x.js", "text/plain")]


def test_a_quotation_mark_in_a_file_name_arrives_as_browsers_and_undici_escape_it() -> None:
    body = b'--b\r\nContent-Disposition: form-data; name="a"; filename="%22x%22.js"\r\n\r\n\r\n--b--\r\n'
    assert parse(BOUNDARY, body) == [Part("a", b"", '"x".js')]


@pytest.mark.parametrize(
    ("kind", "body", "reason"),
    [
        ("multipart/form-data", b"", "multipart/form-data with a boundary is needed"),
        ("application/json", b"{}", "multipart/form-data with a boundary is needed"),
        (f"multipart/form-data; boundary={'b' * 71}", b"", "multipart/form-data with a boundary is needed"),
        (BOUNDARY, b"", "Unexpected end of multipart stream (parser closed)"),
        (BOUNDARY, b"a preamble without a part", "Boundary not found in first chunk"),
        (
            BOUNDARY,
            b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\ncut',
            "Unexpected end of multipart stream (parser closed)",
        ),
        (BOUNDARY, b'--b\r\nContent-Disposition: form-data; name="a"\r\n--b--\r\n', "Malformed segment header"),
        (BOUNDARY, b"--b\r\nContent-Type: text/plain\r\n\r\nnameless\r\n--b--\r\n", "Missing Content-Disposition segment header"),
        (BOUNDARY, b'--b\r\nContent-Disposition: form-data; name=""\r\n\r\n\r\n--b--\r\n', "a part has no name"),
        (BOUNDARY, b'--b\r\nContent-Disposition: form-data; name="\xff"\r\n\r\n\r\n--b--\r\n', "Segment header failed to decode"),
    ],
)
def test_a_malformed_form_is_refused(kind: str, body: bytes, reason: str) -> None:
    with pytest.raises(Refusal) as refusal:
        parse(kind, body)
    assert (refusal.value.status, refusal.value.code, refusal.value.message) == (400, 10003, f"Malformed form: {reason}")


def test_the_workers_dev_switch_is_stored_with_the_worker(api: Api) -> None:
    worker = api.worker()
    path = f"/workers/scripts/{worker['name']}/subdomain"
    api.deploy(worker, (api.upload(worker), 100))
    assert api.result("GET", path) == {"enabled": True, "previews_enabled": True}
    assert api.result("POST", path, {"enabled": False}) == {"enabled": False, "previews_enabled": True}
    assert api.edge(worker).status_code == 404
    assert api.result("POST", path, {"enabled": True, "previews_enabled": False}) == {"enabled": True, "previews_enabled": False}
    assert api.edge(worker).text == "hello"
    assert api.result("DELETE", path) == {"enabled": False, "previews_enabled": False}
    assert api.result("GET", f"/workers/workers/{worker['id']}")["subdomain"] == {"enabled": False, "previews_enabled": False}
    assert api.refusal("POST", path, {"previews_enabled": True})[0] == 400


def test_script_level_settings_live_on_the_worker_and_make_no_version(api: Api) -> None:
    script = put_script(api)
    path = f"/workers/scripts/{script['name']}/script-settings"
    changes = {"logpush": True, "tags": ["a"], "observability": {"enabled": True}, "tail_consumers": [{"service": "tail"}]}
    changed = api.result("PATCH", path, changes)
    assert changed == api.result("GET", path)
    worker = api.result("GET", f"/workers/workers/{script['name']}")
    assert (worker["logpush"], worker["tags"], worker["tail_consumers"]) == (True, ["a"], [{"name": "tail"}])
    assert worker["observability"]["enabled"] is True
    assert api.result("PATCH", path, {"logpush": False})["observability"]["enabled"] is True
    assert len(api.result("GET", f"/workers/scripts/{script['name']}/versions")["items"]) == 1


def test_version_settings_are_changed_by_a_new_version_that_serves(api: Api) -> None:
    code = "export default { fetch: (r, env) => Response.json([env.TTL, env.KEY]) };"
    bindings = [{"name": "TTL", "type": "plain_text", "text": "45"}, {"name": "KEY", "type": "secret_text", "text": "s3"}]
    script = put_script(api, code, bindings=bindings)
    path = f"/workers/scripts/{script['name']}/settings"
    assert api.result("GET", path)["bindings"] == [bindings[0], {"name": "KEY", "type": "secret_text"}]
    changes = {"bindings": [{"name": "TTL", "type": "plain_text", "text": "60"}, {"name": "KEY", "type": "inherit"}], "tags": ["t"]}
    part = [("settings", (None, json.dumps(changes).encode(), "application/json"))]
    changed = sent(api, "PATCH", path, part)  # type: ignore[arg-type]
    assert changed["bindings"] == [changes["bindings"][0], {"name": "KEY", "type": "secret_text"}]  # type: ignore[index]
    assert (changed["tags"], changed["compatibility_date"]) == (["t"], "2026-01-01")
    assert api.edge(script).json() == ["60", "s3"]


def test_settings_of_a_version_that_does_not_serve_cannot_be_changed(api: Api) -> None:
    script = put_script(api)
    path = f"/workers/scripts/{script['name']}"
    sent(api, "POST", f"{path}/versions", files())
    status, code, text = api.refusal("PATCH", f"{path}/settings", {"compatibility_date": "2025-01-01"})
    assert (status, code) == (400, 10214)
    assert text.startswith("Script edit failed.")
    assert api.result("PATCH", f"{path}/settings", {"logpush": True})["logpush"] is True


def test_a_worker_that_another_one_binds_is_deleted_only_by_force(api: Api) -> None:
    back, front = put_script(api), put_script(api)
    bindings = [{"name": "BACK", "type": "service", "service": back["name"]}]
    sent(api, "PUT", f"/workers/scripts/{front['name']}", files(bindings=bindings))
    references = api.result("GET", f"/workers/scripts/{back['name']}/references")
    assert [service["service"] for service in references["services"]["incoming"]] == [front["name"]]
    assert api.result("GET", f"/workers/scripts/{front['name']}/references")["services"]["outgoing"][0]["service"] == back["name"]
    text = f"Cannot delete service '{back['name']}' because it is still referenced by service bindings in Workers '{front['name']}'."
    for kind in ("services", "scripts"):
        status, code, message = api.refusal("DELETE", f"/workers/{kind}/{back['name']}")
        assert (status, code, message) == (400, 10142, f"{text} Please remove bindings pointing to it and try again.")
    assert api.result("DELETE", f"/workers/scripts/{back['name']}?force=true") is None
    assert api.edge(back).status_code == 404
    assert api.edge(front).text == "hello"


ROUTES: list[tuple[str, str, Any]] = [
    ("GET", "/workers/services/nobody", None),
    ("DELETE", "/workers/services/nobody", None),
    ("GET", "/workers/scripts/nobody", None),
    ("DELETE", "/workers/scripts/nobody", None),
    ("GET", "/workers/scripts/nobody/content/v2", None),
    ("GET", "/workers/scripts/nobody/settings", None),
    ("PATCH", "/workers/scripts/nobody/settings", {}),
    ("GET", "/workers/scripts/nobody/script-settings", None),
    ("PATCH", "/workers/scripts/nobody/script-settings", {}),
    ("GET", "/workers/scripts/nobody/subdomain", None),
    ("POST", "/workers/scripts/nobody/subdomain", {"enabled": True}),
    ("GET", "/workers/scripts/nobody/secrets", None),
    ("PUT", "/workers/scripts/nobody/secrets", {"name": "a", "text": "b"}),
    ("PATCH", "/workers/scripts/nobody/secrets-bulk", {"secrets": {}}),
    ("GET", "/workers/scripts/nobody/secrets/KEY", None),
    ("DELETE", "/workers/scripts/nobody/secrets/KEY", None),
    ("GET", "/workers/scripts/nobody/versions", None),
    ("POST", "/workers/scripts/nobody/versions", None),
    ("GET", "/workers/scripts/nobody/deployments", None),
    ("POST", "/workers/scripts/nobody/deployments", {"versions": []}),
    ("GET", "/workers/scripts/nobody/schedules", None),
    ("PUT", "/workers/scripts/nobody/schedules", []),
    ("GET", "/workers/scripts/nobody/references", None),
    ("GET", "/workers/tails/by-consumer/nobody", None),
    ("GET", "/workers/workers/nobody/versions", None),
    ("POST", "/workers/workers/nobody/versions", {}),
    ("PATCH", "/workers/workers/nobody/versions/latest", {}),
]


@pytest.mark.parametrize(("method", "path", "body"), ROUTES, ids=[f"{method} {path}" for method, path, _ in ROUTES])
def test_every_route_refuses_an_unknown_worker_with_10007(api: Api, method: str, path: str, body: object) -> None:
    assert api.refusal(method, path, body) == GONE


def test_an_unknown_version_deployment_and_secret_have_codes_of_their_own(api: Api) -> None:
    script = put_script(api)
    path, unknown = f"/workers/scripts/{script['name']}", "10ca1000-0000-4000-8000-000000000000"
    assert api.refusal("GET", f"{path}/versions/{unknown}")[:2] == (404, 100146)
    assert api.refusal("GET", f"/workers/workers/{script['name']}/versions/{unknown}")[:2] == (404, 10071)
    assert api.refusal("GET", f"{path}/deployments/{unknown}")[:2] == (404, 10336)
    assert api.refusal("GET", f"{path}/secrets/NONE")[:2] == (404, 10056)
    assert api.refusal("DELETE", f"{path}/secrets/NONE")[:2] == (404, 10056)
    assert MODULE in api.call("GET", path).text
