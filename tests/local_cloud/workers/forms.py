"""Scripts as wrangler and the SDKs upload them: forms of metadata and files. Also the code of small workers."""

import json
from typing import Any
from uuid import uuid4

import httpx

from tests.cloud import HELLO, Api, Body

MODULE = "application/javascript+module"
Files = list[tuple[str, tuple[str | None, bytes, str]]]


def says(text: str) -> str:
    """The code of a worker that answers with a text."""
    return f"export default {{ fetch: () => new Response({json.dumps(text)}) }};"


def files(code: str = HELLO, *more: tuple[str, bytes, str], **metadata: object) -> Files:
    """Give the parts of a script's form."""
    described = {"main_module": "index.js", "compatibility_date": "2026-01-01", **metadata}
    parts: Files = [(name, (name, content, kind)) for name, content, kind in (("index.js", code.encode(), MODULE), *more)]
    return [("metadata", (None, json.dumps(described).encode(), "application/json")), *parts]


def send(api: Api, method: str, path: str, parts: Files, **headers: str) -> httpx.Response:
    """Send a form to a path of the account."""
    url = f"{api.running.api_url}/accounts/{api.running.account_id}{path}"
    return api.http.request(method, url, files=parts, headers=headers)


def sent(api: Api, method: str, path: str, parts: Files, **headers: str) -> Any:  # noqa: ANN401 (JSON)
    """Send a form and give the result of a success."""
    reply = send(api, method, path, parts, **headers)
    assert reply.status_code == 200, reply.text
    return reply.json()["result"]


def refused(api: Api, method: str, path: str, parts: Files) -> tuple[int, int, str]:
    """Send a form and give status, code and text of a refusal."""
    reply = send(api, method, path, parts)
    error = reply.json()["errors"][0]
    return reply.status_code, error["code"], error["message"]


def put_script(api: Api, code: str = HELLO, *, name: str = "", **metadata: object) -> Body:
    """Put a script, enabled on workers.dev, and give the reply."""
    name = name or f"s-{uuid4().hex}"
    api.made.append(name)
    script: Body = sent(api, "PUT", f"/workers/scripts/{name}", files(code, **metadata))
    api.result("POST", f"/workers/scripts/{name}/subdomain", {"enabled": True, "previews_enabled": True})
    return {**script, "name": name}
