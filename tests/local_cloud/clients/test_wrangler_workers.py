"""The real wrangler deploys, versions, rolls back and deletes workers on the local cloud; the newer API sees all of it, and the other way round."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cloud import Api, Body
from tests.wrangler import Wrangler

pytestmark = [pytest.mark.cloud, pytest.mark.npm]

CODE = """export default {
  async fetch(request, env) {
    const row = env.DB ? await env.DB.prepare("SELECT 7 AS seven").first() : {};
    return Response.json({ build: BUILD, ttl: env.TTL, key: env.KEY ?? null, id: env.VERSION.id, tag: env.VERSION.tag, ...row });
  },
};"""


class Project:
    """A folder that wrangler deploys from."""

    def __init__(self, folder: Path, wrangler: Wrangler, api: Api, name: str) -> None:
        folder.mkdir()
        self.folder, self.wrangler, self.api, self.script = folder, wrangler, api, {"name": name}
        self.config: Body = {"name": name, "main": "index.js", "compatibility_date": "2026-01-01"}
        self.config |= {"version_metadata": {"binding": "VERSION"}, "vars": {"TTL": "45"}, "workers_dev": True, "preview_urls": True}
        self.path = f"/workers/scripts/{name}"
        api.made.append(name)

    def assets(self, files: dict[str, str], **config: object) -> None:
        """Let the project deploy these static assets."""
        folder = self.folder / "public"
        folder.mkdir(exist_ok=True)
        for name, text in files.items():
            (folder / name).write_text(text)
        self.config["assets"] = {"directory": "public", "binding": "ASSETS", **config}

    def run(self, *arguments: str, build: int = 1, check: bool = True, answer: str = "") -> Any:  # noqa: ANN401 (a finished process)
        """Run wrangler on the folder's present content."""
        (self.folder / "index.js").write_text(CODE.replace("BUILD", str(build)))
        (self.folder / "wrangler.json").write_text(json.dumps(self.config))
        return self.wrangler(*arguments, cwd=self.folder, check=check, answer=answer)

    def json(self, *arguments: str) -> Any:  # noqa: ANN401 (JSON)
        """Run wrangler and parse its output."""
        return json.loads(self.run(*arguments).stdout)

    def versions(self) -> list[Body]:
        """The versions, oldest first, from the newer API."""
        newest_first: list[Body] = self.api.result("GET", f"/workers/workers/{self.script['name']}/versions")
        return newest_first[::-1]

    def served(self) -> Body:
        """The deployed worker's answer."""
        answer: Body = self.api.edge(self.script).json()
        return answer


@pytest.fixture
def project(api: Api, wrangler: Wrangler, tmp_path: Path) -> Project:
    return Project(tmp_path / "project", wrangler, api, f"wr-{tmp_path.name[:40].strip('_-').replace('_', '-').lower()}")


def test_a_first_deploy_and_the_next_one_with_all_that_belongs_to_a_worker(project: Project, api: Api) -> None:
    database = api.database("wrangler-deploys")
    project.assets({"static.txt": "first", "_headers": "/static.txt\n  X-From: rules\n"}, run_worker_first=["/api/*"])
    project.config["d1_databases"] = [{"binding": "DB", "database_name": "wrangler-deploys", "database_id": database}]
    project.config |= {"triggers": {"crons": ["*/5 * * * *"]}, "observability": {"enabled": True}, "tail_consumers": []}
    output = project.run("deploy", "--message", "first", "--tag", "t1").stdout
    assert f"https://{project.script['name']}.automation-ab6.workers.dev" in output
    (first,) = project.versions()
    assert f"Current Version ID: {first['id']}" in output
    assert project.served() == {"build": 1, "ttl": "45", "key": None, "id": first["id"], "tag": "t1", "seven": 7}
    assert (api.edge(project.script, "/static.txt").text, api.edge(project.script, "/static.txt").headers["x-from"]) == ("first", "rules")
    assert first["source"] == "wrangler"
    assert first["annotations"] == {"workers/triggered_by": "upload", "workers/message": "first", "workers/tag": "t1"}
    assert api.result("GET", f"{project.path}/schedules")["schedules"][0]["cron"] == "*/5 * * * *"
    worker = api.result("GET", f"/workers/workers/{project.script['name']}")
    assert (worker["observability"]["enabled"], worker["subdomain"]) == (True, {"enabled": True, "previews_enabled": True})

    api.result("PUT", f"{project.path}/secrets", {"name": "KEY", "text": "s3", "type": "secret_text"})
    project.config |= {"vars": {"TTL": "60"}, "workers_dev": False, "observability": {"enabled": False}}
    project.assets({"static.txt": "second", "with space.txt": "spaced"})
    output = project.run("deploy", "--message", "second", build=2).stdout
    second = project.versions()[-1]
    assert f"Current Version ID: {second['id']}" in output
    assert (second["number"], second["annotations"]["workers/triggered_by"]) == (3, "version_upload")
    assert api.edge(project.script).status_code == 404
    api.result("POST", f"{project.path}/subdomain", {"enabled": True})
    assert project.served() == {"build": 2, "ttl": "60", "key": "s3", "id": second["id"], "tag": "", "seven": 7}
    assert [api.edge(project.script, path).text for path in ("/static.txt", "/with%20space.txt")] == ["second", "spaced"]
    worker = api.result("GET", f"/workers/workers/{project.script['name']}")
    assert (worker["observability"]["enabled"], worker["tail_consumers"]) == (False, [])
    deployment = api.result("GET", f"{project.path}/deployments")["deployments"][0]
    assert (deployment["source"], deployment["annotations"]["workers/message"]) == ("wrangler", "second")


