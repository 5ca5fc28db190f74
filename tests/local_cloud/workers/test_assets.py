"""Static assets: they go up in a session, and each version serves its own files as its configuration says."""

import base64
import hashlib
from typing import Any
from uuid import uuid4

import httpx
import pytest

from local_cloud.workers.asset_sessions import buckets
from local_cloud.workers.asset_tokens import session_of, token
from tests.cloud import Api, Body, modules
from tests.local_cloud.workers.forms import files, refused, send

pytestmark = pytest.mark.cloud

CODE = """export default { async fetch(request, env) {
  const { pathname } = new URL(request.url);
  if (pathname.startsWith("/bound")) return env.ASSETS.fetch(new URL("/deep/page.txt", request.url));
  return new Response(`script ${pathname}`);
} };"""
SITE = {"/index.html": b"<p>home</p>", "/deep/page.txt": b"deep", "/404.html": b"<p>lost</p>", "/with space.txt": b"spaced"}


def manifest(site: dict[str, bytes]) -> Body:
    """The manifest of some files by path."""
    return {path: {"hash": hashlib.sha256(content).hexdigest()[:32], "size": len(content)} for path, content in site.items()}


def begin(api: Api, name: str, site: dict[str, bytes]) -> Body:
    """Open a session and give its token and buckets."""
    session: Body = api.result("POST", f"/workers/scripts/{name}/assets-upload-session", {"manifest": manifest(site)})
    return session


def upload(api: Api, jwt: str, *contents: bytes, text: bytes | None = None) -> httpx.Response:
    """Upload some contents in one call."""
    parts = [
        (digest, (digest, text or base64.b64encode(content), "text/plain"))
        for content in contents
        for digest in [hashlib.sha256(content).hexdigest()[:32]]
    ]
    url = f"{api.running.api_url}/accounts/{api.running.account_id}/workers/assets/upload?base64=true"
    return httpx.post(url, files=parts, headers={"authorization": f"Bearer {jwt}"}, trust_env=False)


def uploaded(api: Api, name: str, site: dict[str, bytes]) -> str:
    """Upload all files that are not there yet, one a call, and give the completion token."""
    session = begin(api, name, site)
    jwt = session["jwt"]
    by_hash = {entry["hash"]: site[path] for path, entry in manifest(site).items()}
    for digest in (digest for bucket in session["buckets"] for digest in bucket):
        reply = upload(api, session["jwt"], by_hash[digest])
        assert reply.status_code in (201, 202), reply.text
        jwt = reply.json()["result"]["jwt"] or jwt
    return str(jwt)


def version(api: Api, worker: Body, site: dict[str, bytes], code: str | None = CODE, **config: object) -> Body:
    """Upload a version with these files."""
    assets = {"jwt": uploaded(api, worker["name"], site), "config": config}
    script = (
        {} if code is None else {"main_module": "index.js", "modules": modules(code), "bindings": [{"name": "ASSETS", "type": "assets"}]}
    )
    body = {"compatibility_date": "2026-01-01", **script, "assets": assets}
    made: Body = api.result("POST", f"/workers/workers/{worker['id']}/versions", body)
    return made


def serve(api: Api, worker: Body, site: dict[str, bytes], code: str | None = CODE, **config: object) -> Body:
    """Deploy a version with these files."""
    made = version(api, worker, site, code, **config)
    api.deploy(worker, (made, 100))
    return made