def test_versions_are_uploaded_split_and_rolled_back(project: Project, api: Api) -> None:
    project.run("deploy")
    output = project.run("versions", "upload", "--tag", "abc", "--message", "why", build=2).stdout
    first, second = project.versions()
    assert f"Worker Version ID: {second['id']}" in output
    assert project.served()["build"] == 1
    assert api.edge({"name": f"{second['id'][:8]}-{project.script['name']}"}).json()["tag"] == "abc"

    shown = project.run("versions", "view", second["id"]).stdout
    assert [line for line in ("Tag:         abc", "Message:     why", 'env.TTL ("45")') if line not in shown] == []

    project.run("versions", "deploy", f"{first['id']}@90", f"{second['id']}@10", "--yes")
    assert project.json("deployments", "status", "--json")["versions"] == [
        {"percentage": 90, "version_id": first["id"]},
        {"percentage": 10, "version_id": second["id"]},
    ]
    header = {"Cloudflare-Workers-Version-Overrides": f'{project.script["name"]}="{second["id"]}"'}
    assert api.edge(project.script, headers=header).json()["build"] == 2

    project.run("versions", "deploy", f"{second['id']}@100%", "--yes")
    assert project.served()["build"] == 2
    project.run("rollback", first["id"], "--message", "it was better", "-y")
    assert project.served()["build"] == 1
    project.run("rollback", "-y")
    assert project.served()["build"] == 2
    text = project.run("versions", "list").stdout
    assert [line for line in (f"Version ID:  {first['id']}", f"Version ID:  {second['id']}", "Tag:         abc") if line not in text] == []
    shares = [{"version_id": first["id"], "percentage": 100}, {"version_id": second["id"], "percentage": 0}]
    marked = {"strategy": "percentage", "versions": shares, "annotations": {"workers/message": "crane candidate 0123456789ab"}}
    api.result("POST", f"{project.path}/deployments", marked)
    text = project.run("deployments", "list").stdout
    assert text.count("Created:") > 5
    assert "Message:     it was better" in text
    assert "Message:     crane candidate 0123456789ab" in text
    assert f"(0%) {second['id']}" in text


def test_wrangler_deploys_a_worker_that_the_newer_api_created(project: Project, api: Api) -> None:
    worker = api.result("POST", "/workers/workers", {"name": project.script["name"], "tags": ["kept"]})
    secret = {"name": "KEY", "type": "secret_text", "text": "s3"}
    api.deploy(worker, (api.upload(worker, bindings=[secret]), 100))
    project.run("deploy", build=2)
    assert (project.served()["build"], project.served()["key"]) == (2, "s3")
    after = api.result("GET", f"/workers/workers/{worker['id']}")
    assert (after["id"], after["tags"]) == (worker["id"], ["kept"])


def test_secrets_are_put_listed_and_deleted_and_a_rollback_over_one_asks(project: Project) -> None:
    project.run("deploy")
    (first,) = project.versions()
    project.run("secret", "put", "KEY", answer="canary-8812")
    assert project.json("secret", "list") == [{"name": "KEY", "type": "secret_text"}]
    assert project.served()["key"] == "canary-8812"
    assert project.versions()[-1]["annotations"]["workers/triggered_by"] == "secret"

    output = project.run("rollback", first["id"], "-y").stdout
    assert f"The following secrets have changed since version {first['id']} was deployed" in output
    assert "  * KEY" in output
    assert project.served()["key"] is None
    refused = project.run("secret", "put", "OTHER", answer="x", check=False)
    assert refused.returncode == 1
    assert "the latest version of your Worker isn't currently deployed" in refused.stdout + refused.stderr

    project.run("versions", "secret", "put", "OTHER", answer="x")
    assert "KEY" not in project.served()
    project.api.deploy(project.script, (project.versions()[-1], 100))
    project.run("secret", "delete", "KEY")
    assert project.json("secret", "list") == [{"name": "OTHER", "type": "secret_text"}]
    assert project.served()["key"] is None


def test_a_secret_for_an_unknown_worker_creates_a_draft_worker(project: Project, api: Api) -> None:
    project.run("secret", "put", "KEY", answer="s3")
    assert [secret["name"] for secret in api.result("GET", f"{project.path}/secrets")] == ["KEY"]


def test_a_missing_required_secret_stops_a_deploy_with_wranglers_own_text_and_a_deleted_worker_is_unknown(
    project: Project, api: Api
) -> None:
    project.run("deploy")
    project.config["secrets"] = {"required": ["NEEDED"]}
    done = project.run("deploy", build=2, check=False)
    assert done.returncode == 1
    assert "The following required secrets have not been set: NEEDED" in done.stdout + done.stderr
    assert project.served()["build"] == 1

    assert f"Successfully deleted {project.script['name']}" in project.run("delete").stdout
    assert api.edge(project.script).status_code == 404
    done = project.run("versions", "list", check=False)
    assert done.returncode == 1
    assert "This Worker does not exist on your account. [code: 10007]" in done.stdout + done.stderr


def test_a_worker_that_does_not_start_is_refused_in_wranglers_own_format(project: Project, api: Api) -> None:
    (project.folder / "other.js").write_text("throw new Error('at the top'); export default {};")
    project.config["main"] = "other.js"
    done = project.run("deploy", check=False)
    assert done.returncode == 1
    assert "at the top" in done.stdout + done.stderr
    assert "[code: 10021]" in done.stdout + done.stderr
    assert api.refusal("GET", f"/workers/workers/{project.script['name']}")[:2] == (404, 10007)