def test_each_version_serves_its_own_files_and_the_rest_reaches_the_script(api: Api) -> None:
    worker, other = api.worker(), api.worker()
    first = serve(api, worker, SITE)
    serve(api, other, {"/index.html": b"another worker"})
    second = version(api, worker, {**SITE, "/index.html": b"<p>next</p>"})
    assert api.edge(worker, "/").text == "<p>home</p>"
    assert api.edge(worker, "/deep/page.txt").headers["content-type"].startswith("text/plain")
    assert api.edge(worker, "/with%20space.txt").text == "spaced"
    assert api.edge(worker, "/bound").text == "deep"
    assert api.edge(worker, "/else").text == "script /else"
    assert api.edge(other, "/").text == "another worker"
    assert first["assets"] == second["assets"] == {"config": {}}
    api.deploy(worker, (first, 100), (second, 0))
    asked = {"Cloudflare-Workers-Version-Overrides": f'{worker["name"]}="{second["id"]}"'}
    assert [api.edge(worker, "/", headers=headers).text for headers in (asked, {})] == ["<p>next</p>", "<p>home</p>"]
    api.deploy(worker, (second, 100))
    assert api.edge(worker, "/").text == "<p>next</p>"
    api.deploy(worker, (first, 100))
    assert api.edge(worker, "/").text == "<p>home</p>"
    scripts = {script["id"]: script["has_assets"] for script in api.result("GET", "/workers/scripts")}
    assert scripts[worker["name"]] is True


def test_the_configuration_decides_what_is_served(api: Api) -> None:
    worker = api.worker()
    serve(api, worker, SITE, None, not_found_handling="404-page", html_handling="none")
    assert [(api.edge(worker, path).status_code, api.edge(worker, path).text) for path in ("/index.html", "/else")] == [
        (200, "<p>home</p>"),
        (404, "<p>lost</p>"),
    ]
    serve(api, worker, SITE, None, not_found_handling="single-page-application")
    assert (api.edge(worker, "/any/page").status_code, api.edge(worker, "/any/page").text) == (200, "<p>home</p>")
    serve(api, worker, SITE, run_worker_first=True)
    assert api.edge(worker, "/").text == "script /"
    serve(api, worker, SITE, run_worker_first=["/deep/*", "!/deep/page.txt"])
    assert [api.edge(worker, path).text for path in ("/", "/deep/x", "/deep/page.txt")] == ["<p>home</p>", "script /deep/x", "deep"]


def test_rules_for_headers_and_redirects_come_as_modules_or_as_configuration(api: Api) -> None:
    worker = api.worker()
    rules = {"_headers": "/deep/*\n  X-From: rules\n", "_redirects": "/old /deep/page.txt 301\n"}
    as_modules = [
        {"name": name, "content_type": "text/plain", "content_base64": base64.b64encode(text.encode()).decode()}
        for name, text in rules.items()
    ]
    jwt = uploaded(api, worker["name"], SITE)
    body = {"main_module": "index.js", "modules": [*modules(CODE), *as_modules], "assets": {"jwt": jwt}, "compatibility_date": "2026-01-01"}
    api.deploy(worker, (api.result("POST", f"/workers/workers/{worker['id']}/versions", body), 100))

    def is_ruled() -> tuple[str | None, int]:
        return api.edge(worker, "/deep/page.txt").headers.get("x-from"), api.edge(worker, "/old").status_code

    assert is_ruled() == ("rules", 301)
    serve(api, worker, SITE)
    assert is_ruled() == (None, 200)
    made = serve(api, worker, SITE, **rules)
    assert is_ruled() == ("rules", 301)
    assert made["assets"] == {"config": {}}


def test_only_what_is_not_there_yet_is_asked_for(api: Api) -> None:
    name, site = f"s-{uuid4().hex}", {"/a.txt": uuid4().bytes, "/b.txt": uuid4().bytes}
    session = begin(api, name, site)
    assert session["buckets"] == [[entry["hash"] for entry in manifest(site).values()]]
    first = upload(api, session["jwt"], site["/a.txt"])
    assert (first.status_code, first.json()["result"]) == (202, {"jwt": None})
    assert begin(api, name, site)["buckets"] == [[manifest(site)["/b.txt"]["hash"]]]
    assert upload(api, session["jwt"], site["/b.txt"]).status_code == 201
    assert begin(api, name, site)["buckets"] == []
    assert [len(bucket) for bucket in buckets({str(number): 30 * 2**20 for number in range(3)} | {"small": 1})] == [1, 1, 2]
    assert [len(bucket) for bucket in buckets({str(number): 1 for number in range(101)})] == [100, 1]


def test_what_was_cut_or_never_announced_is_refused_and_completes_nothing(api: Api) -> None:
    worker, site = api.worker(), {"/a.txt": uuid4().hex.encode()}
    session = begin(api, worker["name"], site)
    (content,) = site.values()
    for text, contents in ((b"AA", [content]), (b"!", [content]), (None, [b"stranger"])):
        assert upload(api, session["jwt"], *contents, text=text).status_code == 400
    assert upload(api, api.running.token, content).status_code == 401
    assert begin(api, worker["name"], site)["buckets"] != []
    path = f"/workers/workers/{worker['id']}/versions"
    for jwt in (session["jwt"], "x.y.z", uploaded(api, "another-script", site)):
        body = {"main_module": "index.js", "modules": modules(CODE), "assets": {"jwt": jwt}}
        assert api.refusal("POST", path, body)[:2] == (400, 10021)
    body = {"main_module": "index.js", "modules": modules(CODE), "bindings": [{"name": "ASSETS", "type": "assets"}]}
    assert "there are no assets" in api.refusal("POST", path, body)[2]


@pytest.mark.parametrize(
    "given",
    [
        None,
        {"a.txt": {"hash": "0" * 32, "size": 1}},
        {"/../a.txt": {"hash": "0" * 32, "size": 1}},
        {"//a.txt": {"hash": "0" * 32, "size": 1}},
        {"/a.txt": {"hash": "0" * 31, "size": 1}},
        {"/a.txt": {"hash": "0" * 32, "size": 25 * 2**20 + 1}},
        {f"/{number}": {"hash": "0" * 32, "size": 1} for number in range(20_001)},
    ],
)
def test_a_manifest_that_cannot_be_served_is_refused(api: Api, given: Any) -> None:  # noqa: ANN401 (JSON)
    assert api.refusal("POST", "/workers/scripts/any/assets-upload-session", {"manifest": given})[0] == 400


@pytest.mark.parametrize(
    ("config", "code"),
    [
        ({"html_handling": "x"}, CODE),
        ({"not_found_handling": "x"}, CODE),
        ({"run_worker_first": ["!/a"]}, CODE),
        ({"run_worker_first": True}, None),
    ],
)
def test_a_configuration_that_cannot_be_served_is_refused(api: Api, config: Body, code: str | None) -> None:
    worker = api.worker()
    script = {} if code is None else {"main_module": "index.js", "modules": modules(code)}
    body = {**script, "assets": {"jwt": uploaded(api, worker["name"], SITE), "config": config}}
    assert api.refusal("POST", f"/workers/workers/{worker['id']}/versions", body)[:2] == (400, 10021)


def test_a_version_keeps_the_files_of_the_one_before_where_it_asks_for_them(api: Api) -> None:
    worker = api.worker()
    serve(api, worker, SITE)
    kept = send(api, "POST", f"/workers/scripts/{worker['name']}/versions", files(CODE, keep_assets=True)).json()["result"]
    without = send(api, "POST", f"/workers/scripts/{worker['name']}/versions", files(CODE)).json()["result"]
    for made, text in ((kept, "<p>home</p>"), (without, "script /")):
        api.deploy(worker, (made, 100))
        assert api.edge(worker, "/").text == text
    assert refused(api, "PUT", f"/workers/scripts/{worker['name']}", files(CODE, assets=[1]))[:2] == (400, 10021)


def test_a_token_serves_its_use_alone() -> None:
    made = token("key", "session", "upload")
    assert session_of("key", made, "upload") == "session"
    assert [session_of("key", made, "completion"), session_of("other", made, "upload"), session_of("key", "", "upload")] == [None] * 3
